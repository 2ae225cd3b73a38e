"""The views, and one line with their names."""

from __future__ import annotations

from enum import StrEnum

from rich.text import Text
from textual import events

from intruder_tui.ui.look import Look
from intruder_tui.ui.widgets.line import Line


class View(StrEnum):
    """The views, in the order of their tabs; the last three need no analysed matrix."""

    HEATMAP = "Heatmap"
    INTRUDERS = "Intruders"
    SPECTRUM = "Spectrum"
    UPDATE = "Update"
    SWEEP = "Sweep"
    MAP = "Map"
    COMPARE = "Compare"


PAGES = {
    View.HEATMAP: "heatmap",
    View.INTRUDERS: "intruders",
    View.SPECTRUM: "spectrum",
    View.UPDATE: "update",
    View.SWEEP: "sweep",
    View.MAP: "modelmap",
    View.COMPARE: "compare",
}
"""The page of each view, by its id."""

VECTOR = "vector"
"""The page that a row of the table opens."""

TARGETS = {
    **{page: page for page in (*PAGES.values(), VECTOR)},
    "heatmap": "map",
    "intruders": "table",
    "modelmap": "modelgrid",
}
"""The widget of each page that takes keys."""


def tabs_text(view: View, look: Look, width: int) -> Text:
    """All names, the active one marked; on a narrow line only the active one and its number."""
    views = list(View)
    text = Text(no_wrap=True)
    if sum(len(v) + 5 for v in views) > width:
        text.append(f"{views.index(view) + 1}/{len(views)} ", look.tones.muted)
        text.append(view.value, look.tones.active)
        return text
    for place, one in enumerate(views, start=1):
        text.append("   " if place > 1 else "")
        text.append(f"{place} ", look.tones.muted)
        text.append(one.value, look.tones.active if one is view else look.tones.muted)
    return text


class ViewTabs(Line):
    """Shows which view is in front."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="tabs", ellipsis=look.glyphs.ellipsis)
        self._look = look
        self._view = View.HEATMAP

    def tell(self, view: View) -> None:
        """Mark another view as the one in front."""
        self._view = view
        if self.size.width:
            self.show(tabs_text(view, self._look, self.size.width))

    def on_resize(self, event: events.Resize) -> None:
        """Fit the line anew."""
        self.tell(self._view)
