"""Carries engine events from the engine's thread to the app, from before the app runs until it has gone."""

from __future__ import annotations

import threading
from collections.abc import Callable

from intruder_tui.engine.protocol import Event


class Relay:
    """A listener for `Engine.start`; what arrives before `attach` waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._deliver: Callable[[Event], object] | None = None

    def __call__(self, event: Event) -> None:
        """Take an event, on any thread."""
        with self._lock:
            deliver = self._deliver
            if deliver is None:
                self._waiting.append(event)
        if deliver is not None:
            deliver(event)

    def attach(self, deliver: Callable[[Event], object]) -> None:
        """Hand over what has waited, and everything from now on; `deliver` must be thread-safe."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                deliver(event)
            self._deliver = deliver
