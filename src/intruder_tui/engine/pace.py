"""How long a scan will still take."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import monotonic

from intruder_tui.engine.jobs import Depth, Job, Work
from intruder_tui.studies.answers import StudyKind

RECENT = 24
"""Answers of each depth that are looked back on."""
FEWEST, LEAST = 3, 2.0
"""Answers, and seconds spent on them, before which nothing is foretold: the first ones warm the worker up."""
TRUST = 0.2
"""How far one more answer moves the end that was foretold."""


class Pace:
    """The time left, from the median speed of the last answers; a matrix counts by the work that it is.

    Only what was computed counts: neither the start of the worker nor what was found in the cache.
    The end of the scan is foretold, not the time left: between two answers the time left runs down with the
    clock, and each answer moves the end only a little.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._speeds: dict[Depth | StudyKind, deque[float]] = {
            kind: deque(maxlen=RECENT) for kind in (*Depth, *StudyKind)
        }
        self._end: float | None = None
        self._jobs = 0
        self._answers = 0
        self._known = 0
        self._spent = 0.0
        self._heard = False

    def finished(self, job: Work, seconds: float) -> None:
        """A job took `seconds`."""
        self._speeds[_kind(job)].append(seconds / work(job))
        self._answers += 1
        self._known += 1
        self._spent += seconds
        self._heard = True

    def expect(self, jobs: Sequence[Work]) -> None:
        """These are still to come; where they are none, or too little is known, nothing is foretold."""
        seconds = self._seconds(jobs)
        more = len(jobs) > self._jobs
        heard, self._heard, self._jobs = self._heard, False, len(jobs)
        if seconds is None:
            self._end, self._answers = None, 0
            return
        end = self._clock() + seconds
        if self._end is None or more:
            self._end = end
        elif heard:
            self._end += max(TRUST, 1 / max(1, self._answers)) * (end - self._end)

    def forget(self) -> None:
        """Time passes without work: foretell the end anew."""
        self._end = None

    def left(self) -> float | None:
        """Seconds left, in steps that the eye can rest on: 5 s, from a minute 10 s, from ten minutes 60 s."""
        if self._end is None:
            return None
        seconds = max(0.0, self._end - self._clock())
        step = 5 if seconds <= 60 else 10 if seconds <= 600 else 60
        return max(step, math.ceil(seconds / step) * step)

    def _seconds(self, jobs: Iterable[Work]) -> float | None:
        if self._known < FEWEST or self._spent < LEAST:
            return None
        todo: dict[Depth | StudyKind, float] = {}
        for job in jobs:
            todo[_kind(job)] = todo.get(_kind(job), 0.0) + work(job)
        speeds = {kind: median(known) for kind, known in self._speeds.items() if known}
        if Depth.EXACT in speeds:  # a study is a factorisation as well
            for kind in StudyKind:
                speeds.setdefault(kind, speeds[Depth.EXACT])
        foretold = [todo[kind] * speed for kind, speed in speeds.items() if kind in todo]
        return sum(foretold) if foretold else None


def work(job: Work) -> float:
    """What a job costs, but for a factor of its kind: a pass over the matrix, or a factorisation of it."""
    m, n = job.pair.shape
    return float(m * n) if _kind(job) is Depth.VERDICT else float(m * n * min(m, n))


def _kind(job: Work) -> Depth | StudyKind:
    return job.depth if isinstance(job, Job) else job.kind
