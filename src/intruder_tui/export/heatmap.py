"""The similarity heatmap for papers and as data: the window in front, one side or both beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Definition, Verdict
from intruder_tui.export.axes import SMALL, Scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.colourbar import LEVELS, bar
from intruder_tui.export.page import headed
from intruder_tui.export.svg import ACCENT, FAINT, INK, QUIET, Svg, colour
from intruder_tui.export.tables import csv_text
from intruder_tui.views.extent import Extent, leading
from intruder_tui.views.field import Field, column_marks
from intruder_tui.views.grid import Edges, Grid
from intruder_tui.views.palette import srgb

MOST_CELLS = 96
"""Along an edge of the heatmap; more are pooled by maximum."""
THIN = 4.0
"""Columns narrower than this are marked beneath the map: an outline would hide them."""
EDGE = 232.0
"""Of a map, in points."""
LEFT, TOP = 54.0, 62.0
COLUMNS = (
    "matrix",
    "side",
    "k",
    "eps",
    "base_first",
    "base_last",
    "tuned_first",
    "tuned_last",
    "cosine",
)


def heatmap_figure(
    fields: Sequence[Field],
    definition: Definition,
    caption: Caption,
    *,
    extent: Extent | None = None,
    colourmap: str = "viridis",
) -> str:
    """A window of |cos| (None: the leading k x k), rows base, columns tuned; intruder columns outlined, eps
    on the colour bar. Both sides stand beside each other.

    Raises:
        ValueError: only bounds are known, so there is no similarity to draw.
    """
    grids = [shown_cells(field, definition.k, extent) for field in fields]
    step = LEFT + EDGE + 8
    svg = Svg(step * (len(fields) - 1) + LEFT + EDGE + 74, TOP + EDGE + 42)
    if len(fields) > 1:
        sides = " and ".join(str(field.side) for field in fields)
        setting = caption.setting.replace(f"side {definition.side}", f"sides {sides}", 1)
        caption = replace(caption, setting=setting)
    headed(svg, caption, svg.width - 28)
    if any(cells.pooled for cells in grids):
        rows, columns = grids[0].shape
        tall, wide = (int(edges[-1] - edges[0]) for edges in (grids[0].row_edges, grids[0].column_edges))
        note = f"maximum over {tall} × {wide} cosines in {rows} × {columns} cells"
        svg.text(svg.width - 14, 31, note, size=7, anchor="end", fill=QUIET)
    for place, (field, cells) in enumerate(zip(fields, grids, strict=True)):
        side = str(field.side) if len(fields) > 1 else ""
        _panel(svg, field, cells, definition, LEFT + place * step, side, colourmap)
    right = LEFT + step * (len(fields) - 1) + EDGE
    bar(svg, right + 16, TOP, EDGE, Scale(0, 1), "|cos|", colourmap, mark=definition.eps)
    return svg.render(f"Similarity heatmap: {caption.title}", caption.document)


def shown_cells(field: Field, k: int, extent: Extent | None) -> Grid:
    """The cells that the figure draws and that the data hold: at most `MOST_CELLS` along an edge.

    Raises:
        ValueError: only bounds are known, so there is no similarity to draw.
    """
    known = min(k, field.reach)
    if not known:
        raise ValueError("only bounds are known: no similarities to draw")
    return field.cells((extent or leading(known, field.size)).within(field.size), MOST_CELLS, MOST_CELLS)


def heatmap_document(
    fields: Sequence[Field], definition: Definition, extent: Extent | None = None
) -> dict[str, Any]:
    """The window with its cosines on every side in front, rows base, columns tuned.

    A cell covers the vectors from its edge to the one before the next edge, and holds the largest |cos| of
    them where that is more than one; null where not all of them are known.
    """
    sides: dict[str, dict[str, Any]] = {}
    for field in fields:
        if not field.reach:
            sides[field.side.value] = {"size": field.size, "known": 0, "cosines": None}
            continue
        cells = shown_cells(field, definition.k, extent)
        marks = column_marks(field, definition.k, definition.eps, cells)
        sides[field.side.value] = {
            "size": field.size,
            "known": field.reach,
            "pooled": "maximum" if cells.pooled else None,
            "base_edges": cells.row_edges.tolist(),
            "tuned_edges": cells.column_edges.tolist(),
            "verdict": [None if mark is None else mark.value for mark in marks],
            "cosines": [[_value(value) for value in row] for row in cells.values.tolist()],
        }
    return {"sides": sides}


def heatmap_csv(
    name: str, fields: Sequence[Field], definition: Definition, extent: Extent | None = None
) -> str | None:
    """A line for every cell of the window whose cosine is known; None where only bounds are.

    A cell that covers more than one base or tuned vector (first below last) holds the largest |cos| of them.
    """
    setting = {"matrix": name, "k": definition.k, "eps": definition.eps}
    lines = []
    for field in fields:
        if not field.reach:
            continue
        cells = shown_cells(field, definition.k, extent)
        rows, columns = (list(pairwise(edges.tolist())) for edges in (cells.row_edges, cells.column_edges))
        for (top, bottom), values in zip(rows, cells.values.tolist(), strict=True):
            lines += [
                setting
                | {
                    "side": str(field.side),
                    "base_first": top,
                    "base_last": bottom - 1,
                    "tuned_first": left,
                    "tuned_last": right - 1,
                    "cosine": value,
                }
                for (left, right), value in zip(columns, values, strict=True)
                if _value(value) is not None
            ]
    return csv_text(COLUMNS, lines) if lines else None


def heatmap_grid(fields: Sequence[Field], definition: Definition, extent: Extent | None = None) -> str:
    """The cells as CSV in rows and columns as they are drawn, short enough for a clipboard.

    A rank heads a row or column; a pooled one has the first and the last that it covers.
    """
    lines: list[list[str]] = []
    for field in fields:
        if not field.reach:
            continue
        cells = shown_cells(field, definition.k, extent)
        rows, columns = (_ranks(edges) for edges in (cells.row_edges, cells.column_edges))
        lines.append([f"side {field.side}: base by tuned", *columns])
        for name, values in zip(rows, cells.values.tolist(), strict=True):
            lines.append([name, *("" if np.isnan(value) else f"{value:.4f}" for value in values)])
    return "".join(",".join(line) + "\n" for line in lines)


def _ranks(edges: Edges) -> list[str]:
    return [str(low) if high == low + 1 else f"{low} to {high - 1}" for low, high in pairwise(edges.tolist())]


def _value(cosine: float) -> float | None:
    return None if np.isnan(cosine) else cosine


def _panel(
    svg: Svg, field: Field, cells: Grid, definition: Definition, left: float, side: str, colourmap: str
) -> None:
    """One side's map with its ranks, outlines and the words on them."""
    rows, columns = cells.shape
    size, top, edge = EDGE / max(rows, columns), TOP, EDGE
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
        y = top + (place + 0.5) * size + 2.8
        svg.text(left - 4, y, str(int(cells.row_edges[place])), size=7, anchor="end")
    for place in range(0, columns, step):
        x = left + (place + 0.5) * size
        svg.text(x, top - 6, str(int(cells.column_edges[place])), size=7, anchor="middle")
    ranks = f"tuned singular vector j, side {side}" if side else "tuned singular vector j"
    svg.text(left + edge / 2, top - 18, ranks, anchor="middle")
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


def _runs(
    svg: Svg, values: NDArray[np.float32], left: float, top: float, size: float, colourmap: str
) -> None:
    """Cells of equal colour that touch in a row are one rectangle."""
    levels = np.where(np.isnan(values), -1, np.round(np.nan_to_num(values) * (LEVELS - 1))).astype(int)
    fills = [colour(rgb) for rgb in srgb(np.linspace(0, 1, LEVELS), colourmap)]
    runs: dict[int, list[tuple[float, float, float, float]]] = {}
    for row, line in enumerate(levels):
        edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
        for first, end in pairwise(edges):
            run = (left + first * size, top + row * size, left + end * size, top + (row + 1) * size)
            runs.setdefault(int(line[first]), []).append(run)
    for level, cells in sorted(runs.items()):
        svg.cells(cells, fill=FAINT if level < 0 else fills[level])
