"""The sweeps for papers and as data: the count over eps, k or k / q, a curve per checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.export.axes import Entry, Frame, Scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.page import DASHES, frame_below, page
from intruder_tui.export.svg import ACCENT, QUIET, Point, colour
from intruder_tui.export.tables import csv_text
from intruder_tui.findings.sweep import Axis, Sweep
from intruder_tui.views.palette import srgb
from intruder_tui.views.sweep import count_text, cut

COLUMNS = (
    "checkpoint",
    "of",
    "side",
    "k",
    "eps",
    "axis",
    "at",
    "intruders",
    "intruders_possible",
    "matrices",
)


def sweep_figure(sweeps: Sequence[Sweep], definition: Definition, caption: Caption) -> str:
    """Counts over eps, k or k / q, a curve per checkpoint; the band holds what bounds leave undecided.

    Raises:
        ValueError: no sweeps, or sweeps along different axes.
    """
    axes = {sweep.axis for sweep in sweeps}
    if len(axes) != 1:
        raise ValueError(f"{len(sweeps)} sweeps along {len(axes)} axes; a figure has one")
    axis = axes.pop()
    tint = [colour(rgb) for rgb in srgb(np.linspace(0.05, 0.8, max(2, len(sweeps))), "viridis")]
    setting = {Axis.EPS: definition.eps, Axis.K: float(definition.k), Axis.SHARE: None}[axis]
    entries = []
    for number, sweep in enumerate(sweeps):
        name = printable(sweep.label, 40)
        if setting is not None:
            name += f" ({count_text(*sweep.value(setting))})"
        entries.append(Entry(name, tint[number], DASHES[number % len(DASHES)]))
    if any((sweep.possible > sweep.certain).any() for sweep in sweeps):
        entries.append(Entry("undecided", QUIET, patch=True))
    if setting is not None:
        text = f"ε = {definition.eps:.2f}" if axis is Axis.EPS else f"k = {definition.k}"
        entries.append(Entry(text, ACCENT, "3 2"))
    svg, first_line = page(caption, entries)
    top = cut(sweeps, definition) if axis is Axis.EPS else None
    highest = top or max(1, *(int(sweep.possible.max(initial=0)) for sweep in sweeps))
    start = 0.0 if axis is not Axis.K else 1.0
    end = max(float(sweep.at[-1]) for sweep in sweeps)
    across = Scale(start, max(end, start + 1) if axis is Axis.K else end, whole=axis is Axis.K)
    frame = frame_below(first_line, across, Scale(0, highest, whole=True))
    name = {
        Axis.EPS: "similarity threshold ε",
        Axis.K: "examined vectors k",
        Axis.SHARE: "share of vectors k / q",
    }[axis]
    frame.draw(svg, name, "intruder dimensions")
    svg.open_clip(frame.left, frame.top, frame.width + 1, frame.height + 1)
    for number, sweep in enumerate(sweeps):
        low = _stairs(frame, sweep.at, sweep.certain)
        high = _stairs(frame, sweep.at, sweep.possible)
        if (sweep.possible > sweep.certain).any():
            svg.area([*low, *reversed(high)], fill=tint[number], fill_opacity=0.2)
    if setting is not None:
        x = frame.spot(setting, 0)[0]
        svg.line((x, frame.top), (x, frame.bottom), stroke=ACCENT, stroke_width=0.9, stroke_dasharray="3 2")
    for number, sweep in enumerate(sweeps):
        svg.path(
            _stairs(frame, sweep.at, sweep.certain),
            stroke=tint[number],
            stroke_width=1.4,
            stroke_dasharray=DASHES[number % len(DASHES)],
        )
    svg.close()
    if top is not None:
        svg.text(frame.right, frame.top - 4, f"cut above {top}", size=7, anchor="end", fill=QUIET)
    return svg.render(f"Sweep: {caption.title}", caption.document)


def sweep_document(sweeps: Sequence[Sweep]) -> list[dict[str, Any]]:
    """Every curve with all its points; certain intruders, and those with the ones that may be."""
    return [
        {
            "checkpoint": sweep.label,
            "axis": sweep.axis.value,
            "at": sweep.at.tolist(),
            "intruders": sweep.certain.tolist(),
            "intruders_possible": sweep.possible.tolist(),
            "matrices": sweep.matrices,
        }
        for sweep in sweeps
    ]


def sweep_csv(of: str, sweeps: Sequence[Sweep], definition: Definition) -> str:
    """A line for every point of every curve. `of` names the matrix; empty for whole checkpoints.

    What an axis varies has no value in its own column of the setting.
    """
    setting = {"of": of, "side": str(definition.side)}
    return csv_text(
        COLUMNS,
        (
            setting
            | {
                "checkpoint": sweep.label,
                "k": definition.k if sweep.axis is Axis.EPS else None,
                "eps": definition.eps if sweep.axis is not Axis.EPS else None,
                "axis": sweep.axis.value,
                "at": float(at),
                "intruders": int(certain),
                "intruders_possible": int(possible),
                "matrices": sweep.matrices,
            }
            for sweep in sweeps
            for at, certain, possible in zip(sweep.at, sweep.certain, sweep.possible, strict=True)
        ),
    )


def _stairs(frame: Frame, at: np.ndarray, counts: np.ndarray) -> list[Point]:
    """A count that holds until the next x, as corners; corners on a straight line are left out."""
    points: list[Point] = []
    before: int | None = None
    for x, count in zip(at, counts, strict=True):
        if before is not None and count != before:
            points.append(frame.spot(float(x), float(before)))
        if before is None or count != before:
            points.append(frame.spot(float(x), float(count)))
        before = int(count)
    if before is not None:
        points.append(frame.spot(float(at[-1]), float(before)))
    return points
