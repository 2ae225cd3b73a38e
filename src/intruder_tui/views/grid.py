"""The numbers behind a heatmap: a window of the similarity matrix, pooled by maximum where it must shrink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intruder_tui.results import Floats

Edges = NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Grid:
    """A matrix of |cos| ready to be drawn, rows base, columns tuned.

    Attributes:
        values: [R, C] float32 in 0..1; NaN where nothing is known yet.
        row_edges: [R + 1]; grid row r covers the base vectors row_edges[r] .. row_edges[r + 1] - 1.
        column_edges: [C + 1]; the same for tuned vectors.
    """

    values: Floats
    row_edges: Edges
    column_edges: Edges

    @property
    def shape(self) -> tuple[int, int]:
        """(R, C)."""
        rows, columns = self.values.shape
        return rows, columns

    @property
    def pooled(self) -> bool:
        """Whether a cell stands for more than one cosine."""
        rows, columns = self.shape
        return bool(self.row_edges[-1] > rows or self.column_edges[-1] > columns)

    def row_of(self, base: int) -> int:
        """The grid row that covers a base vector."""
        return int(np.searchsorted(self.row_edges, base, side="right")) - 1

    def column_of(self, tuned: int) -> int:
        """The grid column that covers a tuned vector."""
        return int(np.searchsorted(self.column_edges, tuned, side="right")) - 1


def grid(block: Floats, k: int, most_rows: int | None = None, most_columns: int | None = None) -> Grid:
    """The leading k x k of `block` ([b, b], |cos|), pooled to at most `most_rows` x `most_columns`.

    Where the block holds fewer than k vectors the rest is not known: NaN. Pooling takes the maximum, since a
    mean would hide the one bright cell that shows a match.
    """
    known = min(k, len(block))
    values = np.full((k, k), np.nan, np.float32)
    values[:known, :known] = block[:known, :known]
    rows = _edges(k, most_rows)
    columns = _edges(k, most_columns)
    return Grid(pool(values, rows, columns), rows, columns)


def empty(k: int) -> Grid:
    """A grid of which nothing is known: it keeps the place."""
    return grid(np.empty((0, 0), np.float32), k)


def _edges(count: int, most: int | None) -> Edges:
    cells = count if most is None else max(1, min(count, most))
    return np.round(np.linspace(0, count, cells + 1)).astype(np.int64)


def pool(values: Floats, row_edges: Edges, column_edges: Edges) -> Floats:
    """Maximum over each block between the edges; NaN only where a block holds nothing known."""
    filled = np.where(np.isnan(values), -np.inf, values)
    by_row = np.maximum.reduceat(filled, row_edges[:-1], axis=0)
    both = np.maximum.reduceat(by_row, column_edges[:-1], axis=1)
    return np.where(np.isneginf(both), np.nan, both).astype(np.float32)
