"""The main screen's keys, and which of them the footer shows. Ids make them remappable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding
from textual.keys import format_key
from textual.screen import Screen

from intruder_tui.ui.keymap import Place

MAIN: tuple[Binding, ...] = (
    # At once, before the key travels through the widgets: what is typed behind it is the filter's already.
    Binding("slash", "filter", "Filter the tree", key_display="/", priority=True, id="filter"),
    Binding("escape", "back", "Clear the filter, close the drawer or the vector", show=False, id="back"),
    Binding("n", "next_intruder(1)", "Next matrix with intruders", id="next-intruder"),
    Binding("N", "next_intruder(-1)", "Previous matrix with intruders", id="previous-intruder"),
    Binding("left_square_bracket", "eps(-1)", "Lower eps", key_display="[", id="eps-down"),
    Binding("right_square_bracket", "eps(1)", "Raise eps", key_display="]", id="eps-up"),
    Binding("minus", "k(-1)", "Lower k", key_display="-", id="k-down"),
    Binding("plus,equals_sign", "k(1)", "Raise k", key_display="+", id="k-up"),
    Binding("u", "side", "Switch between U and V", id="side"),
    Binding("o", "order", "Next order of the tree", id="order"),
    Binding("O", "renew", "Take order and filter of the tree anew", show=False, id="renew"),
    Binding("x", "mark", "Mark the matrix, or take the mark off", id="mark"),
    Binding("X", "next_marked(1)", "Next marked matrix", show=False, id="next-marked"),
    Binding("M", "copy_marked", "Copy the marked matrices", show=False, id="copy-marked"),
    Binding("less_than_sign", "visited(-1)", "Back to the matrix before", key_display="<", id="visit-back"),
    Binding(
        "greater_than_sign", "visited(1)", "Forward again", key_display=">", show=False, id="visit-forward"
    ),
    Binding("a", "scan", "Analyse all matrices (Compare: of every checkpoint), or stop", id="scan"),
    Binding("p", "pause", "Pause the scan, or go on", show=False, id="pause"),
    Binding("1", "view(0)", "Heatmap", show=False, id="view.heatmap"),
    Binding("2", "view(1)", "Intruders", show=False, id="view.intruders"),
    Binding("3", "view(2)", "Spectrum", show=False, id="view.spectrum"),
    Binding("4", "view(3)", "Update", show=False, id="view.update"),
    Binding("5", "view(4)", "Sweep", show=False, id="view.sweep"),
    Binding("6", "view(5)", "Map", show=False, id="view.map"),
    Binding("7", "view(6)", "Compare", show=False, id="view.compare"),
    Binding("v", "next_view", "Next view", id="next-view"),
    Binding("m", "measure", "Map: another measure; Sweep: matrix or all", id="measure"),
    Binding("c", "next_tuned", "Next tuned checkpoint", id="next-tuned"),
    Binding("y", "copy", "Copy what the cursor is on, or the sentence below the view", id="copy"),
    Binding(
        "C",
        "copy_sentence",
        "Copy the whole sentence below the view, also what no line was left for",
        show=False,
        id="copy-sentence",
    ),
    Binding("Y", "copy_table", "Copy the numbers of the view as a table", id="copy-table"),
    Binding("b", "drawer", "Show or hide the tree", id="tree"),
)

HINTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("help",), "help"),
    (("quit",), "quit"),
    (("next-intruder",), "next intruder"),
    (("scan",), "scan all"),
    (("eps-down", "eps-up"), "{eps}"),
    (("k-down", "k-up"), "k"),
    (("filter",), "filter"),
    (("commands",), "find"),
    (("side",), "side"),
    (("next-view",), "view"),
    (("snapshot",), "snapshot"),
    (("copy",), "copy"),
    (("order",), "order"),
    (("mark",), "mark"),
    (("visit-back", "visit-forward"), "visited"),
    (("tree",), "tree"),
    (("next-tuned",), "next tuned"),
)
"""Binding ids and what they do, the most needed first; the line shows them in the order of ORDER."""
ORDER = (
    "next-intruder",
    "filter",
    "order",
    "mark",
    "visit-back",
    "commands",
    "scan",
    "eps-down",
    "k-down",
    "side",
    "next-view",
    "tree",
    "next-tuned",
    "snapshot",
    "copy",
    "help",
    "quit",
)

SYMBOLS = "↑↓←→⌫⏎"
"""What Textual writes for keys that have names."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An action as the help tells it: its keys as they are written, what it does, its binding's id."""

    keys: str
    words: str
    id: str


def shown_keys(screen: Screen[Any]) -> list[Shown]:
    """Every action with an id that can be used on a screen now, with all of its keys."""
    keys: dict[str, list[str]] = {}
    words: dict[str, str] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.id and binding.description and active.enabled:
            known = keys.setdefault(binding.id, [])
            key = binding.key_display or format_key(binding.key)
            if key not in known:
                known.append(key)
            words[binding.id] = binding.description
    return [Shown(" ".join(keys[name]), words[name], name) for name in keys]


def in_force(screen: Screen[Any]) -> dict[str, str]:
    """The first key of every action, by its id."""
    return {one.id: one.keys.split(" ")[0] for one in shown_keys(screen)}


def every_key(known: Iterable[Place], keymap: Mapping[str, str]) -> dict[str, str]:
    """The first key of every action there is, by its id, as words name it: whatever has the focus."""
    defaults = {name: keys[0] for place in known for name, keys in place.keys.items()}
    return {name: spelled(keymap.get(name, key).split(",")[0]) for name, key in defaults.items()}


def spelled(key: str) -> str:
    """A key as a sentence names it: "W", "?", "enter", "left", "f5", "^n"."""
    shown = format_key(key)
    return shown if "+" in key or (len(shown) == 1 and shown not in SYMBOLS) else key


def at_start(key: str) -> str:
    """A key at the start of a sentence: "W", "Enter"."""
    return key if len(key) == 1 else key[0].upper() + key[1:]
