"""The main screen's keys, and which of them the footer shows. Ids make them remappable."""

from __future__ import annotations

from textual.binding import Binding

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
    Binding("a", "scan", "Analyse all matrices, or stop", id="scan"),
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
    Binding("y", "copy", "Copy the value or row", id="copy"),
    Binding("Y", "copy_table", "Copy the intruder table", id="copy-table"),
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
    (("tree",), "tree"),
    (("next-tuned",), "next tuned"),
)
"""Binding ids and what they do, the most needed first; the line shows them in the order of ORDER."""
ORDER = (
    "next-intruder",
    "filter",
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
