"""What is known of one side's similarities: the stored block, and the whole matrix once it is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from intruder_tui.definition import Side, Verdict
from intruder_tui.results import MatrixResult, Similarity
from intruder_tui.studies.cosines import Cosines
from intruder_tui.views.extent import Extent
from intruder_tui.views.grid import Edges, Grid, pool

FINER = 4
"""How many times finer than the screen's cells the whole matrix is read, so that any step can be drawn."""
ROUNDING = 5e-4
"""How far a cosine of the whole matrix may be off (`Cosines`)."""
ALARM = (
    Verdict.INTRUDER,
    Verdict.UNDECIDED,
    Verdict.BORDERLINE,
    Verdict.CLUSTERED,
    Verdict.MATCHED,
)
"""What a column of several vectors is marked with, the most alarming first."""


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """|cos| of base vectors (rows) with tuned vectors (columns) on one side, as far as it is known.

    Attributes:
        side: which singular vectors.
        size: q = min(out, in), how many vectors there are on either side.
        similarity: the result's side; None while there is none.
        whole: every cosine; None until it is there.
    """

    side: Side
    size: int
    similarity: Similarity | None = None
    whole: Cosines | None = None

    @property
    def reach(self) -> int:
        """Cosines of all base and tuned vectors below this rank are known."""
        if self.whole is not None:
            return self.size
        return 0 if self.similarity is None else len(self.similarity.block)

    def cosine(self, base: int, tuned: int) -> float | None:
        """One |cos|; None where it is not known."""
        if self.similarity is not None and max(base, tuned) < len(self.similarity.block):
            known = float(self.similarity.block[base, tuned])
            if not math.isnan(known):
                return known
        if self.whole is None:
            return None
        value = self.whole.window(base, base + 1, tuned, tuned + 1)
        return float(value[0, 0]) if value.size else None

    def best(self, tuned: int) -> tuple[float, float, int | None] | None:
        """Bounds of best(j), equal where it is a value, and the i that attains it; None where unknown."""
        one = self.similarity
        if one is not None and tuned < len(one.lower):
            index = int(one.index[tuned])
            return float(one.lower[tuned]), float(one.upper[tuned]), index if index >= 0 else None
        if self.whole is None or tuned >= len(self.whole.best):
            return None
        value = float(self.whole.best[tuned])
        return value, value, int(self.whole.index[tuned])

    def verdict(self, tuned: int, eps: float) -> Verdict:
        """The verdict on tuned vector j, whatever k; undecided where nothing is known of it."""
        one = self.similarity
        if one is not None and tuned < len(one.lower):
            return one.verdict(tuned, eps)
        if self.whole is None or tuned >= len(self.whole.best):
            return Verdict.UNDECIDED
        best = float(self.whole.best[tuned])
        if abs(best - eps) <= ROUNDING:
            return Verdict.BORDERLINE
        return Verdict.INTRUDER if best < eps else Verdict.MATCHED

    def intruders(self, k: int, eps: float) -> list[int]:
        """Ranks j < k of the tuned vectors that are certainly intruders."""
        return [j for j in range(min(k, self.size)) if self.verdict(j, eps) is Verdict.INTRUDER]

    def cells(self, extent: Extent, most_rows: int, most_columns: int) -> Grid:
        """A window in at most `most_rows` x `most_columns` cells, pooled by maximum where it needs to be.

        A cell that is not known in full is NaN: the largest of a part is not the largest of the block.
        """
        extent = extent.within(self.size)
        fine, step = None, 1
        if extent.top + extent.span > self._block or extent.left + extent.span > self._block:
            fine = self.whole
        if fine is not None:
            while extent.span > step * FINER * max(most_rows, most_columns):
                step *= 2
        rows = _edges(extent.top, extent.span, most_rows, step, self.size)
        columns = _edges(extent.left, extent.span, most_columns, step, self.size)
        if fine is not None:
            return Grid(_read(fine, rows, columns, step), rows, columns)
        values = np.full((len(rows) - 1, len(columns) - 1), np.nan, np.float32)
        known_rows = int(np.searchsorted(rows, self._block, side="right")) - 1
        known_columns = int(np.searchsorted(columns, self._block, side="right")) - 1
        if known_rows > 0 and known_columns > 0 and self.similarity is not None:
            values[:known_rows, :known_columns] = pool(
                self.similarity.block[rows[0] : rows[known_rows], columns[0] : columns[known_columns]],
                rows[: known_rows + 1] - rows[0],
                columns[: known_columns + 1] - columns[0],
            )
        return Grid(values, rows, columns)

    @property
    def _block(self) -> int:
        return 0 if self.similarity is None else len(self.similarity.block)


def field(result: MatrixResult, side: Side, whole: Cosines | None = None) -> Field:
    """One side of a result."""
    return Field(side, min(result.shape), result.side(side), whole)


def column_marks(field: Field, k: int, eps: float, columns: Grid) -> tuple[Verdict | None, ...]:
    """A verdict per grid column, the most alarming it covers; None where it covers no j < k."""
    marks: list[Verdict | None] = []
    for first, end in pairwise(columns.column_edges.tolist()):
        covered = {field.verdict(j, eps) for j in range(first, min(end, k))}
        marks.append(next((verdict for verdict in ALARM if verdict in covered), None))
    return tuple(marks)


def _edges(start: int, span: int, most: int, unit: int, size: int) -> Edges:
    """Edges of at most `most` cells that cover a window, at multiples of `unit` or the matrix's end."""
    first, last = start // unit, -(-min(start + span, size) // unit)
    count = max(1, min(last - first, most))
    edges = np.round(np.linspace(first, last, count + 1)).astype(np.int64) * unit
    return np.minimum(edges, size)


def _read(whole: Cosines, rows: Edges, columns: Edges, step: int) -> np.ndarray:
    """The largest |cos| between the edges; NaN beyond the vectors that have one."""
    values = np.full((len(rows) - 1, len(columns) - 1), np.nan, np.float32)
    window = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    longest = max(window[1] - window[0], window[3] - window[2])
    found = whole.pooled(-(-longest // step), window)
    r, c = (np.minimum(edges, limit) for edges, limit in ((rows, whole.shape[0]), (columns, whole.shape[1])))
    r, c = np.unique(r), np.unique(c)
    if len(r) < 2 or len(c) < 2 or not found.values.size:
        return values
    at_rows = np.searchsorted(found.row_edges, r)
    at_columns = np.searchsorted(found.column_edges, c)
    values[: len(r) - 1, : len(c) - 1] = pool(found.values, at_rows, at_columns)
    return values
