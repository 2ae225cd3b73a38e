"""The log: where it is, its last lines, and what failed."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.session import Session, State
from intruder_tui.ui.look import Look
from intruder_tui.ui.screens.help import Sheet

TAIL = 16_384
"""Bytes of the log's end that are shown."""
MOST_FAILURES = 50


class LogScreen(ModalScreen[None]):
    """The worker's log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,L,enter", "dismiss", "Close", show=False, id="log.close"),
    ]

    def __init__(self, look: Look, path: Path | None, sessions: list[Session]) -> None:
        super().__init__()
        self._look = look
        self._path = path
        self._sessions = sessions

    def compose(self) -> ComposeResult:
        """One sheet."""
        yield Sheet(self.content(), self._look)

    def content(self) -> RenderableType:
        """Path, failures, last lines."""
        tones = self._look.tones
        parts: list[RenderableType] = [
            Text.assemble(("Log  ", tones.muted), str(self._path) if self._path else "nothing is logged"),
            Text(),
        ]
        failures = [
            Text.assemble((printable(name), tones.strong), f": {printable(session.reason(name), 400)}")
            for session in self._sessions
            for name in (row.name for row in session.pairing.rows)
            if session.state(name) is State.FAILED
        ]
        if failures:
            parts += [Text("Failed", tones.warning), *failures[:MOST_FAILURES]]
            if len(failures) > MOST_FAILURES:
                parts.append(Text(f"and {len(failures) - MOST_FAILURES} more"))
            parts.append(Text())
        parts += [Text(printable(line, 1000), tones.muted) for line in tail(self._path)]
        return Group(*parts)


def tail(path: Path | None) -> list[str]:
    """The last lines of the log; a word about why there are none."""
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return [f"can't be read: {error.strerror}"]
    return lines or ["The log is empty."]
