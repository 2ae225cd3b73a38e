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
        return bool(
            self.row_edges[-1] - self.row_edges[0] > rows
            or self.column_edges[-1] - self.column_edges[0] > columns
        )

    def covers(self, base: int, tuned: int) -> bool:
        """Whether a cosine lies in one of the cells."""
        return bool(
            self.row_edges[0] <= base < self.row_edges[-1]
            and self.column_edges[0] <= tuned < self.column_edges[-1]
        )

    def row_of(self, base: int) -> int:
        """The grid row that covers a base vector."""
        return int(np.searchsorted(self.row_edges, base, side="right")) - 1

    def column_of(self, tuned: int) -> int:
        """The grid column that covers a tuned vector."""
        return int(np.searchsorted(self.column_edges, tuned, side="right")) - 1


def pool(values: Floats, row_edges: Edges, column_edges: Edges) -> Floats:
    """Maximum over each block between the edges; NaN only where a block holds nothing known."""
    filled = np.where(np.isnan(values), -np.inf, values)
    by_row = np.maximum.reduceat(filled, row_edges[:-1], axis=0)
    both = np.maximum.reduceat(by_row, column_edges[:-1], axis=1)
    return np.where(np.isneginf(both), np.nan, both).astype(np.float32)
