"""The order of jobs: the newest urgent one first, then the others in the order they came."""

from __future__ import annotations

from intruder_tui.engine.jobs import Job


class JobQueue:
    """A queue in which every job stands once."""

    def __init__(self) -> None:
        self._urgent: dict[Job, None] = {}
        self._others: dict[Job, None] = {}

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, job: Job, *, urgent: bool) -> None:
        """Add a job; an urgent one goes to the very front, wherever it stood."""
        if urgent:
            self.remove(job)
            self._urgent[job] = None
        elif job not in self._urgent:
            self._others.setdefault(job)

    def take(self) -> Job | None:
        """The job to run next; None when there is none."""
        if self._urgent:
            return self._urgent.popitem()[0]
        if self._others:
            job = next(iter(self._others))
            del self._others[job]
            return job
        return None

    def remove(self, job: Job) -> bool:
        """Take a job out; whether it stood here."""
        urgent = self._urgent.pop(job, self) is None
        other = self._others.pop(job, self) is None
        return urgent or other

    def clear(self) -> list[Job]:
        """Take every job out, in the order in which they would have run."""
        jobs = [*reversed(self._urgent), *self._others]
        self._urgent.clear()
        self._others.clear()
        return jobs
