"""The log: where it is, what failed or was refused, and its last lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.engine.session import Session
from intruder_tui.ui.look import Look
from intruder_tui.ui.screens.help import Sheet
from intruder_tui.ui.studying import label

TAIL = 16_384
"""Bytes of the log's end that are shown."""
MOST = 50
"""Rows that are listed under one head."""


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
        yield Sheet(self.content(), self._look, "Log", self._look.keys["log.close"])

    def content(self) -> RenderableType:
        """Path, failures, refusals, last lines."""
        tones = self._look.tones
        parts: list[RenderableType] = [
            Text.assemble(("Log  ", tones.muted), str(self._path) if self._path else "nothing is logged"),
            Text(),
        ]
        parts += self._listed("Failed", Session.failed)
        parts += self._studies()
        parts += self._listed("Refused", lambda session, name: session.row(name).kind is RowKind.REFUSED)
        parts += [Text(printable(line, 1000), tones.muted) for line in tail(self._path)]
        return Group(*parts)

    def _listed(self, head: str, belongs: Callable[[Session, str], bool]) -> list[RenderableType]:
        """The rows that belong under a head, with their reasons; nothing where there are none."""
        tones, many = self._look.tones, len(self._sessions) > 1
        found = [
            (session, row.name)
            for session in self._sessions
            for row in session.pairing.rows
            if belongs(session, row.name)
        ]
        if not found:
            return []
        lines: list[RenderableType] = [Text(head, tones.warning)]
        for session, name in found[:MOST]:
            which = f"{printable(session.pairing.tuned.label)}: " if many else ""
            reason = printable(session.reason(name), 400).removeprefix(f"{printable(name)}: ")
            lines.append(Text.assemble(which, (printable(name), tones.strong), f": {reason}"))
        if len(found) > MOST:
            lines.append(Text(f"and {len(found) - MOST} more"))
        return [*lines, Text()]

    def _studies(self) -> list[RenderableType]:
        """What was asked for beside the matrices' own answers, and failed."""
        tones, many = self._look.tones, len(self._sessions) > 1
        lines: list[RenderableType] = []
        for session in self._sessions:
            which = f"{printable(session.pairing.tuned.label)}: " if many else ""
            for study, reason in session.desk.failures():
                name = (printable(study.name), tones.strong)
                lines.append(Text.assemble(which, name, f": {label(study)}: {printable(reason, 400)}"))
        return [Text("Failed studies", tones.warning), *lines[:MOST], Text()] if lines else []


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
