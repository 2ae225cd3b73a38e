"""Grids of a block of cosines, as a result would hold it."""

from __future__ import annotations

import numpy as np

from intruder_tui.definition import Side
from intruder_tui.results import Floats, Similarity
from intruder_tui.views.extent import leading
from intruder_tui.views.field import Field
from intruder_tui.views.grid import Grid


def grid(block: Floats, k: int, rows: int | None = None, columns: int | None = None) -> Grid:
    """The leading k x k of a block in at most rows x columns cells."""
    best = block.max(0) if len(block) else np.empty(0, np.float32)
    index = block.argmax(0).astype(np.int32) if len(block) else np.empty(0, np.int32)
    one = Field(Side.LEFT, k, Similarity(best, best, index, block))
    return one.cells(leading(k, k), rows or k, columns or k)
