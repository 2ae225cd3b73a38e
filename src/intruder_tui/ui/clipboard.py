"""Copying through the terminal: OSC 52 reaches the clipboard of the person, wherever the program runs."""

from __future__ import annotations

import os

from textual.app import App

from intruder_tui.views.numbers import plural

TAB = "\t"
SHOWN = 200
"""Characters of the first line that the notice repeats."""


def told(text: str) -> str:
    """What a notice says of a copied text: how much of a table, else its first line."""
    first, *more = text.splitlines()
    if more and TAB in first:
        return f"Copied {plural(len(more), 'row')} of {plural(first.count(TAB) + 1, 'column')}."
    return first[:SHOWN].replace(TAB, "  ") + (f" and {plural(len(more), 'more line')}" if more else "")


def send(app: App[None], text: str) -> None:
    """Copy `text` and say so. No terminal acknowledges it, hence the words."""
    if not text:
        app.notify("Nothing to copy here.", markup=False)
        return
    app.copy_to_clipboard(text)
    said = told(text)
    if "TMUX" in os.environ:
        said += "\ntmux passes it on with: set-option -g set-clipboard on"
    app.notify(said, title="Sent to the terminal's clipboard (OSC 52)", markup=False)
