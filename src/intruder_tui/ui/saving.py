"""What a snapshot holds: the view in front or the whole screen, its data, and a figure for papers.

The writers are imported when something is saved: the first frame does not wait for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.segment import Segment, Segments
from rich.text import Text
from textual.strip import Strip

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.session import Session
from intruder_tui.export.caption import caption, identity_document
from intruder_tui.export.matrix import matrix_document
from intruder_tui.export.snapshot import stem
from intruder_tui.studies import Scalings
from intruder_tui.studycosines import Cosines
from intruder_tui.ui import subject as words
from intruder_tui.ui.look import Look
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.compare import comparison, comparison_view
from intruder_tui.views.extent import Extent
from intruder_tui.views.field import Field
from intruder_tui.views.heatmap import Heatmap
from intruder_tui.views.intruders import Order, intruder_rows, intruder_table
from intruder_tui.views.map_picture import MapPicture
from intruder_tui.views.model_map import ModelMap
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.scalings import ScalingView
from intruder_tui.views.spectrum import Spectrum
from intruder_tui.views.sweep import Sweep, SweepView
from intruder_tui.views.tracks import FollowedStep, TracksView
from intruder_tui.views.update import update_view
from intruder_tui.views.vector import VectorPlot, profile

WIDTH = 100
LINES = 40
FIGURE = "_figure.svg"


@dataclass(frozen=True, eq=False)
class Shown:
    """What the screen shows, gathered at once: nothing in it changes while the files are written.

    Attributes:
        one, scope: the selected matrix, and the open checkpoints.
        view, vector: the view in front, and the tuned vector whose plot is.
        map: the model map as it is.
        sweeps: the curves in front, over eps and over k.
        whole: whether those are of whole checkpoints.
        fields, extent: the heatmap's sides, and the window it shows.
        order: what the intruder table is sorted by.
        scaling: what is known at other scalings, and the slider's place; None where nothing is.
        followed: the matrix in every checkpoint; empty where nobody asked for its vectors.
    """

    one: Subject
    scope: Scope
    view: View
    vector: int | None
    map: ModelMap
    sweeps: tuple[Sequence[Sweep], Sequence[Sweep]]
    whole: bool
    fields: Sequence[Field]
    extent: Extent
    order: Order
    scaling: tuple[Scalings, int] | None
    followed: Sequence[FollowedStep]
    look: Look

    @property
    def label(self) -> str:
        """The files' name."""
        view = "vector" if self.vector is not None else self.view.value
        matrix = "" if self.of_model else self.one.name
        return stem(self.scope.session.pairing.tuned.label, matrix, view)

    @property
    def of_model(self) -> bool:
        """Whether it shows whole checkpoints rather than a matrix."""
        return self.view in (View.MAP, View.COMPARE) or (self.view is View.SWEEP and self.whole)

    def document(self) -> dict[str, Any]:
        """The data, with definition and identities."""
        from intruder_tui.export.studies import scalings_document, tracks_document

        definition = self.scope.definition
        if not self.of_model:
            found = matrix_document(self.scope.session, self.one.name, definition)
            if self.view is View.UPDATE and self.scaling is not None:
                found["scalings"] = scalings_document(*self.scaling, definition)
            return found
        found = identity_document(self.scope.sessions, definition) | {
            "view": self.view.value,
            "matrices": counts(self.scope.sessions, self.scope),
        }
        if self.view is View.COMPARE and self.followed:
            found["followed"] = tracks_document(self.one.name, self.followed, definition)
        return found

    def picture(self) -> RenderableType:
        """Title, the whole view, and what was found."""
        view = self._view()
        if self.of_model:
            return view
        return Group(
            words.title(self.one, self.look), Text(), view, Text(), words.finding(self.one, self.look)
        )

    def _view(self) -> RenderableType:
        result, definition, glyphs = self.one.result, self.scope.definition, self.look.glyphs
        colours = ColourMode.TRUECOLOR
        match self.view:
            case View.SWEEP:
                return SweepView(*self.sweeps, definition, colours, glyphs, LINES)
            case View.MAP:
                return MapPicture(self.map, WIDTH, None, colours, glyphs)
            case View.COMPARE:
                compared = comparison(self.scope.sessions, definition)
                table = comparison_view(compared, width=WIDTH, mode=colours, glyphs=glyphs)
                if not self.followed:
                    return table
                head = Text(f"{printable(self.one.name)}: each intruder followed", self.look.tones.strong)
                return Group(table, Text(), head, TracksView(self.followed, definition, colours, glyphs))
        if result is None or not self.one.viewable:
            return words.notice(self.one, self.look, "")
        match self.view:
            case View.HEATMAP:
                return Heatmap(
                    self.fields, definition.k, definition.eps, colours, glyphs, LINES, extent=self.extent
                )
            case View.INTRUDERS if self.vector is not None:
                shown = profile(result, self.vector, definition, self.whole_cosines)
                return VectorPlot(shown, definition.eps, colours, glyphs, 24)
            case View.INTRUDERS:
                return intruder_table(
                    result, definition, mode=colours, glyphs=glyphs, width=WIDTH, order=self.order
                )
            case View.SPECTRUM:
                return Spectrum(result, definition, colours, glyphs, 30)
            case _:
                measures = update_view(result, width=WIDTH, mode=colours, glyphs=glyphs)
                if self.scaling is None:
                    return measures
                return Group(measures, Text(), ScalingView(*self.scaling, definition, colours, glyphs))

    @property
    def whole_cosines(self) -> Cosines | None:
        """Every cosine of the side in force, where they are known."""
        side = self.scope.definition.side
        return next((one.whole for one in self.fields if one.side is side), None)

    def figure(self) -> str | None:
        """The figure for papers; None where there is nothing to draw."""
        from intruder_tui.export.figures import spectrum_figure, sweep_figure, update_figure
        from intruder_tui.export.grids import heatmap_figure, map_figure
        from intruder_tui.export.matches import matches_figure, vector_figure
        from intruder_tui.export.scalings import scaling_figure, tracks_figure

        scope, result = self.scope, self.one.result
        if self.of_model:
            sessions: Sequence[Session] = scope.sessions if self.view is not View.MAP else [scope.session]
            head = caption(sessions, scope.definition)
        else:
            head = caption([scope.session], scope.definition, self.one.name)
        try:
            match self.view:
                case View.SWEEP:
                    return sweep_figure(self.sweeps[0], scope.definition, head)
                case View.MAP:
                    return map_figure(self.map, head)
                case View.COMPARE:
                    named = caption(scope.sessions, scope.definition, self.one.name)
                    return tracks_figure(self.followed, scope.definition, named)
            if result is None or not self.one.viewable:
                return None
            match self.view:
                case View.HEATMAP:
                    side = next(one for one in self.fields if one.side is scope.definition.side)
                    return heatmap_figure(side, scope.definition, head, extent=self.extent)
                case View.INTRUDERS if self.vector is not None:
                    shown = profile(result, self.vector, scope.definition, self.whole_cosines)
                    return vector_figure(shown, scope.definition, head)
                case View.INTRUDERS:
                    return matches_figure(intruder_rows(result, scope.definition), scope.definition, head)
                case View.SPECTRUM:
                    return spectrum_figure(result, scope.definition, head)
                case View.UPDATE if self.scaling is not None:
                    return scaling_figure(*self.scaling, scope.definition, head)
                case View.UPDATE:
                    return update_figure(result, head)
        except ValueError:  # the results hold nothing that the figure shows
            return None

    def table(self) -> str | None:
        """The intruder table, or the scalings in front, as CSV; None where there are none."""
        if self.of_model or self.one.result is None or not self.one.viewable:
            return None
        if self.view is View.UPDATE and self.scaling is not None:
            from intruder_tui.export.studies import scalings_csv

            return scalings_csv(self.one.name, self.scaling[0], self.scope.definition)
        from intruder_tui.export.tables import matrix_csv

        return matrix_csv(self.one.name, self.one.result, self.scope.definition)


def contents(
    shown: Shown, screen: RenderableType | None, width: int, data: dict[str, Any]
) -> dict[str, str | bytes]:
    """The files by ending: of the view, or of the `screen` in its own `width`; for any thread.

    A PNG needs resvg-py; without it there is none.
    """
    title = f"{shown.scope.session.pairing.tuned.label} {shown.view.value}"
    from intruder_tui.export.pictures import PictureError, pictures, png

    drawn = pictures(
        shown.picture() if screen is None else screen,
        width=WIDTH if screen is None else width,
        title=title,
        document=data,
    )
    files: dict[str, str | bytes] = dict(drawn)
    if (table := shown.table()) is not None:
        files["csv"] = table
    if screen is None and (figure := shown.figure()) is not None:
        files[FIGURE] = figure
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
