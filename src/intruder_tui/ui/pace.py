"""How long a scan will still take, and how long the matrix in front has been at its stage."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import monotonic

from intruder_tui.engine.jobs import Depth, Job

RECENT = 24
"""Answers of each depth that are looked back on."""
TRUST = 0.2
"""How far one more answer moves the end that was foretold."""


class Pace:
    """The time left, from the median speed of the last answers; a matrix counts by the work that it is.

    The end of the scan is foretold, not the time left: between two answers the time left runs down with the
    clock, and each answer moves the end only a little.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._speeds: dict[Depth, deque[float]] = {depth: deque(maxlen=RECENT) for depth in Depth}
        self._end: float | None = None
        self._jobs = 0
        self._answers = 0
        self._heard = False

    def finished(self, job: Job, seconds: float) -> None:
        """A job took `seconds`."""
        self._speeds[job.depth].append(seconds / work(job))
        self._answers += 1
        self._heard = True

    def expect(self, jobs: Sequence[Job]) -> None:
        """These are still to come; where they are none, or no speed is known, nothing is foretold."""
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

    def _seconds(self, jobs: Iterable[Job]) -> float | None:
        todo = dict.fromkeys(Depth, 0.0)
        for job in jobs:
            todo[job.depth] += work(job)
        speeds = {depth: median(known) for depth, known in self._speeds.items() if known}
        foretold = [todo[depth] * speed for depth, speed in speeds.items() if todo[depth]]
        return sum(foretold) if foretold else None


def work(job: Job) -> float:
    """What a job costs, but for a factor of its depth: a pass over the matrix, or a factorisation of it."""
    m, n = job.pair.shape
    return float(m * n) if job.depth is Depth.VERDICT else float(m * n * min(m, n))


class Stopwatch:
    """When the matrix that the engine works on entered the stage it is at."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._at = ("", "")
        self._since = 0.0

    def entered(self, name: str, stage: str) -> None:
        """A stage has begun; the same one said again goes on."""
        if self._at != (name, stage):
            self._at, self._since = (name, stage), self._clock()

    def seconds(self, name: str) -> float | None:
        """How long the matrix has been at its stage; None where another one is worked on."""
        return self._clock() - self._since if self._at[0] == name else None
