"""From an argument to pairs of matrices: locate, catalog, adapters, pairing. Headers only; no torch."""

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import components, printable
from intruder_tui.checkpoint.pairing import open_pairing
from intruder_tui.checkpoint.pairs import MatrixPair, Pairing, Row, RowKind, Source
from intruder_tui.checkpoint.series import expand_series

__all__ = [
    "CheckpointError",
    "MatrixPair",
    "Pairing",
    "Row",
    "RowKind",
    "Source",
    "components",
    "expand_series",
    "open_pairing",
    "printable",
]
