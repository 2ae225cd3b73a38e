"""An engine that computes nothing: it notes what is asked, and says what the test tells it to say."""

from __future__ import annotations

from pathlib import Path

from intruder_tui.engine.jobs import Study, Work
from intruder_tui.engine.protocol import Event, Listener


class SilentEngine:
    """Satisfies `engine.protocol.Engine`; `submitted` and `cancelled` are what was asked of it."""

    log_path: Path | None = None

    def __init__(self) -> None:
        self.submitted: list[tuple[str, bool]] = []
        self.jobs: list[Work] = []
        self.studies: list[Study] = []
        self.cancelled: list[str] = []
        self.held = False
        self.closed = False
        self._listener: Listener | None = None

    def start(self, listener: Listener) -> None:
        self._listener = listener

    def submit(self, job: Work, *, urgent: bool = False) -> None:
        if isinstance(job, Study):
            self.studies.append(job)
            return
        self.submitted.append((job.name, urgent))
        self.jobs.append(job)

    def cancel(self, job: Work) -> None:
        self.cancelled.append(job.name)

    def hold(self, held: bool) -> None:
        self.held = held

    def close(self) -> None:
        self.closed = True

    def say(self, event: Event) -> None:
        """Deliver an event as a real engine would."""
        assert self._listener is not None
        self._listener(event)
