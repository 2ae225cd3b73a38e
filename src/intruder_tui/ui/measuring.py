"""Measures of the update for the model map, taken from whole results a few at a time."""

from __future__ import annotations

from intruder_tui.engine.session import Session
from intruder_tui.findings.model_map import Measures, measures_of

CHUNK = 4
"""Results read between two chances for a key to be heard."""


class Measuring:
    """What was read of one session; two numbers a matrix, however large its result."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys: dict[str, str] = {}
        self.known: dict[str, Measures] = {}

    def step(self, most: int = CHUNK) -> bool:
        """Read up to `most` results that are new; whether there were any."""
        read = 0
        for name in self._session.default_names:
            key = self._session.key(name)
            if key is None or self._keys.get(name) == key:
                continue
            if read == most:
                return True
            read += 1
            result = self._session.peek(name)
            if result is not None:
                self._keys[name] = key
                self.known[name] = measures_of(result)
        return read > 0
