"""Keys that a person wants for actions, checked against every binding there is, for `App.set_keymap`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import REPLACED_KEYS, Keys, format_key, key_to_character
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from intruder_tui.checkpoint.names import printable

PACKAGE = "intruder_tui.ui."
MODIFIERS = frozenset({"ctrl", "shift", "alt", "super", "hyper", "meta"})
SAME_AS = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+j": "enter", "ctrl+m": "enter"}
"""Keys that terminals send as others."""
_NAMED = frozenset(key.value for key in Keys)


class BadKeyError(ValueError):
    """Something that is no key; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """A class with bindings: the keys of each id, the keys that it takes without one, and where it lives.

    `where` is "base" for the app and the main screen, "pane" for what is on it, "sheet" for what is over it.
    Keys of the base meet those of every pane; panes do not meet each other.
    """

    owner: type[DOMNode]
    where: str
    keys: Mapping[str, tuple[str, ...]]
    fixed: frozenset[str]

    def meets(self, other: Place) -> bool:
        """Whether a key press may reach both."""
        if self is other or "base" in (self.where, other.where):
            return "sheet" not in (self.where, other.where) or self.where == other.where
        return self.where == other.where == "sheet"


def places(app: type[App[None]]) -> list[Place]:
    """Every class of the interface that has bindings."""
    found: list[Place] = []
    for owner in (app, *_ours(Widget)):
        keys: dict[str, tuple[str, ...]] = {}
        fixed: set[str] = set()
        for binding in _bindings(owner):
            if binding.id:
                keys[binding.id] = (*keys.get(binding.id, ()), binding.key)
            else:
                fixed.add(binding.key)
        if keys:
            found.append(Place(owner, _where(owner), keys, frozenset(fixed)))
    return found


def _ours(root: type[DOMNode]) -> Iterator[type[DOMNode]]:
    for owner in root.__subclasses__():
        if owner.__module__.startswith(PACKAGE) and "BINDINGS" in vars(owner):
            yield owner
        yield from _ours(owner)


def _bindings(owner: type[DOMNode]) -> Iterator[Binding]:
    """Its own and inherited bindings; a key that is bound anew hides the inherited binding."""
    taken: set[str] = set()
    for one in owner.__mro__:
        own = list(Binding.make_bindings(vars(one).get("BINDINGS", ())))
        yield from (binding for binding in own if binding.key not in taken)
        taken.update(binding.key for binding in own)


def _where(owner: type[DOMNode]) -> str:
    if ".screens." not in owner.__module__:
        return "base" if issubclass(owner, App) else "pane"
    over = issubclass(owner, ModalScreen) or not issubclass(owner, Screen)
    return "sheet" if over else "base"


def checked(wanted: Mapping[str, object], known: Iterable[Place]) -> tuple[dict[str, str], list[str]]:
    """The keymap of those entries that can be used, and why the others can't, a line each.

    An entry that would take the key of another action is left out; two entries may swap their keys.
    """
    known = list(known)
    troubles: list[str] = []
    keymap: dict[str, tuple[str, ...]] = {}
    ids = {name for place in known for name in place.keys}
    for name, value in wanted.items():
        if name not in ids:
            if isinstance(value, dict) and value:  # TOML takes an unquoted dot for a table in a table
                inner = printable(f"{name}.{next(iter(value))}")
                troubles.append(f'[keys] {inner}: write an id with a dot in quotes, "{inner}" = ...')
                continue
            near = ", ".join(sorted(one for one in ids if name and one.startswith(name[:3]))[:4])
            troubles.append(f"[keys] {printable(name)}: no such action{f'; near it {near}' if near else ''}")
            continue
        try:
            keymap[name] = _keys(value)
        except BadKeyError as error:
            troubles.append(f"[keys] {name}: {error}")
    while (clash := _clash(keymap, known)) is not None:
        name, key, other = clash
        del keymap[name]
        troubles.append(f"[keys] {name}: {format_key(key)} is taken by {other}; its own key stays")
    return {name: ",".join(keys) for name, keys in keymap.items()}, troubles


def _clash(keymap: dict[str, tuple[str, ...]], known: list[Place]) -> tuple[str, str, str] | None:
    """The last entry that wants a key which another action has: its id, the key, the other."""
    for name in reversed(keymap):
        for place in known:
            if name not in place.keys:
                continue
            for key in keymap[name]:
                if key in place.keys[name]:
                    continue  # its own key as it was: what meets it was meant to
                for other in known:
                    if not place.meets(other):
                        continue
                    if key in other.fixed:
                        return name, key, f"the {getattr(other.owner, 'HELP_NAME', None) or 'program'} itself"
                    for one, default in other.keys.items():
                        if one != name and key in keymap.get(one, default):
                            return name, key, one
    return None


def _keys(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else [value]
    keys: list[str] = []
    for part in parts:
        if not isinstance(part, str):
            raise BadKeyError(f"{part!r} is not a key; write it in quotes")
        keys += [_key(part)] if len(part) == 1 else [_key(one.strip()) for one in part.split(",")]
    if not keys:
        raise BadKeyError("no key is given")
    return tuple(dict.fromkeys(keys))


def _normal(character: str) -> str:
    """A character's name as a key: what Textual makes of it in a binding."""
    if character == ",":
        return "comma"
    (binding,) = Binding.make_bindings([Binding(character, "")])
    return binding.key


def _key(word: str) -> str:
    """A key as Textual names it: "x", "question_mark", "ctrl+n"."""
    if len(word) == 1:
        if not word.isprintable() or word.isspace():
            raise BadKeyError(f"{word!r} is not a key")
        return _normal(word)
    *modifiers, last = word.split("+")
    modifiers = sorted(one.strip().lower() for one in modifiers)
    last = last.strip().lower() if modifiers or len(last) > 1 else last
    last = _normal(last) if len(last) == 1 else last
    if modifiers == ["shift"] and len(last) == 1 and last.isalpha():
        return last.upper()
    key = "+".join([*modifiers, last])
    if key in SAME_AS:
        raise BadKeyError(f"terminals send {key} as {SAME_AS[key]}")
    known = last in _NAMED or key_to_character(REPLACED_KEYS.get(last, last)) is not None
    if not known or not set(modifiers) <= MODIFIERS:
        raise BadKeyError(f"{printable(word)} is not a key")
    return key
