"""Which jobs go together, and how many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.sessions import matrix_row

from intruder_tui.engine.batches import MOST, MOST_ELEMENTS, MOST_WORK, SMALL, TOO_LONG, batched, cores, room
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.spectral import certified
from intruder_tui.studies.answers import StudyKind


def job(shape: tuple[int, int]) -> Job:
    pair = matrix_row("q", shape).pair
    assert pair is not None
    return Job(pair)


def test_what_is_small_is_what_the_mathematics_takes_for_small() -> None:
    assert certified.SMALL == SMALL
    assert batched(job((SMALL, 9000)))
    assert batched(job((9000, SMALL)))
    assert not batched(job((SMALL + 1, SMALL + 1)))
    assert not batched(Study(job((8, 8)).pair, StudyKind.VECTORS))


@given(st.integers(1, SMALL), st.integers(1, 10**9), st.integers(1, 256))
def test_a_batch_is_bounded_by_its_work_and_its_weights(short: int, long: int, cores: int) -> None:
    found = room((short, long), cores)
    assert found == room((long, short), cores)
    assert 1 <= found <= MOST
    if found > 1:
        assert found * short * long <= MOST_ELEMENTS
        assert short * long * min(short, long) <= TOO_LONG
    if found > cores:
        assert found * short * long * min(short, long) <= cores * MOST_WORK


def test_small_matrices_share_a_batch_on_any_machine() -> None:
    assert cores() >= 1
    assert room((384, 384), 2) > 2
    assert room((SMALL, 8 * SMALL), 2) == 2
    assert room((SMALL, 16 * SMALL), 2) == 1
    assert room((1, 1), 1) == MOST
