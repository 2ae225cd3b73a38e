"""What a worker is at, and what of it makes way."""

from __future__ import annotations

import pytest
from tests.support.clock import Clock
from tests.support.sessions import matrix_row

from intruder_tui.engine.inhand import WORTH_INTERRUPTING, InHand
from intruder_tui.engine.jobs import Job, Study, Work
from intruder_tui.studies.answers import StudyKind


def verdict(name: str) -> Job:
    pair = matrix_row(name, (8, 8)).pair
    assert pair is not None
    return Job.verdict(pair, 10, 0.5)


A, B, C = (verdict(name) for name in "abc")
STUDY = Study(A.pair, StudyKind.VECTORS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def long_at(*jobs: Work, clock: Clock) -> InHand:
    in_hand = InHand(clock)
    in_hand.begin(jobs)
    clock.now += WORTH_INTERRUPTING
    return in_hand


def test_a_batch_is_answered_in_any_order_and_the_rest_is_dropped_in_its_own() -> None:
    in_hand = InHand()
    assert not in_hand
    in_hand.begin((A, B, C))
    in_hand.over(B)
    in_hand.over(STUDY)
    assert len(in_hand) == 2
    assert A in in_hand
    assert B not in in_hand
    assert in_hand.drop() == [A, C]
    assert not in_hand
    assert in_hand.drop() == []


@pytest.mark.parametrize(
    ("running", "urgent", "makes_way"),
    [
        (A.exactly, B, True),
        (A.exactly, B.exactly, False),
        (A, B, False),
        (STUDY, B.exactly, True),
        (STUDY, Study(B.pair, StudyKind.VECTORS), False),
    ],
)
def test_long_work_of_less_interest_makes_way(
    running: Work, urgent: Work, makes_way: bool, clock: Clock
) -> None:
    in_hand = long_at(running, clock=clock)
    clock.now -= WORTH_INTERRUPTING / 2
    assert in_hand.interrupt(urgent) is None
    clock.now += WORTH_INTERRUPTING / 2
    assert in_hand.interrupt(urgent) == (running if makes_way else None)
    assert (running in in_hand) is not makes_way


def test_neither_a_batch_nor_what_it_has_left_makes_way(clock: Clock) -> None:
    in_hand = long_at(A.exactly, B.exactly, clock=clock)
    assert in_hand.interrupt(C) is None
    in_hand.over(A.exactly)
    assert in_hand.interrupt(C) is None


def test_a_study_makes_way_once_until_it_is_over(clock: Clock) -> None:
    in_hand = long_at(STUDY, clock=clock)

    def again() -> Work | None:
        in_hand.begin((STUDY,))
        clock.now += WORTH_INTERRUPTING
        return in_hand.interrupt(B)

    assert in_hand.interrupt(B) == STUDY
    assert again() is None
    in_hand.over(STUDY)
    assert again() == STUDY


def test_nothing_in_hand_makes_no_way() -> None:
    assert InHand(lambda: 100.0).interrupt(A) is None
