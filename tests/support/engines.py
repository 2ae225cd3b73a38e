"""An engine that computes nothing: it notes what is asked, and says what the test tells it to say."""

from __future__ import annotations

from pathlib import Path

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Event, Listener


class SilentEngine:
    """Satisfies `engine.protocol.Engine`; `submitted` and `cancelled` are what was asked of it."""

    log_path: Path | None = None

    def __init__(self) -> None:
        self.submitted: list[tuple[str, bool]] = []
        self.jobs: list[Job] = []
        self.cancelled: list[str] = []
        self.closed = False
        self._listener: Listener | None = None

    def start(self, listener: Listener) -> None:
        self._listener = listener

    def submit(self, job: Job, *, urgent: bool = False) -> None:
        self.submitted.append((job.name, urgent))
        self.jobs.append(job)

    def cancel(self, job: Job) -> None:
        self.cancelled.append(job.name)

    def close(self) -> None:
        self.closed = True

    def say(self, event: Event) -> None:
        """Deliver an event as a real engine would."""
        assert self._listener is not None
        self._listener(event)
