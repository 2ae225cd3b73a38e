"""How long a scan will still take, from how long its matrices took."""

from __future__ import annotations

from collections import deque

RECENT = 24


class Pace:
    """The mean of the last answers' times."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=RECENT)

    def finished(self, seconds: float) -> None:
        """A matrix took `seconds`."""
        self._seconds.append(seconds)

    def left(self, pending: int) -> float | None:
        """Seconds until `pending` matrices are done; None while nothing is known."""
        if not pending or not self._seconds:
            return None
        return pending * sum(self._seconds) / len(self._seconds)
