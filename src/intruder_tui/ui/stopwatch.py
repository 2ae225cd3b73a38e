"""How long the matrix in front has been at its stage."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from time import monotonic

WORTH_TELLING = 2.0
"""Seconds that a stage has to last before its time is told."""
_NUMBER = re.compile(r"\d+")


class Stopwatch:
    """When the matrix, or the study, that the engine works on entered the stage it is at."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._at: tuple[Hashable, str] = ("", "")
        self._since = 0.0

    def entered(self, what: Hashable, stage: str) -> None:
        """A stage of a matrix (by its name) or of a study has begun; the same one said again goes on.

        So does one that differs in numbers alone: "scaling 3 of 33" is a step of "scaling 2 of 33"'s stage.
        """
        at = what, _NUMBER.sub("", stage)
        if self._at != at:
            self._at, self._since = at, self._clock()

    def seconds(self, what: Hashable) -> float | None:
        """How long it has been at its stage; None where something else is worked on."""
        return self._clock() - self._since if self._at[0] == what else None
