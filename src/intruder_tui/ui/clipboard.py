"""Copying through the terminal: OSC 52 reaches the clipboard of the person, wherever the program runs."""

from __future__ import annotations

import os

from textual.app import App

SHOWN = 200
"""Characters of the first line that the notice repeats."""


def send(app: App[None], text: str) -> None:
    """Copy `text` and say so. No terminal acknowledges it, hence the words."""
    if not text:
        app.notify("Nothing to copy here.", markup=False)
        return
    app.copy_to_clipboard(text)
    first, *more = text.splitlines()
    said = first[:SHOWN] + (f" and {len(more)} more lines" if more else "")
    if "TMUX" in os.environ:
        said += "\ntmux passes it on with: set-option -g set-clipboard on"
    app.notify(said, title="Sent to the terminal's clipboard (OSC 52)", markup=False)
