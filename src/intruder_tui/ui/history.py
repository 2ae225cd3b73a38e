"""Where a person has been: matrices in the order they were looked at, and a place among them."""

from __future__ import annotations

MOST = 500


class History:
    """Back and forward as a browser has them: a new visit drops what lay ahead."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._at = -1

    @property
    def here(self) -> str | None:
        """The visit that one is at; None before the first."""
        return self._names[self._at] if self._names else None

    def visit(self, name: str) -> None:
        """Look at `name`; again at the same one changes nothing."""
        if name == self.here:
            return
        self._names = [*self._names[: self._at + 1], name][-MOST:]
        self._at = len(self._names) - 1

    def step(self, step: int) -> str | None:
        """Go one visit back (-1) or forward (1), and say where that is; None at the end, where one stays."""
        if not 0 <= self._at + step < len(self._names):
            return None
        self._at += step
        return self.here
