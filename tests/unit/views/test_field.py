"""Windows of the similarities: every cell against a loop, from the stored block and from the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.results import base_weight, planted
from tests.support.studies import random_cosines, whole_cosines

from intruder_tui.definition import Side, Verdict
from intruder_tui.views.extent import Extent, leading
from intruder_tui.views.field import Field, column_marks, field

RESULT = planted(96, 80, limit=24)
EXTENTS = st.builds(Extent, st.integers(0, 90), st.integers(0, 90), st.integers(1, 90))


@given(EXTENTS, st.integers(1, 30), st.integers(1, 30), st.integers(1, 80), st.integers(1, 80))
def test_every_cell_of_the_whole_matrix_is_the_maximum_of_what_it_covers(
    extent: Extent, most_rows: int, most_columns: int, rows: int, columns: int
) -> None:
    whole = random_cosines(rows, columns)
    full = np.full((80, 80), np.nan, np.float32)
    full[:rows, :columns] = whole.window(0, rows, 0, columns)
    cells = Field(Side.LEFT, 80, None, whole).cells(extent, most_rows, most_columns)
    assert cells.shape[0] <= most_rows
    assert cells.shape[1] <= most_columns
    window = extent.within(80)
    assert cells.covers(window.top, window.left)
    assert cells.covers(window.top + window.span - 1, window.left + window.span - 1)
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            part = full[
                cells.row_edges[r] : cells.row_edges[r + 1], cells.column_edges[c] : cells.column_edges[c + 1]
            ]
            seen = part[~np.isnan(part)]
            assert part.size
            assert np.array_equal(cells.values[r, c], seen.max() if len(seen) else np.float32("nan"), True)


@given(EXTENTS, st.integers(1, 30), st.integers(1, 30))
def test_a_cell_that_is_known_in_part_is_not_known(extent: Extent, most_rows: int, most_columns: int) -> None:
    block = RESULT.left.block
    cells = field(RESULT, Side.LEFT).cells(extent, most_rows, most_columns)
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            rows, columns = cells.row_edges[r : r + 2], cells.column_edges[c : c + 2]
            if rows[1] <= len(block) and columns[1] <= len(block):
                assert cells.values[r, c] == block[slice(*rows), slice(*columns)].max()
            else:
                assert np.isnan(cells.values[r, c])


def test_the_block_is_preferred_where_it_holds_the_window() -> None:
    whole = random_cosines(80, 80)
    one = field(RESULT, Side.LEFT, whole)
    assert one.reach == 80
    assert one.cells(leading(24, 80), 24, 24).values == pytest.approx(RESULT.left.block)
    assert one.cosine(3, 5) == float(RESULT.left.block[3, 5])
    assert one.cosine(50, 60) == float(whole.window(50, 51, 60, 61)[0, 0])
    assert field(RESULT, Side.LEFT).cosine(50, 60) is None


def test_best_matches_beyond_the_stored_ones_come_from_the_whole_matrix() -> None:
    base = base_weight(40, 32)
    tuned = base_weight(40, 32, seed=1)
    whole = whole_cosines(base, tuned)
    one = Field(Side.LEFT, 32, None, whole)
    oracle = np.abs(
        np.linalg.svd(base, full_matrices=False)[0].T @ np.linalg.svd(tuned, full_matrices=False)[0]
    )
    for j in range(32):
        best = one.best(j)
        assert best is not None
        assert best[:2] == pytest.approx((oracle[:, j].max(),) * 2, abs=1e-6)
        assert best[2] == oracle[:, j].argmax()
        expected = Verdict.INTRUDER if oracle[:, j].max() < 0.5 else Verdict.MATCHED
        assert one.verdict(j, 0.5) is expected
    assert one.best(32) is None
    assert Field(Side.LEFT, 32).verdict(0, 0.5) is Verdict.UNDECIDED


def test_a_value_within_the_rounding_of_the_threshold_is_borderline() -> None:
    one = Field(Side.LEFT, 32, None, whole_cosines(base_weight(40, 32), base_weight(40, 32, seed=1)))
    best = one.best(7)
    assert best is not None
    assert one.verdict(7, best[0] + 1e-4) is Verdict.BORDERLINE


def test_only_examined_columns_are_marked() -> None:
    one = field(RESULT, Side.LEFT)
    intruders = one.intruders(24, 0.5)
    assert intruders == [j for j in range(24) if RESULT.left.upper[j] < 0.5]
    cells = one.cells(leading(24, 80), 24, 24)
    marks = column_marks(one, 10, 0.5, cells)
    assert [j for j, mark in enumerate(marks) if mark is Verdict.INTRUDER] == [j for j in intruders if j < 10]
    assert set(marks[10:]) == {None}


@given(EXTENTS, st.integers(0, 79), st.integers(0, 79))
def test_a_window_reaches_every_cosine(extent: Extent, base: int, tuned: int) -> None:
    moved = extent.within(80).reaching(base, tuned, 80)
    assert moved.holds(base, tuned)
    assert moved == moved.within(80)
    assert moved.span == min(extent.span, 80)


@given(st.integers(1, 100), st.integers(1, 300), st.data())
def test_zooming_keeps_the_cursor_and_meets_k_and_all(k: int, size: int, data: st.DataObject) -> None:
    extent = leading(k, size)
    cursor = data.draw(st.tuples(*(st.integers(0, extent.span - 1),) * 2))
    seen = [extent]
    for _ in range(12):
        seen.append(seen[-1].zoomed(1, cursor, k, size))
    assert all(one.holds(*cursor) for one in seen)
    assert seen[-1] == leading(size, size)
    back = seen[-1]
    while back.span > extent.span:
        back = back.zoomed(-1, cursor, k, size)
        assert back.holds(*cursor)
    assert back.span == extent.span
