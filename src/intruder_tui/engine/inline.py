"""The same computation in the calling process, one job at a time: for tests and notebooks."""

from __future__ import annotations

from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.engine.jobs import Work
from intruder_tui.engine.protocol import Listener, Ready


class InlineEngine:
    """Answers every job within `submit`. Importing torch waits until `start`."""

    log_path: Path | None = None

    def __init__(self, cache: Cache, device: str = "cpu") -> None:
        self._cache = cache
        self._device = device
        self._listener: Listener = lambda event: None

    def start(self, listener: Listener) -> None:
        """Load torch and say so."""
        from intruder_tui.engine.compute import device_name
        from intruder_tui.engine.worker import choose_device

        self._listener = listener
        listener(Ready(device_name(choose_device(self._device))))

    def submit(self, job: Work, *, urgent: bool = False) -> None:
        """Run the job now; `urgent` makes no difference."""
        from intruder_tui.engine.worker import answer, choose_device

        self._listener(answer(job, self._cache, choose_device(self._device), self._listener))

    def cancel(self, job: Work) -> None:
        """Nothing is ever queued here."""

    def hold(self, held: bool) -> None:
        """Nothing is ever kept back here."""

    def close(self) -> None:
        """Nothing to stop."""
