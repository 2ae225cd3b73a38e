"""The model map for papers and as data: module types by layers, the measure in front."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.export.axes import SMALL, Scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.colourbar import bar
from intruder_tui.export.page import headed
from intruder_tui.export.svg import QUIET, Svg, colour, text_width
from intruder_tui.export.tables import csv_text
from intruder_tui.findings.model_map import Cell, Measure, ModelMap
from intruder_tui.views import numbers
from intruder_tui.views.palette import oklab, srgb

COLUMNS = (
    "module",
    "stack",
    "layer",
    "matrices",
    "side",
    "k",
    "eps",
    "measure",
    "value",
    "lower",
    "upper",
    "state",
    "missing",
)


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
        aggregate = _aggregate(one.measure)
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
    tall = max(60.0, len(one.modules) * height)
    ticks = Scale(scale.low, scale.high, whole=whole)
    bar(
        svg,
        left + columns * width + 34,
        top,
        tall,
        ticks,
        str(one.measure),
        colourmap,
        flipped=one.measure is Measure.LOWEST,
    )
    return svg.render(f"Model map: {caption.title}", caption.document)


def map_document(one: ModelMap) -> dict[str, Any]:
    """The measure by name, and every cell with its value or bounds; sums, least or largest as drawn."""
    return {
        "measure": one.measure.value,
        "aggregate": _aggregate(one.measure),
        "cells": [
            {"module": module, "stack": stack, "layer": layer} | _cell(cell, one.measure)
            for module, stack, layer, cell in _placed(one)
        ],
        "by_module": [
            {"module": module} | _cell(cell, one.measure)
            for module, cell in zip(one.modules, one.by_module, strict=True)
        ],
        "by_layer": [
            {"stack": stack, "layer": layer} | _cell(cell, one.measure)
            for (stack, layer), cell in zip(one.layers, one.by_layer, strict=True)
        ],
        "total": _cell(one.total, one.measure),
    }


def map_csv(one: ModelMap, definition: Definition) -> str:
    """A line for every cell; one that stands for several matrices names them all, a blank between them."""
    setting = {
        "side": str(definition.side),
        "k": definition.k,
        "eps": definition.eps,
        "measure": one.measure.value,
    }
    lines = []
    for module, stack, layer, cell in _placed(one):
        data = _cell(cell, one.measure)
        lower, upper = data.pop("bounds") or (None, None)
        place = {"module": module, "stack": stack, "layer": layer}
        names = {"matrices": " ".join(data.pop("matrices"))}
        lines.append(place | setting | data | names | {"lower": lower, "upper": upper})
    return csv_text(COLUMNS, lines)


def _placed(one: ModelMap) -> list[tuple[str, str | None, int | None, Cell]]:
    """(module, stack, layer, cell) of every cell, by rows; those outside the layers last."""
    placed: list[tuple[str, str | None, int | None, Cell]] = [
        (one.modules[row], *one.layers[column], one.cells[row, column]) for row, column in sorted(one.cells)
    ]
    return [*placed, *((name, None, None, cell) for name, cell in one.others)]


def _cell(cell: Cell, measure: Measure) -> dict[str, Any]:
    low, high = _written(cell.low, measure), _written(cell.high, measure)
    state = "done"
    if cell.unchanged or cell.failed:
        state = "unchanged" if cell.unchanged else "failed"
    elif cell.missing:
        state = "waiting" if cell.waiting else "not analysed"
    return {
        "matrices": sorted(cell.names),
        "value": low if low == high else None,
        "bounds": None if low is None or high is None else [low, high],
        "state": state,
        "missing": cell.missing,
    }


def _written(value: float | None, measure: Measure) -> float | None:
    """A count is an integer."""
    finite = _finite(value)
    return int(finite) if finite is not None and measure is Measure.COUNT else finite


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity: the relative update of a base of zeros has no value."""
    return None if value is None or not math.isfinite(value) else value


def _aggregate(measure: Measure) -> str:
    return {Measure.COUNT: "sum", Measure.LOWEST: "least"}.get(measure, "most")


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
    return _finite(cell.high if measure is Measure.LOWEST else cell.low)


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
            return numbers.at_most(low, high).replace("0.", ".", 1)
        case Measure.RELATIVE:
            return numbers.percent(low).replace(" ", "")
        case _:
            return f"{low:.0f}" if low >= 10 else f"{low:.1f}"
