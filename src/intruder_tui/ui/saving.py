"""What a snapshot holds: the view in front or the whole screen, its data, and a figure for papers.

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

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.session import Session
from intruder_tui.export.caption import caption, identity_document
from intruder_tui.export.figures import spectrum_figure, sweep_figure, update_figure
from intruder_tui.export.grids import heatmap_figure, map_figure
from intruder_tui.export.matches import matches_figure, vector_figure
from intruder_tui.export.matrix import matrix_document
from intruder_tui.export.pictures import PictureError, pictures, png
from intruder_tui.export.scalings import scaling_figure, tracks_figure
from intruder_tui.export.snapshot import stem
from intruder_tui.export.studies import scalings_csv, scalings_document, tracks_document
from intruder_tui.export.tables import matrix_csv
from intruder_tui.ui import subject as words
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.compare import comparison, comparison_view
from intruder_tui.views.heatmap import Heatmap
from intruder_tui.views.intruders import intruder_rows, intruder_table
from intruder_tui.views.map_picture import MapPicture
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.scalings import ScalingView
from intruder_tui.views.spectrum import Spectrum
from intruder_tui.views.sweep import SweepView
from intruder_tui.views.tracks import TracksView
from intruder_tui.views.update import update_view
from intruder_tui.views.vector import VectorPlot, profile

WIDTH = 100
LINES = 40
FIGURE = "_figure.svg"


def label(shown: Shown) -> str:
    """The files' name."""
    view = "vector" if shown.vector is not None else shown.view.value
    matrix = "" if shown.of_model else shown.one.name
    return stem(shown.scope.session.pairing.tuned.label, matrix, view)


def document(shown: Shown) -> dict[str, Any]:
    """The data, with definition and identities."""

    definition = shown.scope.definition
    if not shown.of_model:
        found = matrix_document(shown.scope.session, shown.one.name, definition)
        if shown.view is View.UPDATE and shown.scaling is not None:
            found["scalings"] = scalings_document(*shown.scaling, definition)
        return found
    found = identity_document(shown.scope.sessions, definition) | {
        "view": shown.view.value,
        "matrices": counts(shown.scope.sessions, shown.scope),
    }
    if shown.view is View.COMPARE and shown.followed:
        found["followed"] = tracks_document(shown.one.name, shown.followed, definition)
    return found


def picture(shown: Shown) -> RenderableType:
    """Title, the whole view, and what was found."""
    view = _drawn(shown)
    if shown.of_model:
        return view
    return Group(
        words.title(shown.one, shown.look), Text(), view, Text(), words.finding(shown.one, shown.look)
    )


def _drawn(shown: Shown) -> RenderableType:
    result, definition, glyphs = shown.one.result, shown.scope.definition, shown.look.glyphs
    colours = ColourMode.TRUECOLOR
    match shown.view:
        case View.SWEEP:
            return SweepView(*shown.sweeps, definition, colours, glyphs, LINES)
        case View.MAP:
            return MapPicture(shown.map, WIDTH, None, colours, glyphs, shown.look.colourmap)
        case View.COMPARE:
            compared = comparison(shown.scope.sessions, definition)
            table = comparison_view(compared, width=WIDTH, mode=colours, glyphs=glyphs)
            if not shown.followed:
                return table
            head = Text(f"{printable(shown.one.name)}: each intruder followed", shown.look.tones.strong)
            return Group(table, Text(), head, TracksView(shown.followed, definition, colours, glyphs))
    if result is None or not shown.one.viewable:
        return words.notice(shown.one, shown.look, "")
    match shown.view:
        case View.HEATMAP:
            return Heatmap(
                shown.fields,
                definition.k,
                definition.eps,
                colours,
                glyphs,
                LINES,
                shown.look.colourmap,
                shown.extent,
            )
        case View.INTRUDERS if shown.vector is not None:
            plotted = profile(result, shown.vector, definition, shown.whole_cosines)
            return VectorPlot(plotted, definition.eps, colours, glyphs, 24)
        case View.INTRUDERS:
            return intruder_table(
                result, definition, mode=colours, glyphs=glyphs, width=WIDTH, order=shown.order
            )
        case View.SPECTRUM:
            return Spectrum(result, definition, colours, glyphs, 30)
        case _:
            measures = update_view(result, width=WIDTH, mode=colours, glyphs=glyphs)
            if shown.scaling is None:
                return measures
            return Group(measures, Text(), ScalingView(*shown.scaling, definition, colours, glyphs))


def figure(shown: Shown) -> str | None:
    """The figure for papers; None where there is nothing to draw."""

    scope, result = shown.scope, shown.one.result
    if shown.of_model:
        sessions: Sequence[Session] = scope.sessions if shown.view is not View.MAP else [scope.session]
        head = caption(sessions, scope.definition)
    else:
        head = caption([scope.session], scope.definition, shown.one.name)
    try:
        match shown.view:
            case View.SWEEP:
                return sweep_figure(shown.sweeps[0], scope.definition, head)
            case View.MAP:
                return map_figure(shown.map, head, colourmap=shown.look.colourmap)
            case View.COMPARE:
                named = caption(scope.sessions, scope.definition, shown.one.name)
                return tracks_figure(shown.followed, scope.definition, named)
        if result is None or not shown.one.viewable:
            return None
        match shown.view:
            case View.HEATMAP:
                side = next(one for one in shown.fields if one.side is scope.definition.side)
                return heatmap_figure(
                    side, scope.definition, head, extent=shown.extent, colourmap=shown.look.colourmap
                )
            case View.INTRUDERS if shown.vector is not None:
                plotted = profile(result, shown.vector, scope.definition, shown.whole_cosines)
                return vector_figure(plotted, scope.definition, head)
            case View.INTRUDERS:
                return matches_figure(intruder_rows(result, scope.definition), scope.definition, head)
            case View.SPECTRUM:
                return spectrum_figure(result, scope.definition, head)
            case View.UPDATE if shown.scaling is not None:
                return scaling_figure(*shown.scaling, scope.definition, head)
            case View.UPDATE:
                return update_figure(result, head)
    except ValueError:  # the results hold nothing that the figure shows
        return None


def table(shown: Shown) -> str | None:
    """The intruder table, or the scalings in front, as CSV; None where there are none."""
    if shown.of_model or shown.one.result is None or not shown.one.viewable:
        return None
    if shown.view is View.UPDATE and shown.scaling is not None:
        return scalings_csv(shown.one.name, shown.scaling[0], shown.scope.definition)

    return matrix_csv(shown.one.name, shown.one.result, shown.scope.definition)


def contents(
    shown: Shown, screen: RenderableType | None, width: int, data: dict[str, Any]
) -> dict[str, str | bytes]:
    """The files by ending: of the view, or of the `screen` in its own `width`; for any thread.

    A PNG needs resvg-py; without it there is none.
    """
    title = f"{shown.scope.session.pairing.tuned.label} {shown.view.value}"

    drawn = pictures(
        picture(shown) if screen is None else screen,
        width=WIDTH if screen is None else width,
        title=title,
        document=data,
    )
    files: dict[str, str | bytes] = dict(drawn)
    if (rows := table(shown)) is not None:
        files["csv"] = rows
    if screen is None and (drawing := figure(shown)) is not None:
        files[FIGURE] = drawing
    with suppress(PictureError):
        files["png"] = png(drawn["svg"])
    return files


def screen_picture(strips: Sequence[Strip]) -> RenderableType:
    """The lines of a screen as a renderable."""
    segments: list[Segment] = []
    for strip in strips:
        segments += [*strip, Segment.line()]
    return Segments(segments)


def counts(sessions: Sequence[Session], scope: Scope) -> list[dict[str, Any]]:
    """Every matrix with its count per checkpoint; null where there is no answer."""
    return [
        {
            "name": row.name,
            "counts": [count.certain for count in row.counts],
            "undecided": [count.undecided for count in row.counts],
            "lowest_best_cosine_bounds": [None if c.lowest is None else list(c.lowest) for c in row.counts],
        }
        for row in comparison(sessions, scope.definition).rows
    ]
