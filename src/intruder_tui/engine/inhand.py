"""What a worker was given and has not answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from intruder_tui.engine.jobs import Depth, Study, Work

WORTH_INTERRUPTING = 2.0
"""Seconds a job has to have run: a new worker takes about as long to load torch."""


class InHand:
    """The job, or the batch of them, that a worker is at, in order, and since when."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._jobs: dict[Work, None] = {}
        self._since = 0.0
        self._batch = False
        self._interrupted: set[Study] = set()

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job: Work) -> bool:
        return job in self._jobs

    def begin(self, jobs: Sequence[Work]) -> None:
        """The worker was given these."""
        self._jobs = dict.fromkeys(jobs)
        self._since, self._batch = self._clock(), len(jobs) > 1

    def over(self, job: Work) -> None:
        """A job, in hand or not, is answered or given up for good."""
        self._jobs.pop(job, None)
        self._interrupted -= {job}

    def drop(self) -> list[Work]:
        """Take out what is left, in order."""
        left = list(self._jobs)
        self._jobs = {}
        return left

    def interrupt(self, job: Work) -> Work | None:
        """Take out what makes way for an urgent job; None where that one waits.

        A verdict goes before another matrix's exact values, and any job before a study. A study begins anew
        afterwards, which is asked of it once: whoever looks at one matrix after another lets it end too.
        A batch is about done before a new worker could begin.
        """
        if isinstance(job, Study) or self._batch or self._clock() - self._since < WORTH_INTERRUPTING:
            return None
        running = next(iter(self._jobs), None)
        if isinstance(running, Study):
            if running in self._interrupted:
                return None
            self._interrupted.add(running)
        elif running is None or running.depth is not Depth.EXACT or job.depth is Depth.EXACT:
            return None
        self._jobs = {}
        return running
