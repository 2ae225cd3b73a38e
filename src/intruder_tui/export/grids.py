"""Figures for papers, cells: the similarity heatmap and the model map, with a colour bar."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition, Verdict
from intruder_tui.export.axes import SMALL, Scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.figures import headed
from intruder_tui.export.svg import ACCENT, FAINT, INK, QUIET, Svg, colour, text_width
from intruder_tui.views import numbers
from intruder_tui.views.extent import Extent, leading
from intruder_tui.views.field import Field
from intruder_tui.views.model_map import Cell, Measure, ModelMap
from intruder_tui.views.painter import column_marks
from intruder_tui.views.palette import oklab, srgb

MOST_CELLS = 96
"""Along an edge of the heatmap; more are pooled by maximum."""
THIN = 4.0
"""Columns narrower than this are marked beneath the map: an outline would hide them."""
BAR = 10.0
_LEVELS = 64


def heatmap_figure(
    field: Field,
    definition: Definition,
    caption: Caption,
    *,
    extent: Extent | None = None,
    colourmap: str = "viridis",
) -> str:
    """A window of |cos| (None: the leading k x k), rows base, columns tuned; intruder columns outlined, eps
    on the colour bar.

    Raises:
        ValueError: only bounds are known, so there is no similarity to draw.
    """
    known = min(definition.k, field.reach)
    if not known:
        raise ValueError("only bounds are known: no similarities to draw")
    window = (extent or leading(known, field.size)).within(field.size)
    cells = field.cells(window, MOST_CELLS, MOST_CELLS)
    rows, columns = cells.shape
    size = 232.0 / rows
    left, top, edge = 54.0, 62.0, 232.0
    svg = Svg(left + edge + 74, top + edge + 42)
    headed(svg, caption, svg.width - 28)
    if cells.pooled:
        note = f"maximum over {window.span} × {window.span} cosines in {rows} × {columns} cells"
        svg.text(svg.width - 14, 31, note, size=7, anchor="end", fill=QUIET)
    _runs(svg, cells.values, left, top, size, colourmap)
    svg.rect(left, top, edge, edge, stroke=INK, stroke_width=0.7)
    for column, verdict in enumerate(column_marks(field, definition.k, definition.eps, cells)):
        x = left + column * size
        if verdict is Verdict.INTRUDER and size < THIN:
            middle = x + size / 2
            svg.line(
                (middle, top + edge + 2),
                (middle, top + edge + 8),
                stroke=ACCENT,
                stroke_width=max(1, size / 2),
            )
        elif verdict is Verdict.INTRUDER:
            svg.rect(x, top - 2, size, edge + 4, stroke=ACCENT, stroke_width=max(0.6, min(1.6, size / 6)))
        elif verdict is not None and verdict.open:
            svg.text(x + size / 2, top - 4, "~", size=SMALL, anchor="middle", fill=QUIET)
    step = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200) if n * size >= 16 or n >= rows)
    for place in range(0, rows, step):
        middle = (place + 0.5) * size
        svg.text(left - 4, top + middle + 2.8, str(int(cells.row_edges[place])), size=7, anchor="end")
        svg.text(left + middle, top - 6, str(int(cells.column_edges[place])), size=7, anchor="middle")
    svg.text(left + edge / 2, top - 18, "tuned singular vector j", anchor="middle")
    svg.text(left - 28, top + edge / 2, "base singular vector i", anchor="middle", upright=True)
    if size < THIN:
        svg.line((left + 4, top + edge + 18), (left + 4, top + edge + 25), stroke=ACCENT, stroke_width=1.6)
    else:
        svg.rect(left, top + edge + 16, 8, 9, stroke=ACCENT, stroke_width=1.2)
    svg.text(
        left + 13,
        top + edge + 24,
        f"intruder dimension: best |cos| < {definition.eps:.2f}",
        size=SMALL,
        fill=QUIET,
    )
    _bar(svg, left + edge + 16, top, edge, Scale(0, 1), "|cos|", colourmap, mark=definition.eps)
    return svg.render(f"Similarity heatmap: {caption.title}", caption.document)


def map_figure(one: ModelMap, caption: Caption, *, colourmap: str = "viridis") -> str:
    """Module types by layers, the measure as colour and number; grey cells have no value.

    Raises:
        ValueError: the map has no cell.
    """
    names = [*one.modules, *(name for name, _ in one.others)]
    if not names:
        raise ValueError("no weight matrix to map")
    heads = one.layer_names()
    columns = max(1, len(one.layers))
    width = min(26.0, max(6.0, 460.0 / columns))
    height = 15.0
    left = 20 + max(text_width(printable(name, 40), SMALL) for name in names)
    top = 62.0
    many = bool(one.modules)
    svg = Svg(max(330.0, left + columns * width + 92), top + (len(names) + many) * height + 34)
    headed(svg, caption, svg.width - 28)
    everything = [*one.cells.values(), *(cell for _, cell in one.others)]
    known = [_shown(cell, one.measure) for cell in everything]
    values = [value for value in known if value is not None]
    scale = Scale(0, 1) if one.measure is Measure.LOWEST else Scale(0, max(values, default=0.0) or 1.0)
    whole = one.measure is Measure.COUNT
    for (row, column), cell in one.cells.items():
        _map_cell(
            svg,
            cell,
            one.measure,
            scale,
            (left + column * width, top + row * height),
            (width, height),
            colourmap,
        )
    for number, (_, cell) in enumerate(one.others):
        spot = (left, top + (len(one.modules) + many + number) * height)
        _map_cell(svg, cell, one.measure, scale, spot, (width, height), colourmap)
    for place, name in enumerate(names):
        row = place if place < len(one.modules) else place + many
        svg.text(left - 5, top + (row + 0.5) * height + 2.8, printable(name, 40), size=SMALL, anchor="end")
    step = max(1, -(-8 * len(str(columns)) // int(width)))
    for column in range(0, len(one.layers), step):
        x = left + (column + 0.5) * width
        first = column == 0 or one.layers[column][0] != one.layers[column - 1][0]
        svg.text(x, top - 5, heads[column] if first else str(one.layers[column][1]), size=7, anchor="middle")
    if many:
        svg.text(left + columns * width / 2, top - 16, "layer", anchor="middle")
        right = left + columns * width
        aggregate = {Measure.COUNT: "sum", Measure.LOWEST: "least"}.get(one.measure, "most")
        svg.text(right + 22, top - 5, aggregate, size=7, anchor="end", fill=QUIET)
        for row, cell in enumerate(one.by_module):
            y = top + (row + 0.5) * height + 2.8
            svg.text(right + 22, y, _number(cell, one.measure), size=7, anchor="end", fill=QUIET)
        y = top + (len(one.modules) + 0.5) * height + 1
        svg.text(left - 5, y, aggregate, size=7, anchor="end", fill=QUIET)
        for column, cell in enumerate(one.by_layer):
            text = _number(cell, one.measure)
            if _fits(text, width):
                svg.text(left + (column + 0.5) * width, y, text, size=7, anchor="middle", fill=QUIET)
        svg.text(right + 22, y, _number(one.total, one.measure), size=7, anchor="end", font_weight="bold")
    bar = max(60.0, len(one.modules) * height)
    tall = Scale(scale.low, scale.high, whole=whole)
    _bar(
        svg,
        left + columns * width + 34,
        top,
        bar,
        tall,
        str(one.measure),
        colourmap,
        flipped=one.measure is Measure.LOWEST,
    )
    return svg.render(f"Model map: {caption.title}", caption.document)


def _runs(
    svg: Svg, values: NDArray[np.float32], left: float, top: float, size: float, colourmap: str
) -> None:
    """Cells of equal colour that touch in a row are one rectangle."""
    levels = np.where(np.isnan(values), -1, np.round(np.nan_to_num(values) * (_LEVELS - 1))).astype(int)
    fills = [colour(rgb) for rgb in srgb(np.linspace(0, 1, _LEVELS), colourmap)]
    runs: dict[int, list[tuple[float, float, float, float]]] = {}
    for row, line in enumerate(levels):
        edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
        for first, end in pairwise(edges):
            run = (left + first * size, top + row * size, left + end * size, top + (row + 1) * size)
            runs.setdefault(int(line[first]), []).append(run)
    for level, cells in sorted(runs.items()):
        svg.cells(cells, fill=FAINT if level < 0 else fills[level])


def _bar(
    svg: Svg,
    left: float,
    top: float,
    height: float,
    scale: Scale,
    name: str,
    colourmap: str,
    *,
    mark: float | None = None,
    flipped: bool = False,
) -> None:
    """A colour bar with ticks; `mark` is a threshold on it; a flipped one is brightest at its low end."""
    for step in range(_LEVELS):
        place = (step + 0.5) / _LEVELS
        rgb = srgb(np.array([1 - place if flipped else place]), colourmap)[0]
        y = top + height * (1 - (step + 1) / _LEVELS)
        svg.rect(left, y, BAR, height / _LEVELS + 0.2, fill=colour(rgb), shape_rendering="crispEdges")
    svg.rect(left, top, BAR, height, stroke=INK, stroke_width=0.6)
    for value, text in scale.ticks(6):
        y = top + height * (1 - scale.at(value))
        svg.line((left + BAR, y), (left + BAR + 3, y), stroke_width=0.7)
        svg.text(left + BAR + 5, y + 2.6, text, size=7)
    if mark is not None:
        y = top + height * (1 - scale.at(mark))
        svg.line((left - 3, y), (left + BAR + 3, y), stroke=ACCENT, stroke_width=1.2)
        svg.text(left - 4, y + 2.6, "ε", size=7, anchor="end", fill=ACCENT)
    svg.text(left + BAR + 34, top + height / 2, name, size=SMALL, anchor="middle", upright=True)


def _map_cell(
    svg: Svg,
    cell: Cell,
    measure: Measure,
    scale: Scale,
    spot: tuple[float, float],
    size: tuple[float, float],
    colourmap: str,
) -> None:
    value = _shown(cell, measure)
    x, y = spot
    width, height = size
    text = _number(cell, measure)
    if value is None:
        svg.rect(x, y, width, height, fill="#f2f2f2", stroke="#ffffff", stroke_width=0.8)
        ink = QUIET
    else:
        place = scale.at(value)
        rgb = srgb(np.array([1 - place if measure is Measure.LOWEST else place]), colourmap)[0]
        svg.rect(x, y, width, height, fill=colour(rgb), stroke="#ffffff", stroke_width=0.8)
        ink = "#000000" if oklab(rgb)[0] > 0.6 else "#ffffff"
    if _fits(text, width):
        svg.text(x + width / 2, y + height / 2 + 2.6, text, size=7, anchor="middle", fill=ink)


def _fits(text: str, width: float) -> bool:
    return text_width(text.replace("%", "%%"), 7) <= width  # a percent sign is two digits wide


def _shown(cell: Cell, measure: Measure) -> float | None:
    """The value that a cell's colour stands for; None where there is none. An unchanged matrix has none."""
    if cell.unchanged:
        return None
    return cell.high if measure is Measure.LOWEST else cell.low


def _number(cell: Cell, measure: Measure) -> str:
    low, high = cell.low, cell.high
    if cell.unchanged:
        return "="
    if low is None or high is None:
        return "!" if cell.failed else "·"
    match measure:
        case Measure.COUNT:
            if high == 0 and cell.missing:
                return "·"
            return f"{low:.0f}{'~' if high > low else ''}"
        case Measure.LOWEST:
            return f"{'≤' if low < high else ''}{high:.2f}".replace("0.", ".", 1)
        case Measure.RELATIVE:
            return numbers.percent(low).replace(" ", "")
        case _:
            return f"{low:.0f}" if low >= 10 else f"{low:.1f}"
