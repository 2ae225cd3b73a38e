"""Checkpoints beside each other, for papers and as data: counts per matrix, and the series over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.export.axes import Entry, Frame, Scale, legend
from intruder_tui.export.caption import Caption
from intruder_tui.export.page import LEFT, RIGHT, WIDTH, headed
from intruder_tui.export.svg import ACCENT, INK, QUIET, Svg
from intruder_tui.export.tables import csv_text
from intruder_tui.findings.comparison import EVERYTHING, ComparedRow, Comparison, Count
from intruder_tui.findings.series import Step, positions

PANEL = 150.0
"""Height of a plot of the series, in points."""
COLUMNS = (
    "matrix",
    "checkpoint",
    "step",
    "side",
    "k",
    "eps",
    "intruders",
    "undecided",
    "lowest_best_cosine_lower",
    "lowest_best_cosine_upper",
    "state",
)


def comparison_document(one: Comparison, series: tuple[Sequence[Step], Sequence[Step]]) -> dict[str, Any]:
    """Counts per checkpoint, of every matrix and in total; the series where the steps are known.

    `series` is that of the selected matrix, and of all matrices.
    """
    return {
        "checkpoints": list(one.labels),
        "matrices": [_row(row) for row in one.rows],
        "total": _row(one.everything)
        | {
            "analysed": [total.answered for total in one.totals],
            "matrices": [total.matrices for total in one.totals],
        },
        "series": {
            name: [_step(step) for step in steps]
            for name, steps in zip(("matrix", "all_matrices"), series, strict=True)
        },
    }


def comparison_csv(one: Comparison, steps: Sequence[Step], definition: Definition) -> str:
    """A line for every matrix and checkpoint, the sums over all matrices first.

    `steps` are those of any series: they say which training step a checkpoint is.
    """
    setting = {"side": str(definition.side), "k": definition.k, "eps": definition.eps}
    step = {known.label: known.step for known in steps}
    lines = []
    for row in (one.everything, *one.rows):
        for label, count in zip(one.labels, row.counts, strict=True):
            lower, upper = count.lowest or (None, None)
            lines.append(
                setting
                | {
                    "matrix": row.name,
                    "checkpoint": label,
                    "step": step.get(label),
                    "intruders": count.certain,
                    "undecided": None if count.certain is None else count.undecided,
                    "lowest_best_cosine_lower": lower,
                    "lowest_best_cosine_upper": upper,
                    "state": _state(count),
                }
            )
    return csv_text(COLUMNS, lines)


def series_figure(
    name: str, series: tuple[Sequence[Step], Sequence[Step]], definition: Definition, caption: Caption
) -> str:
    """The lowest best |cos| over the steps, of matrix `name` and of all; below it the count of each.

    Raises:
        ValueError: fewer than two steps are analysed.
    """
    shown = [(words, steps) for words, steps in zip((name, EVERYTHING), series, strict=True) if _known(steps)]
    if not shown:
        raise ValueError("a series needs two analysed steps")
    styles = [(ACCENT, "none"), (INK, "5 2.5")][-len(shown) :]
    entries = [Entry(printable(words, 60), *style) for (words, _), style in zip(shown, styles, strict=True)]
    band = any((s.possible or 0) > (s.certain or 0) for _, steps in shown for s in steps)
    entries += [Entry("undecided", QUIET, patch=True)] if band else []
    entries.append(Entry(f"ε = {definition.eps:.2f}", QUIET, "3 2"))
    svg = Svg(WIDTH, 80 + (len(shown) + 1) * (PANEL + 44))
    top = legend(svg, entries, 14, headed(svg, caption, WIDTH - 28) + 15, WIDTH - 28) + 14
    places = [positions(steps) for _, steps in shown]
    axis = "training step" if places[0] == [float(step.step or 0) for step in shown[0][1]] else "checkpoint"
    across = Scale(min(min(x) for x in places), max(max(x) for x in places), whole=True)
    frame = Frame(LEFT, top, WIDTH - LEFT - RIGHT, PANEL, across, Scale(0, 1))
    frame.draw(svg, axis, "lowest best |cos|")
    svg.line(
        frame.spot(across.low, definition.eps),
        frame.spot(across.high, definition.eps),
        stroke=QUIET,
        stroke_width=0.9,
        stroke_dasharray="3 2",
    )
    for (_, steps), x, style in zip(shown, places, styles, strict=True):
        values = [None if step.lowest is None else step.lowest.upper for step in steps]
        _curve(svg, frame, x, values, style)
    for number, ((words, steps), x, style) in enumerate(zip(shown, places, styles, strict=True), 1):
        most = max(1, *(step.possible or 0 for step in steps))
        below = top + number * (PANEL + 44)
        frame = Frame(LEFT, below, WIDTH - LEFT - RIGHT, PANEL, across, Scale(0, most, whole=True))
        frame.draw(svg, axis, "intruder dimensions")
        svg.text(frame.right, below - 4, printable(words, 60), size=7, anchor="end", fill=QUIET)
        answered = [
            (at, step.certain, step.possible)
            for at, step in zip(x, steps, strict=True)
            if step.certain is not None and step.possible is not None
        ]
        if any(high > low for _, low, high in answered):
            lower = [frame.spot(at, low) for at, low, _ in answered]
            upper = [frame.spot(at, high) for at, _, high in answered]
            svg.area([*lower, *reversed(upper)], fill=style[0], fill_opacity=0.2)
        _curve(svg, frame, x, [step.certain for step in steps], style)
    return svg.render(f"Series: {caption.title}", caption.document)


def _curve(
    svg: Svg, frame: Frame, x: Sequence[float], values: Sequence[float | None], style: tuple[str, str]
) -> None:
    points = [frame.spot(at, value) for at, value in zip(x, values, strict=True) if value is not None]
    svg.path(points, stroke=style[0], stroke_width=1.4, stroke_dasharray=style[1])
    for spot in points:
        svg.circle(spot, 2, fill=style[0])


def _known(steps: Sequence[Step]) -> bool:
    return sum(step.certain is not None for step in steps) > 1


def _step(step: Step) -> dict[str, Any]:
    """One step; JSON knows no infinity: the relative update of a base of zeros has no value."""
    norm = step.relative_norm
    return asdict(step) | {"relative_norm": norm if norm is not None and math.isfinite(norm) else None}


def _row(row: ComparedRow) -> dict[str, Any]:
    """One matrix; null where there is no answer."""
    return {
        "name": row.name,
        "counts": [count.certain for count in row.counts],
        "undecided": [count.undecided for count in row.counts],
        "lowest_best_cosine_bounds": [None if c.lowest is None else list(c.lowest) for c in row.counts],
        "states": [_state(count) for count in row.counts],
    }


def _state(count: Count) -> str:
    if count.failed or count.unchanged:
        return "failed" if count.failed else "unchanged"
    if count.partial:
        return "partly analysed"
    return "not analysed" if count.certain is None else "done"
