"""The footer: the keys that matter here, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.widgets import Input

from intruder_tui.checkpoint.names import printable
from intruder_tui.ui.filtering import NOT, PREFIX, STATES
from intruder_tui.ui.keys import HINTS, ORDER, in_force
from intruder_tui.ui.look import Look
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.tree import LayerTree

FILTER_HINTS = (
    ("", "enter", "keep"),
    ("", PREFIX, " ".join(STATES)),
    ("", f"{NOT}word", "not"),
    ("", "words", "are regular expressions"),
)


TO_VIEW, TO_TREE = "tab.view", "tab.tree"
"""Stand-ins for ids: the key is Textual's, and leads on from the tree or from a view."""
PANE_HINTS: tuple[tuple[tuple[str, ...], str], ...] = (
    ((TO_VIEW,), "to the view"),
    ((TO_TREE,), "to the tree"),
    (("tree.enter",), "analyse"),
    (("notice.enter",), "analyse"),
    (("map.in", "map.out"), "zoom"),
    (("map.enter",), "next column"),
    (("map.whole",), "whole"),
    (("map.both",), "U and V"),
    (("map.compute",), "compute"),
    (("table.enter",), "vector"),
    (("table.sort", "table.sort-back"), "sort"),
    (("table.reverse",), "reverse"),
    (("vector.previous", "vector.next"), "vector"),
    (("vector.close",), "back"),
    (("vector.compute",), "compute"),
    (("update.smaller", "update.larger"), "scaling"),
    (("update.ask",), "compute"),
    (("sweep.share",), "k / q"),
    (("model.enter",), "go there"),
    (("compare.enter",), "go there"),
    (("compare.follow",), "follow"),
)
"""Keys of the pane in focus, which is the only one whose keys are in force; the most needed first."""
ALWAYS = 2
"""The first hints, help and quit, come before any pane's."""


class FooterLine(Line):
    """Shows keys by binding id, so that a remapped key is shown as it is now."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="footer", ellipsis=look.glyphs.ellipsis)
        self._look = look
        self._stopping: frozenset[str] = frozenset()

    def stop(self, ids: frozenset[str]) -> None:
        """The keys of these bindings would now stop what they have asked for."""
        if ids != self._stopping:
            self._stopping = ids
            self.tell()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the line anew."""
        self.tell()

    def tell(self, trouble: str = "") -> None:
        """Show the keys in force; while the filter is written, how it is, or what is wrong with it."""
        if not isinstance(self.screen.focused, Input):
            self.show(footer_text(self._keys(), self._look, self.size.width, self._stopping))
        elif trouble:
            text = Text(f"{printable(trouble)}; the filter before it stays", self._look.tones.warning)
            self.show(text)
        else:
            clear = ("", self._look.keys["back"], "clear")
            self.show(_joined((FILTER_HINTS[0], clear, *FILTER_HINTS[1:]), self._look))

    def _keys(self) -> dict[str, str]:
        """The keys in force, and the one that leads to the next pane, where there is one."""
        # As sentences spell them: Textual's signs for enter and the arrows are no ASCII.
        keys = {name: self._look.keys.get(name, key) for name, key in in_force(self.screen).items()}
        if len(self.screen.focus_chain) > 1:
            keys[TO_VIEW if isinstance(self.screen.focused, LayerTree) else TO_TREE] = "tab"
        return keys


def footer_text(keys: dict[str, str], look: Look, width: int, stopping: frozenset[str] = frozenset()) -> Text:
    """The hints that fit into `width`, chosen by need, shown in reading order.

    `keys` are those in force, by their bindings' ids: of a pane's own keys only those of the one in focus.
    Those in `stopping` stop what they would start at another time.
    """
    chosen: list[tuple[str, str, str]] = []
    used = 0
    for ids, words in (*HINTS[:ALWAYS], *PANE_HINTS, *HINTS[ALWAYS:]):
        shown = [look.written(keys[one]) for one in ids if one in keys]
        if len(shown) != len(ids):
            continue
        label = "stop" if ids[0] in stopping else words.format(eps=look.glyphs.eps)
        size = cell_len(" ".join(shown)) + 1 + cell_len(label)
        if used + size > width:
            continue
        used += size + 3
        chosen.append((ids[0], " ".join(shown), label))
    order = [*(ids[0] for ids, _ in PANE_HINTS), *ORDER]
    chosen.sort(key=lambda hint: order.index(hint[0]))
    return _joined(chosen, look)


def _joined(hints: Sequence[tuple[str, str, str]], look: Look) -> Text:
    text = Text(no_wrap=True)
    for place, (_, key, label) in enumerate(hints):
        text.append("   " if place else "")
        text.append(key, look.tones.strong)
        text.append(f" {label}", look.tones.muted)
    return text
