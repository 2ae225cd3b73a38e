"""Messages between threads and widgets."""

from __future__ import annotations

from textual.message import Message

from intruder_tui.engine.protocol import Event


class EngineEvent(Message):
    """The engine said something; posted from its thread, handled on the interface's."""

    def __init__(self, event: Event) -> None:
        self.event = event
        super().__init__()


class CursorMoved(Message):
    """The heatmap's or the table's cursor came to rest on tuned vector `tuned` (and base vector `base`)."""

    def __init__(self, tuned: int, base: int | None = None) -> None:
        self.tuned = tuned
        self.base = base
        super().__init__()


class CosinesWanted(Message):
    """A person asks for every cosine of what is in front, or takes that back."""

    WORDS = "Compute all cosines (factorises both weights), or stop"
    """What its key does."""


class StudiesAsked(Message):
    """A view asked for studies, or took some back."""


class Jumped(Message):
    """A person chose the matrix `name` in a view of many."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__()
