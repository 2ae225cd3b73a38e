"""From an argument to pairs of matrices: locate, catalog, adapters, pairing. Headers only; no torch."""
