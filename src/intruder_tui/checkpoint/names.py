"""Tensor names and paths come from strangers: how they are shown, and how the tree splits them."""

from __future__ import annotations

import unicodedata

LONGEST_SHOWN = 160
"""Characters of a name that are shown; a longer one loses its middle."""
DEEPEST = 24
"""Components of a name that become levels of the tree; what lies deeper stays one component."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(name: str, longest: int = LONGEST_SHOWN) -> str:
    r"""One line that is safe on a terminal: control, bidirectional and invisible characters escaped.

    Escapes are Python's (`\x1b`, `\u202e`). A name longer than `longest` characters keeps both ends and says
    how long it is. The result is plain text: whoever hands it to rich must still turn markup off.
    """
    if len(name) > longest:
        half = max(longest // 2 - 12, 8)
        return f"{_escaped(name[:half])}…({len(name)} characters)…{_escaped(name[-half:])}"
    return _escaped(name)


def components(name: str, deepest: int = DEEPEST) -> tuple[str, ...]:
    """A name split at its dots into at most `deepest` components; joined by dots they give it back."""
    return tuple(name.split(".", deepest - 1))


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape for people: "4096 x 11008", "4096", "scalar"."""
    return " x ".join(map(str, shape)) if shape else "scalar"


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped_character, text))


def _escaped_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in _HIDDEN_CATEGORIES or (category == "Zs" and character != " "):
        return character.encode("unicode_escape").decode("ascii")
    return character
