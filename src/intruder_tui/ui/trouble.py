"""What went wrong: a line on the screen, and in the log all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.app import App

from intruder_tui.engine.log import note, note_trace


def tell_unused(app: App[None], log: Path | None, troubles: Sequence[str], key: str) -> None:
    """What of the settings could not be used: a line each in the log, the first of them here.

    `key` shows the log.
    """
    for words in troubles:
        note(log, words)
    if troubles:
        more = f"\nand {len(troubles) - 1} more" if len(troubles) > 1 else ""
        where = f"; {key} shows the log" if more and log else ""
        app.notify(
            f"{troubles[0]}{more}{where}", title="Not used", severity="warning", markup=False, timeout=10
        )


def tell_unsaved(app: App[None], log: Path | None, error: Exception, key: str) -> None:
    """Something unforeseen kept files from being written; `key` shows the log."""
    note_trace(log, "saving failed", error)
    words = f"{type(error).__name__}: {error}\n{key} shows the log."
    app.notify(words, title="Not saved", severity="error", markup=False)


def last_words(log: Path | None, error: BaseException) -> Text:
    """Log why the interface can't go on; the line that is left on the terminal."""
    note_trace(log, "the interface failed", error)
    where = f"the trace is in {log}" if log else "nothing is logged"
    return Text(f"intruder-tui: internal error: {type(error).__name__}: {error}; {where}")
