"""Whole matrices read by windows and poolings, in memory and from a file; bytes that are not a study."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.results import base_weight, plant
from tests.support.studies import random_cosines, scaled, tuned_vectors, whole_cosines

from intruder_tui.definition import Definition, Side
from intruder_tui.records import RecordError
from intruder_tui.studies.answers import Scalings, StudyKind, TunedVectors
from intruder_tui.studies.cosines import Cosines
from intruder_tui.studies.files import cosines_content, read_study, study_content

WINDOWS = st.tuples(*(st.integers(-5, 1200) for _ in range(4)))


def written(
    tmp_path: Path, one: Cosines, values: np.ndarray[tuple[int, int], np.dtype[np.float16]]
) -> Cosines:
    path = tmp_path / "whole.safetensors"
    content = cosines_content(
        values, one.side, (one.sigma_base, one.sigma_tuned), one.best, one.index, {"base": "here"}
    )
    path.write_bytes(content)
    found = read_study(StudyKind.COSINES, path)
    path.unlink()  # what is open stays readable
    assert isinstance(found, Cosines)
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cosines, Cosines]:
    """The same in memory and in a file."""
    one = random_cosines(1100, 900, Side.RIGHT)
    values = one.levels[0].read(0, 1100, 0, 900)
    return one, written(tmp_path_factory.mktemp("whole"), one, values)


def test_a_file_holds_what_was_written(large: tuple[Cosines, Cosines]) -> None:
    one, kept = large
    assert kept.side is Side.RIGHT
    assert kept.shape == one.shape == (1100, 900)
    assert [level.step for level in kept.levels] == [level.step for level in one.levels] == [1, 4, 16]
    np.testing.assert_array_equal(kept.best, one.best)
    np.testing.assert_array_equal(kept.index, one.index)


@given(WINDOWS)
def test_windows_of_a_file_are_those_of_memory(
    large: tuple[Cosines, Cosines], window: tuple[int, int, int, int]
) -> None:
    one, kept = large
    r0, r1, c0, c1 = window
    np.testing.assert_array_equal(kept.window(*window), one.window(*window))
    assert one.window(*window).shape == (
        max(0, min(r1, 1100) - min(max(0, r0), 1100)),
        max(0, min(c1, 900) - min(max(0, c0), 900)),
    )


@given(st.integers(1, 1300), st.none() | WINDOWS)
def test_pooling_takes_the_maximum_of_every_block(
    large: tuple[Cosines, Cosines], p: int, window: tuple[int, int, int, int] | None
) -> None:
    one, kept = large
    whole = one.window(0, 1100, 0, 900)
    found = kept.pooled(p, window)
    rows, columns = found.row_edges, found.column_edges
    assert found.values.shape == (len(rows) - 1, len(columns) - 1)
    assert max(found.values.shape) <= (p if window is None else p + 1)
    for r, (top, low) in enumerate(pairwise(rows)):
        if r % 7 == 0 and found.values.shape[1]:
            cut = np.maximum.reduceat(
                whole[top:low, columns[0] : columns[-1]].max(0), columns[:-1] - columns[0]
            )
            np.testing.assert_array_equal(found.values[r], cut)


def test_a_step_holds_still_under_a_moving_window() -> None:
    one = random_cosines(500, 500)
    here, there = one.pooled(50, (0, 200, 0, 200)), one.pooled(50, (3, 203, 3, 203))
    np.testing.assert_array_equal(here.values[1:, 1:], there.values[1:50, 1:50])


def test_small_studies_survive_their_file(tmp_path: Path) -> None:
    base = base_weight(40, 30)
    delta = plant(base, [0.8]) - base
    path = tmp_path / "study.safetensors"
    grid = scaled(base, delta, 1, limit=8, multiples=np.array([0.0, 1.0, 2.0]))
    path.write_bytes(study_content(grid, {}))
    found = read_study(StudyKind.SCALINGS, path)
    assert isinstance(found, Scalings)
    assert (found.scaling, found.adapter_rank, found.limit, found.own) == (2.0, 1, 8, 1)
    assert found.scalings.tolist() == [0.0, 2.0, 4.0]
    for ours, theirs in ((found.left, grid.left), (found.right, grid.right)):
        for name in ("lower", "upper", "index", "shares"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    vectors = tuned_vectors(base, 5)
    path.write_bytes(study_content(vectors, {}))
    again = read_study(StudyKind.VECTORS, path)
    assert isinstance(again, TunedVectors)
    np.testing.assert_array_equal(again.left, vectors.left)
    with pytest.raises(RecordError, match="vectors in schema 1; scalings in 1 wanted"):
        read_study(StudyKind.SCALINGS, path)


def test_counts_per_scaling_follow_the_definition() -> None:
    base = base_weight(60, 48)
    grid = scaled(base, plant(base, [0.5, 0.2]) - base, 2)
    for definition in (Definition(), Definition(Side.RIGHT, 4, 0.7), Definition(k=100)):
        k = min(definition.k, grid.limit)
        certain, possible = grid.counts(definition)
        np.testing.assert_array_equal(certain, possible)  # values, not bounds
        assert certain[0] == 0
        for at in (0, grid.own, 32):
            best = grid.side(definition.side).upper[at, :k]
            assert certain[at] == len(grid.intruders(at, definition)) == int((best < definition.eps).sum())


def test_a_matrix_in_memory_says_the_same_as_the_definition() -> None:
    base = base_weight(40, 30)
    one = whole_cosines(base, plant(base, [0.8]), Side.RIGHT)
    assert one.shape == (30, 30)
    np.testing.assert_allclose(one.window(0, 30, 0, 30).max(0), one.best, atol=1e-3)
    assert one.window(5, 5, 0, 30).shape == (0, 30)
