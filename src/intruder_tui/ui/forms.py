"""Every view as what is kept of it: its picture, its data, its table, its figures for papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.export.caption import Caption, caption
from intruder_tui.export.compare import comparison_csv, comparison_document, series_figure
from intruder_tui.export.heatmap import heatmap_csv, heatmap_document, heatmap_figure, heatmap_grid
from intruder_tui.export.matches import matches_figure, vector_csv, vector_document, vector_figure
from intruder_tui.export.matrix import side_document, update_document
from intruder_tui.export.model_map import map_csv, map_document, map_figure
from intruder_tui.export.scalings import scaling_figure, tracks_figure
from intruder_tui.export.spectrum import SIGMAS, spectrum_csv, spectrum_document, spectrum_figure
from intruder_tui.export.studies import scalings_csv, scalings_document, tracks_document
from intruder_tui.export.sweep import sweep_csv, sweep_document, sweep_figure
from intruder_tui.export.tables import matrix_csv, tabbed
from intruder_tui.export.update import update_csv, update_figure
from intruder_tui.findings.comparison import Comparison
from intruder_tui.findings.intruders import intruder_rows
from intruder_tui.results import MatrixResult
from intruder_tui.ui import subject as words
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.compare import comparison_view
from intruder_tui.views.heatmap import Heatmap
from intruder_tui.views.intruders import MOST_ROWS, intruder_table
from intruder_tui.views.map_picture import MapPicture
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.scalings import ScalingView
from intruder_tui.views.series import SeriesView
from intruder_tui.views.spectrum import Spectrum
from intruder_tui.views.sweep import SweepView
from intruder_tui.views.tracks import TracksView
from intruder_tui.views.update import update_view
from intruder_tui.views.vector import VectorPlot, VectorProfile, profile

WIDTH = 100
LINES = 40
FIGURE = "_figure.svg"

Figure = Callable[[Shown, Caption], str]
"""Raises ValueError where the results hold nothing that it shows."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is kept of one view.

    Attributes:
        drawn: its picture, in colours or without.
        data: every number it plots, JSON-able.
        table: those as CSV; None where there are none.
        figures: for papers, by the end of the file's name.
        copied: the table, tab-separated, where all of `table` would be more than a clipboard should get.
    """

    drawn: Callable[[Shown, ColourMode], RenderableType]
    data: Callable[[Shown], dict[str, Any]]
    table: Callable[[Shown], str | None]
    figures: dict[str, Figure]
    copied: Callable[[Shown], str] | None = None


def form_of(shown: Shown) -> Form:
    """The form of the view in front."""
    if shown.view in OF_MODEL:
        return OF_MODEL[shown.view]
    if shown.one.result is None or not shown.one.viewable:
        return NOTICE
    return VECTOR if shown.vector is not None else OF_MATRIX[shown.view]


def _result(shown: Shown) -> MatrixResult:
    assert shown.one.result is not None, shown.one.name
    return shown.one.result


def _compared(shown: Shown) -> Comparison:
    assert shown.compared is not None, shown.view
    return shown.compared


def _profile(shown: Shown) -> VectorProfile:
    assert shown.vector is not None, shown.one.name
    return profile(_result(shown), shown.vector, shown.scope.definition, shown.whole_cosines)


def _heatmap(shown: Shown, mode: ColourMode) -> RenderableType:
    definition, look = shown.scope.definition, shown.look
    return Heatmap(
        shown.fields,
        definition.k,
        definition.eps,
        mode,
        look.glyphs,
        LINES,
        look.colourmap,
        shown.extent,
    )


def _heatmap_figure(shown: Shown, head: Caption) -> str:
    definition, colourmap = shown.scope.definition, shown.look.colourmap
    return heatmap_figure(shown.fields, definition, head, extent=shown.extent, colourmap=colourmap)


def _vector(shown: Shown, mode: ColourMode) -> RenderableType:
    return VectorPlot(_profile(shown), shown.scope.definition.eps, mode, shown.look.glyphs, 24)


def _vector_table(shown: Shown) -> str | None:
    return vector_csv(shown.one.name, _profile(shown), _result(shown), shown.scope.definition)


def _intruders(shown: Shown, mode: ColourMode) -> RenderableType:
    definition, glyphs = shown.scope.definition, shown.look.glyphs
    return intruder_table(
        _result(shown), definition, mode=mode, glyphs=glyphs, width=WIDTH, order=shown.order
    )


def _spectrum(shown: Shown, mode: ColourMode) -> RenderableType:
    return Spectrum(_result(shown), shown.scope.definition, mode, shown.look.glyphs, 30)


def _spectrum_table(shown: Shown) -> str:
    return spectrum_csv(shown.one.name, _result(shown), shown.scope.definition)


def _update(shown: Shown, mode: ColourMode) -> RenderableType:
    measures = update_view(_result(shown), width=WIDTH, mode=mode, glyphs=shown.look.glyphs)
    if shown.scaling is None:
        return measures
    view = ScalingView(*shown.scaling, shown.scope.definition, mode, shown.look.glyphs)
    return Group(measures, Text(), view)


def _update_data(shown: Shown) -> dict[str, Any]:
    data = update_document(_result(shown).update)
    if shown.scaling is not None:
        data["scalings"] = scalings_document(*shown.scaling, shown.scope.definition)
    return data


def _update_table(shown: Shown) -> str:
    """The measures, or what the slider shows once that is known."""
    if shown.scaling is None:
        return update_csv(shown.one.name, _result(shown))
    return scalings_csv(shown.one.name, shown.scaling[0], shown.scope.definition)


def _update_figure(shown: Shown, head: Caption) -> str:
    if shown.scaling is None:
        return update_figure(_result(shown), head)
    return scaling_figure(*shown.scaling, shown.scope.definition, head)


def _sweep(shown: Shown, mode: ColourMode) -> RenderableType:
    return SweepView(*shown.sweeps, shown.scope.definition, mode, shown.look.glyphs, LINES)


def _sweep_data(shown: Shown) -> dict[str, Any]:
    over_eps, over_k = (sweep_document(sweeps) for sweeps in shown.sweeps)
    return {"of": _swept(shown) or None, "over_eps": over_eps, "over_k": over_k}


def _sweep_table(shown: Shown) -> str | None:
    curves = [sweep for sweeps in shown.sweeps for sweep in sweeps]
    return sweep_csv(_swept(shown), curves, shown.scope.definition) if curves else None


def _swept(shown: Shown) -> str:
    """The matrix; empty for whole checkpoints."""
    return "" if shown.whole else shown.one.name


def _map(shown: Shown, mode: ColourMode) -> RenderableType:
    return MapPicture(shown.map, WIDTH, None, mode, shown.look.glyphs, shown.look.colourmap)


def _compare(shown: Shown, mode: ColourMode) -> RenderableType:
    definition, glyphs = shown.scope.definition, shown.look.glyphs
    parts = [comparison_view(_compared(shown), width=WIDTH, mode=mode, glyphs=glyphs)]
    name, strong = printable(short_name(shown.one.name)), shown.look.tones.strong
    for of, steps in zip((name, "all matrices"), shown.series, strict=True):
        if steps:
            parts += [Text(), Text(f"{of} over the training steps", strong)]
            parts.append(SeriesView(steps, definition, mode, glyphs, len(steps) + 24))
    if shown.followed:
        parts += [Text(), Text(f"{name}: each intruder followed", strong)]
        parts.append(TracksView(shown.followed, definition, mode, glyphs))
    return Group(*parts)


def _compare_data(shown: Shown) -> dict[str, Any]:
    data = comparison_document(_compared(shown), shown.series)
    if shown.followed:
        data["followed"] = tracks_document(shown.one.name, shown.followed, shown.scope.definition)
    return data


def _series_figure(shown: Shown, head: Caption) -> str:
    return series_figure(short_name(shown.one.name), shown.series, shown.scope.definition, head)


def _tracks_figure(shown: Shown, head: Caption) -> str:
    named = caption(shown.scope.sessions, shown.scope.definition, shown.one.name)
    return tracks_figure(shown.followed, shown.scope.definition, named)


NOTICE = Form(lambda shown, mode: words.notice(shown.one, shown.look, ""), lambda _: {}, lambda _: None, {})
"""Of a matrix that has nothing to show, or no answer yet."""
VECTOR = Form(
    _vector,
    lambda shown: vector_document(_profile(shown)),
    _vector_table,
    {FIGURE: lambda shown, head: vector_figure(_profile(shown), shown.scope.definition, head)},
    lambda shown: tabbed(_vector_table(shown) or "", ("j", "i", "cosine", "sigma_base")),
)
OF_MATRIX = {
    View.HEATMAP: Form(
        _heatmap,
        lambda shown: heatmap_document(shown.fields, shown.scope.definition, shown.extent),
        lambda shown: heatmap_csv(shown.one.name, shown.fields, shown.scope.definition, shown.extent),
        {FIGURE: _heatmap_figure},
        lambda shown: tabbed(heatmap_grid(shown.fields, shown.scope.definition, shown.extent)),
    ),
    View.INTRUDERS: Form(
        _intruders,
        lambda shown: side_document(_result(shown), shown.scope.definition.side, shown.scope.definition),
        lambda shown: matrix_csv(shown.one.name, _result(shown), shown.scope.definition),
        {
            FIGURE: lambda shown, head: matches_figure(
                intruder_rows(_result(shown), shown.scope.definition, MOST_ROWS), shown.scope.definition, head
            )
        },
    ),
    View.SPECTRUM: Form(
        _spectrum,
        lambda shown: spectrum_document(_result(shown), shown.scope.definition),
        _spectrum_table,
        {FIGURE: lambda shown, head: spectrum_figure(_result(shown), shown.scope.definition, head)},
        lambda shown: tabbed(_spectrum_table(shown), ("j", *SIGMAS, "intruder")),
    ),
    View.UPDATE: Form(_update, _update_data, _update_table, {FIGURE: _update_figure}),
}
OF_MODEL = {
    View.SWEEP: Form(
        _sweep,
        _sweep_data,
        _sweep_table,
        {
            FIGURE: lambda shown, head: sweep_figure(shown.sweeps[0], shown.scope.definition, head),
            "_k_figure.svg": lambda shown, head: sweep_figure(shown.sweeps[1], shown.scope.definition, head),
        },
    ),
    View.MAP: Form(
        _map,
        lambda shown: map_document(shown.map),
        lambda shown: map_csv(shown.map, shown.scope.definition),
        {FIGURE: lambda shown, head: map_figure(shown.map, head, colourmap=shown.look.colourmap)},
    ),
    View.COMPARE: Form(
        _compare,
        _compare_data,
        lambda shown: comparison_csv(_compared(shown), shown.series[1], shown.scope.definition),
        {FIGURE: _series_figure, "_followed_figure.svg": _tracks_figure},
    ),
}
"""They stand whatever the selected matrix's state."""
