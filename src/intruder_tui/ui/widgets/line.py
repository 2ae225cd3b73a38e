"""Lines of text that repaint only when they say something new."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text
from textual import events
from textual.widgets import Static


def fitted(text: Text, width: int, lines: int, ellipsis: str) -> Text:
    """`text` wrapped to `width` and `lines`: whole sentences are left out from the end until the rest fits.

    An ellipsis stands for them. Facts behind three spaces or a new line are left out as well, without a sign.
    A first sentence that is too long alone is cut between two words, behind an ellipsis. A number stays on
    the line of the word before it.
    """
    if width < 4 or lines < 1:
        return text
    wrapped = _wrapped(text, width)
    if len(wrapped) <= lines:
        return text if len(wrapped) < 2 else Text("\n").join(wrapped)
    for end in reversed([match.end() for match in _SENTENCE.finditer(text.plain)]):
        kept = text[:end]
        if kept.plain.endswith("."):
            kept.append(f"{_GLUE}{ellipsis}")
        whole = _wrapped(kept, width)
        if len(whole) <= lines:
            return Text("\n").join(whole)
    last = wrapped[lines - 1]
    last.rstrip()
    room = width - len(ellipsis) - 1
    if last.cell_len > room:
        between = last.plain.rfind(" ", 0, room + 1)
        last.truncate(between if between > 0 else room)
    last.rstrip()
    last.append(f" {ellipsis}")
    return Text("\n").join(wrapped[:lines])


def _wrapped(text: Text, width: int) -> list[Text]:
    whole = text.copy()
    whole.plain = _BEFORE_NUMBER.sub(_GLUE, text.plain)  # as long as before: the styles stay in place
    wrapped = list(whole.wrap(_WRAPPER, width))
    for line in wrapped:
        line.plain = line.plain.replace(_GLUE, " ")
        line.rstrip()
    return wrapped


_GLUE = "\ue000"
"""One cell wide, no space, and in no text: names are escaped before they are shown."""
_BEFORE_NUMBER = re.compile(r"(?<=\S) (?=[0-9])")
_SENTENCE = re.compile(r"\.(?=\s)|\S(?=   |\n)")
_WRAPPER = Console(width=80, color_system=None, file=None)


class Line(Static):
    """A Static for one rich Text at a time, fitted to its size; the same text again writes nothing."""

    def __init__(self, *, id: str | None = None, ellipsis: str = "…") -> None:
        super().__init__("", id=id, markup=False)
        self._ellipsis = ellipsis
        self._said: Text | None = None
        self._painted: Text | None = None

    @property
    def text(self) -> str:
        """What it says, in full."""
        return self._said.plain if self._said else ""

    def show(self, text: Text) -> None:
        """Say `text`."""
        self._said = text
        size = self.content_size
        painted = fitted(text, size.width, size.height, self._ellipsis)
        before = self._painted
        if before is None or before.plain != painted.plain or before.spans != painted.spans:
            self._painted = painted
            self.update(painted, layout=False)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the text anew."""
        if self._said is not None:
            self.show(self._said)
