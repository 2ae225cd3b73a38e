"""The order of jobs: the newest urgent one first, then the others in the order they came, unless held."""

from __future__ import annotations

from intruder_tui.engine.jobs import Work


class JobQueue:
    """A queue in which every job stands once."""

    def __init__(self) -> None:
        self._urgent: dict[Work, None] = {}
        self._others: dict[Work, None] = {}
        self.held = False
        """Whether only urgent jobs are given out."""

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    def put(self, job: Work, *, urgent: bool) -> None:
        """Add a job; an urgent one goes to the very front, wherever it stood."""
        if urgent:
            self.remove(job)
            self._urgent[job] = None
        elif job not in self._urgent:
            self._others.setdefault(job)

    def put_behind(self, job: Work) -> None:
        """Add a job behind the urgent ones and before the others."""
        self.remove(job)
        self._urgent = {job: None, **self._urgent}

    def take(self) -> Work | None:
        """The job to run next; None when there is none that may run."""
        if self._urgent:
            return self._urgent.popitem()[0]
        if self._others and not self.held:
            job = next(iter(self._others))
            del self._others[job]
            return job
        return None

    def remove(self, job: Work) -> bool:
        """Take a job out; whether it stood here."""
        urgent = self._urgent.pop(job, self) is None
        other = self._others.pop(job, self) is None
        return urgent or other

    def clear(self) -> list[Work]:
        """Take every job out, in the order in which they would have run."""
        jobs = [*reversed(self._urgent), *self._others]
        self._urgent.clear()
        self._others.clear()
        return jobs
