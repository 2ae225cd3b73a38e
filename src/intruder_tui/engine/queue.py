"""The order of work: the newest urgent job, urgent studies, then the others as they came, unless held."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from intruder_tui.engine.batches import batched, room
from intruder_tui.engine.jobs import Study, Work


class JobQueue:
    """A queue in which every job stands once.

    A study takes a factorisation's time and is asked for beside an answer that is shown already; the answer
    of a matrix that a person looks at is not kept waiting by it. Batches are for so many `cores`.
    """

    def __init__(self, cores: int = 1) -> None:
        self._cores = cores
        self._urgent: dict[Work, None] = {}
        self._studies: dict[Work, None] = {}
        self._others: dict[Work, None] = {}
        self._alone: set[Work] = set()
        self.held = False
        """Whether only urgent jobs are given out."""

    def __len__(self) -> int:
        return len(self._urgent) + len(self._studies) + len(self._others)

    def put(self, job: Work, *, urgent: bool) -> None:
        """Add a job; an urgent one goes to the very front of its kind, wherever it stood."""
        if urgent:
            self.remove(job)
            (self._studies if isinstance(job, Study) else self._urgent)[job] = None
        elif job not in self._urgent and job not in self._studies:
            self._others.setdefault(job)

    def put_back(self, jobs: Sequence[Work], *, alone: bool = False) -> None:
        """Jobs that were taken together stand before the others again; `alone`: each by itself, for ever."""
        self._others = {**dict.fromkeys(jobs), **self._others}
        if alone:
            self._alone.update(jobs)

    def take(self) -> tuple[Work, ...]:
        """The job to run next, and those to run with it; empty when there is none that may run.

        Others of one shape go together where `batches` says so; what is urgent goes alone.
        """
        for urgent in (self._urgent, self._studies):
            if urgent:
                return (urgent.popitem()[0],)
        if not self._others or self.held:
            return ()
        first = next(iter(self._others))
        taken = [first]
        if self._batched(first):
            shape = first.pair.shape
            alike = (job for job in self._others if job.pair.shape == shape and self._batched(job))
            taken = list(islice(alike, room(shape, self._cores)))
        for job in taken:
            del self._others[job]
        return tuple(taken)

    def remove(self, job: Work) -> bool:
        """Take a job out; whether it stood here."""
        parts = (self._urgent, self._studies, self._others)
        return any(part.pop(job, part) is None for part in parts)

    def clear(self) -> list[Work]:
        """Take every job out, in the order in which they would have run one by one."""
        jobs = [*reversed(self._urgent), *reversed(self._studies), *self._others]
        for part in (self._urgent, self._studies, self._others):
            part.clear()
        return jobs

    def _batched(self, job: Work) -> bool:
        return batched(job) and job not in self._alone
