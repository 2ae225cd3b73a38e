"""The time that is left."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from tests.support.clock import Clock
from tests.support.sessions import matrix_row

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.pace import FEWEST, LEAST, Pace


def verdict(name: str, shape: tuple[int, int] = (100, 100)) -> Job:
    pair = matrix_row(name, shape).pair
    assert pair is not None
    return Job.verdict(pair, 10, 0.5)


def warm(job: Job, seconds: float, clock: Clock | None = None) -> Pace:
    """A pace that knows enough answers like this one to foretell anything."""
    pace = Pace(clock or Clock())
    for _ in range(max(FEWEST, math.ceil(LEAST / seconds))):
        pace.finished(job, seconds)
    return pace


def test_nothing_is_foretold_before_enough_answers_and_after_the_last() -> None:
    pace = Pace(Clock())
    for _ in range(FEWEST):
        pace.expect([verdict("a")])
        assert pace.left() is None
        pace.finished(verdict("a"), LEAST)
    pace.expect([verdict("a")])
    assert pace.left() is not None
    pace.expect([])
    assert pace.left() is None
    quick = Pace(Clock())
    for _ in range(FEWEST):
        quick.finished(verdict("a"), LEAST / FEWEST / 2)
    quick.expect([verdict("a")])
    assert quick.left() is None


def test_a_matrix_counts_by_its_size_and_a_factorisation_by_its_work() -> None:
    pace = warm(verdict("a"), 1.0)
    pace.expect([verdict("b", (200, 1000)), verdict("c", (100, 500))])
    assert pace.left() == 25
    small, large = verdict("d").exactly, verdict("e", (200, 200)).exactly
    pace.finished(small, 1.0)
    pace.expect([large, verdict("f"), verdict("g")])
    assert pace.left() == 10  # eight times the work, and two seconds


def test_one_slow_answer_among_many_changes_little() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(9):
        pace.finished(verdict("a"), 1.0)
    pace.finished(verdict("b"), 60.0)
    pace.expect([verdict("c")] * 40)
    assert pace.left() == 40


@pytest.mark.parametrize("seed", range(5))
def test_the_time_left_runs_down_with_the_clock_and_never_jumps(seed: int) -> None:
    chance, clock = random.Random(seed), Clock()
    pace = Pace(clock)
    jobs = [verdict(str(i), (chance.choice([100, 400]), 100)) for i in range(120)]
    shown = []
    for place, job in enumerate(jobs):
        seconds = job.pair.shape[0] / 100 * chance.uniform(0.7, 1.4)
        clock.now += seconds
        pace.finished(job, seconds)
        pace.expect(jobs[place + 1 :])
        if place >= 8 and (left := pace.left()) is not None:
            shown.append((clock.now, left))
    end = clock.now
    for (before, was), (after, now) in pairwise(shown):
        assert abs((now - was) + (after - before)) <= 25  # two steps of ten, and a little
    first = shown[0]
    assert abs(first[1] - (end - first[0])) < 0.35 * (end - first[0])


def test_time_without_work_is_forgotten() -> None:
    clock = Clock()
    pace = warm(verdict("a"), 1.0, clock)
    pace.expect([verdict("b")] * 30)
    pace.forget()
    assert pace.left() is None
    clock.now += 500
    pace.expect([verdict("b")] * 30)
    assert pace.left() == 30


@pytest.mark.parametrize(("seconds", "shown"), [(1, 5), (42, 45), (61, 70), (599, 600), (601, 660)])
def test_the_steps_grow_with_the_time(seconds: float, shown: float) -> None:
    pace = warm(verdict("a"), seconds)
    pace.expect([verdict("b")])
    assert pace.left() == shown
