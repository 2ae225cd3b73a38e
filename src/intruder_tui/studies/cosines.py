"""The whole similarity matrix of one side, read by windows: it may be far larger than a screen or a cache.

cosines.window(r0, r1, c0, c1)      the |cos| themselves
cosines.pooled(p)                   the whole matrix, each cell the maximum of a block, at most p x p
cosines.pooled(p, (r0, r1, c0, c1)) a window of it, likewise
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Side
from intruder_tui.results import Floats, Ints

ReadCells = Callable[[int, int, int, int], NDArray[Any]]
"""Cells r0 .. r1 - 1 by c0 .. c1 - 1 of a level, any float dtype."""
Window = tuple[int, int, int, int]
"""(r0, r1, c0, c1): base vectors r0 .. r1 - 1, tuned vectors c0 .. c1 - 1."""

COARSEST = 256
"""The last level has at most so many cells on its longer side."""
STEP = 4
"""Between two levels of the pyramid."""


@dataclass(frozen=True, eq=False, slots=True)
class Level:
    """The matrix pooled by maximum over blocks of `step` x `step`.

    Attributes:
        step: base vectors a row stands for, and tuned vectors a column: a power of two.
        read: gives any window of it, in cells.
    """

    step: int
    read: ReadCells


@dataclass(frozen=True, eq=False, slots=True)
class Pooled:
    """A window of the matrix with at most one cell for `step` x `step` cosines.

    Attributes:
        values: [R, C] float32, each the largest |cos| of its block; rows base, columns tuned.
        step: vectors per cell; 1 where nothing is pooled.
        row_edges: [R + 1] int64; row r covers the base vectors row_edges[r] .. row_edges[r + 1] - 1.
        column_edges: [C + 1] int64; the same for tuned vectors.
    """

    values: Floats
    step: int
    row_edges: NDArray[np.int64]
    column_edges: NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Cosines:
    """|cos(x_i, y_j)| of every base vector i (rows) with every tuned vector j (columns) on one side.

    Directions whose singular value is numerically zero are left out, so the shape is the two ranks. Values
    are stored in float16, and may come from base factors in float16: right to about 5e-4.

    Attributes:
        side: which singular vectors.
        shape: (base vectors, tuned vectors).
        sigma_base, sigma_tuned: float32, descending, one for each row and column.
        best, index: [columns] float32 and int32, best(j) before that rounding, and the i that attains it.
        levels: the pyramid, `step` ascending from 1.
    """

    side: Side
    shape: tuple[int, int]
    sigma_base: Floats
    sigma_tuned: Floats
    best: Floats
    index: Ints
    levels: tuple[Level, ...]

    def window(self, r0: int, r1: int, c0: int, c1: int) -> Floats:
        """|cos| of base vectors r0 .. r1 - 1 with tuned vectors c0 .. c1 - 1, as far as there are any.

        Returns:
            [rows, columns] float32.
        """
        r0, r1, c0, c1 = self._clipped((r0, r1, c0, c1))
        return self.levels[0].read(r0, r1, c0, c1).astype(np.float32)

    def pooled(self, p: int, window: Window | None = None) -> Pooled:
        """A window (the whole matrix by default) in at most p x p cells, p >= 1, pooled by maximum.

        Blocks begin at multiples of the step, so that a map holds still under a moving window: the edges then
        reach a little beyond the window, and p + 1 cells may be needed to cover it.
        """
        r0, r1, c0, c1 = self._clipped(window or (0, self.shape[0], 0, self.shape[1]))
        step = 1
        while max(r1 - r0, c1 - c0) > step * p:
            step *= 2
        level = max((one for one in self.levels if one.step <= step), key=lambda one: one.step)
        rows = _edges(r0, r1, step, self.shape[0])
        columns = _edges(c0, c1, step, self.shape[1])
        if len(rows) < 2 or len(columns) < 2:
            return Pooled(np.empty((len(rows) - 1, len(columns) - 1), np.float32), step, rows, columns)
        top, left = int(rows[0]) // level.step, int(columns[0]) // level.step
        bottom, right = (-(-int(edges[-1]) // level.step) for edges in (rows, columns))
        cells = level.read(top, bottom, left, right).astype(np.float32)
        return Pooled(pool(cells, step // level.step), step, rows, columns)

    def _clipped(self, window: Window) -> Window:
        r0, r1, c0, c1 = window
        rows, columns = self.shape
        r0, c0 = min(max(0, r0), rows), min(max(0, c0), columns)
        return r0, min(max(r0, r1), rows), c0, min(max(c0, c1), columns)


def pyramid(full: NDArray[Any]) -> Sequence[tuple[int, NDArray[Any]]]:
    """The matrix and its poolings, (step, cells) each, until the longer side has at most `COARSEST` cells."""
    levels = [(1, full)]
    while max(levels[-1][1].shape) > COARSEST:
        step, cells = levels[-1]
        levels.append((step * STEP, pool(cells, STEP)))
    return levels


def pool(cells: NDArray[Any], step: int) -> NDArray[Any]:
    """Maximum over blocks of step x step; those at the far edges may be smaller."""
    if step == 1 or not cells.size:
        return cells
    by_row = np.maximum.reduceat(cells, np.arange(0, cells.shape[0], step), axis=0)
    return np.asarray(np.maximum.reduceat(by_row, np.arange(0, cells.shape[1], step), axis=1))


def reader(cells: NDArray[Any]) -> ReadCells:
    """Windows of an array in memory."""
    return lambda r0, r1, c0, c1: cells[r0:r1, c0:c1]


def _edges(start: int, stop: int, step: int, end: int) -> NDArray[np.int64]:
    """Multiples of the step that cover start .. stop; the last one ends with the matrix."""
    first, last = start // step * step, min(-(-stop // step) * step, end)
    if last <= first:
        return np.array([first], np.int64)
    return np.append(np.arange(first, last, step, dtype=np.int64), last)
