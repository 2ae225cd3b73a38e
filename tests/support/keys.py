"""Every key that the interface binds, as Textual names it and as a terminal sends it."""

from __future__ import annotations

from textual.keys import REPLACED_KEYS, key_to_character

from intruder_tui.ui import IntruderApp
from intruder_tui.ui.keymap import places

LEAVING = frozenset({"quit", "interrupt", "suspend"})
"""Ids of the keys that end or stop the program."""
SEQUENCES = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "shift+up": "\x1b[1;2A",
    "shift+down": "\x1b[1;2B",
    "shift+right": "\x1b[1;2C",
    "shift+left": "\x1b[1;2D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "ctrl+home": "\x1b[1;5H",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "enter": "\r",
    "escape": "\x1b",
    "space": " ",
    "backspace": "\x7f",
    "ctrl+l": "\x0c",
    "ctrl+p": "\x10",
}
"""What terminals send for keys that are no characters."""
GENERAL = ("tab", "shift+tab", "space", "backspace", "ctrl+home")
"""Keys that work everywhere without being bound by us."""


def bound() -> list[str]:
    """The keys of all actions there are, and the general ones, each once; none that leaves the program."""
    everywhere = places(IntruderApp)
    leaving = {
        key for place in everywhere for name, keys in place.keys.items() if name in LEAVING for key in keys
    }
    ours = {key for place in everywhere for keys in place.keys.values() for key in keys}
    return sorted((ours | set(GENERAL)) - leaving)


def sent(key: str) -> str:
    """What a terminal sends for a key.

    Raises:
        KeyError: it is no character, and its sequence is not known here.
    """
    if key in SEQUENCES:
        return SEQUENCES[key]
    character = key_to_character(REPLACED_KEYS.get(key, key))
    if character is None:
        raise KeyError(key)
    return character
