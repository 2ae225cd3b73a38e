"""Copying through the terminal: OSC 52 reaches the clipboard of the person, wherever the program runs."""

from __future__ import annotations

import os

from textual.app import App

from intruder_tui.views.numbers import plural

TAB = "\t"
BRIEF = 2.0
"""Seconds for which a plain confirmation stands over the view."""
SHOWN = 200
"""Characters of the first line that the notice repeats."""


def told(text: str) -> str:
    """What a notice says of a copied text: how much of a table, else its first line."""
    first, *more = text.splitlines()
    if more and TAB in first:
        return f"Copied {plural(len(more), 'row')} of {plural(first.count(TAB) + 1, 'column')}."
    return first[:SHOWN].replace(TAB, "  ") + (f" and {plural(len(more), 'more line')}" if more else "")


class Clipboard:
    """The clipboard of the terminal."""

    def __init__(self) -> None:
        self._hinted = False

    def send(self, app: App[None], text: str, nothing: str = "Nothing to copy here.") -> None:
        """Copy `text` and say so, or say `nothing`. No terminal acknowledges it, hence the words.

        What tmux needs is said once.
        """
        if not text:
            app.notify(nothing, markup=False)
            return
        app.copy_to_clipboard(text)
        said, seconds = told(text), BRIEF
        if "TMUX" in os.environ and not self._hinted:
            self._hinted = True
            said += "\ntmux passes it on with: set-option -g set-clipboard on"
            seconds = app.NOTIFICATION_TIMEOUT
        app.notify(said, title="Sent to the terminal's clipboard (OSC 52)", markup=False, timeout=seconds)
