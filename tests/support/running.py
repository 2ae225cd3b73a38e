"""A process engine that really runs, and what it says."""

from __future__ import annotations

import queue
from collections.abc import Callable

from intruder_tui.cache import Cache
from intruder_tui.engine.process import ProcessEngine
from intruder_tui.engine.protocol import Event

PATIENCE = 90.0


class Running:
    """A process engine and what it said."""

    def __init__(self, cache: Cache, device: str = "cpu", niceness: int = 0) -> None:
        self.engine = ProcessEngine(cache, device, niceness=niceness)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.engine.start(self._events.put)

    def until(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """Events up to and with the first wanted one."""
        seen: list[Event] = []
        while not seen or not wanted(seen[-1]):
            seen.append(self._events.get(timeout=PATIENCE))
        return seen
