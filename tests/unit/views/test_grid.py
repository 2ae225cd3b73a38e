"""Pooling by maximum, against a loop over the cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from intruder_tui.views.grid import empty, grid

BLOCKS = st.integers(1, 12).flatmap(
    lambda n: arrays.arrays(np.float32, (n, n), elements=st.floats(0, 1, width=32))
)


@given(BLOCKS, st.integers(1, 14), st.integers(1, 14), st.integers(1, 14))
def test_every_cell_is_the_maximum_of_what_it_covers(
    block: np.ndarray, k: int, most_rows: int, most_columns: int
) -> None:
    cells = grid(block, k, most_rows, most_columns)
    full = np.full((k, k), np.nan, np.float32)
    known = min(k, len(block))
    full[:known, :known] = block[:known, :known]
    assert cells.shape == (min(k, most_rows), min(k, most_columns))
    for r in range(cells.shape[0]):
        for c in range(cells.shape[1]):
            part = full[
                cells.row_edges[r] : cells.row_edges[r + 1], cells.column_edges[c] : cells.column_edges[c + 1]
            ]
            seen = part[~np.isnan(part)]
            if len(seen):
                assert cells.values[r, c] == seen.max()
            else:
                assert np.isnan(cells.values[r, c])


@given(st.integers(1, 60), st.integers(1, 60))
def test_every_vector_lies_in_exactly_one_cell(k: int, most: int) -> None:
    cells = grid(np.zeros((k, k), np.float32), k, most, most)
    assert [cells.row_of(i) for i in range(k)] == sorted(cells.row_of(i) for i in range(k))
    assert {cells.column_of(j) for j in range(k)} == set(range(cells.shape[1]))
    assert cells.pooled == (most < k)


def test_an_empty_grid_knows_nothing() -> None:
    assert np.isnan(empty(4).values).all()
