"""The order of work: the newest urgent job, urgent studies, then the others as they came, unless held."""

from __future__ import annotations

from intruder_tui.engine.jobs import Study, Work


class JobQueue:
    """A queue in which every job stands once.

    A study takes a factorisation's time and is asked for beside an answer that is shown already; the answer
    of a matrix that a person looks at is not kept waiting by it.
    """

    def __init__(self) -> None:
        self._urgent: dict[Work, None] = {}
        self._studies: dict[Work, None] = {}
        self._others: dict[Work, None] = {}
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

    def take(self) -> Work | None:
        """The job to run next; None when there is none that may run."""
        for urgent in (self._urgent, self._studies):
            if urgent:
                return urgent.popitem()[0]
        if self._others and not self.held:
            job = next(iter(self._others))
            del self._others[job]
            return job
        return None

    def remove(self, job: Work) -> bool:
        """Take a job out; whether it stood here."""
        parts = (self._urgent, self._studies, self._others)
        return any(part.pop(job, part) is None for part in parts)

    def clear(self) -> list[Work]:
        """Take every job out, in the order in which they would have run."""
        jobs = [*reversed(self._urgent), *reversed(self._studies), *self._others]
        for part in (self._urgent, self._studies, self._others):
            part.clear()
        return jobs
