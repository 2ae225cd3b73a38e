"""The last signs that are not ASCII: those that rich and Textual draw by themselves."""

from __future__ import annotations

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

CELLS = str.maketrans(
    {"…": ".", "█": " ", "▇": " ", "▆": " ", "▅": " ", "▄": " ", "▃": " ", "▂": " ", "▁": " "}
)
"""One cell each: what is cut short by rich's columns, and parts of scroll bars that our own do not draw."""
WORDS = {"↑": "up", "↓": "down", "←": "left", "→": "right", "⏎": "enter", "␣": "space"}
"""Textual's signs for keys, in words."""


class PlainSigns(LineFilter):
    """Puts ASCII in the place of each of them, a cell for a cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line in ASCII, as far as it is ours."""
        return [
            segment
            if segment.text.isascii()
            else Segment(segment.text.translate(CELLS), segment.style, segment.control)
            for segment in segments
        ]


def in_words(keys: str) -> str:
    """Keys as they are written without signs for arrows."""
    for sign, word in WORDS.items():
        keys = keys.replace(sign, word)
    return keys
