"""What a snapshot holds: the view in front or the whole screen, its data, and figures for papers.

Imported when something is saved: the first frame does not wait for the writers.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rich.console import Group, RenderableType
from rich.segment import Segment, Segments
from rich.text import Text
from textual.strip import Strip

from intruder_tui.export.caption import Caption, caption, identity_document
from intruder_tui.export.matrix import matrix_document
from intruder_tui.export.pictures import PictureError, pictures, png
from intruder_tui.export.snapshot import stem
from intruder_tui.export.tables import tabbed
from intruder_tui.ui import subject as words
from intruder_tui.ui.forms import WIDTH, form_of
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.palette import ColourMode


def label(shown: Shown) -> str:
    """The files' name."""
    view = "vector" if shown.vector is not None else shown.view.value
    matrix = "" if shown.of_model else shown.one.name
    return stem(shown.scope.session.pairing.tuned.label, matrix, view)


def document(shown: Shown) -> dict[str, Any]:
    """The data of the view, `shown`, with definition and identities; of a matrix with its result."""
    scope = shown.scope
    if shown.of_model:
        sessions = [scope.session] if shown.view is View.MAP else scope.sessions
        found = identity_document(sessions, scope.definition)
    else:
        found = matrix_document(scope.session, shown.one.name, shown.one.result, scope.definition)
    view = "Vector" if shown.vector is not None else shown.view.value
    return found | {"view": view, "shown": form_of(shown).data(shown)}


def picture(shown: Shown, mode: ColourMode) -> RenderableType:
    """Title, the whole view, and what was found."""
    view = form_of(shown).drawn(shown, mode)
    if shown.of_model:
        return view
    return Group(
        words.title(shown.one, shown.look), Text(), view, Text(), words.finding(shown.one, shown.look)
    )


def figures(shown: Shown) -> dict[str, str]:
    """The figures for papers by the end of their names; without those that have nothing to draw."""
    head, drawn = _caption(shown), {}
    for ending, figure in form_of(shown).figures.items():
        with suppress(ValueError):  # the results hold nothing that the figure shows
            drawn[ending] = figure(shown, head)
    return drawn


def tab_separated(shown: Shown) -> str:
    """The numbers of the view as tab-separated text; empty where there are none."""
    form = form_of(shown)
    return tabbed(form.table(shown) or "") if form.copied is None else form.copied(shown)


def contents(
    shown: Shown, screen: RenderableType | None, width: int, data: dict[str, Any]
) -> dict[str, str | bytes]:
    """The files by ending: of the view, or of the `screen` in its own `width`; for any thread.

    A PNG needs resvg-py; without it there is none.
    """
    drawn = pictures(
        picture(shown, ColourMode.TRUECOLOR) if screen is None else screen,
        plain=picture(shown, ColourMode.NONE) if screen is None else None,
        width=WIDTH if screen is None else width,
        title=f"{shown.scope.session.pairing.tuned.label} {shown.view.value}",
        document=data,
    )
    files: dict[str, str | bytes] = dict(drawn)
    if (rows := form_of(shown).table(shown)) is not None:
        files["csv"] = rows
    if screen is None:
        files |= figures(shown)
    with suppress(PictureError):
        files["png"] = png(drawn["svg"])
    return files


def screen_picture(strips: Sequence[Strip]) -> RenderableType:
    """The lines of a screen as a renderable."""
    segments: list[Segment] = []
    for strip in strips:
        segments += [*strip, Segment.line()]
    return Segments(segments)


def _caption(shown: Shown) -> Caption:
    scope = shown.scope
    if not shown.of_model:
        sessions = scope.sessions if shown.view is View.SWEEP else [scope.session]
        return caption(sessions, scope.definition, shown.one.name)
    return caption([scope.session] if shown.view is View.MAP else scope.sessions, scope.definition)
