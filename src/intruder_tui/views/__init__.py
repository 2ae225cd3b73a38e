"""Results turned into what a person reads: rich renderables, rows, series. No Textual, no torch."""
