"""Figures for papers, best matches: every examined vector's best cosine, and one vector against the base."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from intruder_tui.definition import Definition, Verdict
from intruder_tui.export.axes import Entry, Frame, Scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.page import frame_below, page
from intruder_tui.export.svg import ACCENT, INK, QUIET, Point, Svg
from intruder_tui.export.tables import csv_text
from intruder_tui.findings.intruders import IntruderRow
from intruder_tui.results import MatrixResult
from intruder_tui.views.vector import VectorProfile

MOST_BARS = 600
"""More base vectors than this are drawn as the largest of several."""


def matches_figure(rows: Sequence[IntruderRow], definition: Definition, caption: Caption) -> str:
    """best(j) over rank j: a point for a value, a bar for an interval; eps and the random floor drawn across.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("no examined vector to draw")
    shown = sorted(rows, key=lambda row: row.j)
    found = any(row.verdict is Verdict.INTRUDER for row in shown)
    entries = [Entry("best match", INK, mark=True)]
    entries += [Entry("intruder dimension", ACCENT, mark=True)] if found else []
    entries += [Entry("interval", QUIET)] if any(row.lower < row.upper for row in shown) else []
    svg, top = page(caption, [*entries, *_levels(definition.eps, shown[0].floor)])
    last = max(shown[-1].j, 1)
    frame = frame_below(top, Scale(-0.5, last + 0.5, whole=True), Scale(0, 1))
    frame.draw(svg, "rank j of the tuned vector", "best |cos|")
    _across(svg, frame, definition.eps, shown[0].floor)
    for row in shown:
        tint = ACCENT if row.verdict is Verdict.INTRUDER else INK
        if row.lower < row.upper:
            svg.line(
                frame.spot(row.j, row.lower), frame.spot(row.j, row.upper), stroke=QUIET, stroke_width=1.4
            )
        else:
            svg.circle(frame.spot(row.j, row.lower), 2.6, fill=tint, stroke="#ffffff", stroke_width=0.6)
    return svg.render(f"Best matches: {caption.title}", caption.document)


def vector_figure(one: VectorProfile, definition: Definition, caption: Caption) -> str:
    """|cos| of one tuned vector with the base's vectors over their rank (Fig. 2c); the best match marked.

    Raises:
        ValueError: only bounds are known, so there is no cosine to draw.
    """
    count = len(one.cosines)
    if not count:
        raise ValueError("only bounds are known: no similarities to draw")
    step = -(-count // MOST_BARS)
    names = "|cos|" if step == 1 else f"|cos|, largest of {step}"
    entries = [Entry(names, INK)]
    inside = one.match is not None and one.match < count
    entries += [Entry(f"best match: base {one.match}", ACCENT, mark=True)] if inside else []
    facts = f"tuned vector {one.j}, {caption.setting}"
    if one.beyond:
        facts += f"; base vectors 0 to {count - 1} of {one.q}"
    svg, top = page(
        Caption(caption.title, facts, caption.document), [*entries, *_levels(definition.eps, one.floor)]
    )
    frame = frame_below(top, Scale(-0.5, max(count - 0.5, 0.5), whole=True), Scale(0, 1))
    frame.draw(svg, "rank i of the base vector", f"|cos| with tuned vector {one.j}")
    bars = np.maximum.reduceat(one.cosines, np.arange(0, count, step))
    width = max(0.4, min(6.0, 0.8 * frame.width * step / count))
    for number, value in enumerate(bars.tolist()):
        rank = min(number * step + (step - 1) / 2, count - 1)
        svg.line(frame.spot(rank, 0), frame.spot(rank, value), stroke=INK, stroke_width=width)
    _across(svg, frame, definition.eps, one.floor)
    if inside and one.match is not None:
        spot = frame.spot(one.match, float(one.cosines[one.match]))
        svg.circle(spot, 2.8, fill=ACCENT, stroke="#ffffff", stroke_width=0.7)
    return svg.render(f"Tuned vector {one.j}: {caption.title}", caption.document)


VECTOR_COLUMNS = (
    "matrix",
    "side",
    "k",
    "eps",
    "j",
    "i",
    "cosine",
    "sigma_base",
    "sigma_tuned",
    "best_cosine_lower",
    "best_cosine_upper",
    "verdict",
)


def vector_document(one: VectorProfile) -> dict[str, Any]:
    """|cos| of one tuned vector with base vectors i = 0, 1, ... as far as they are known.

    `base_vectors` says how many there are: best(j) is over all of them.
    """
    return {
        "j": one.j,
        "sigma_tuned": one.sigma,
        "base_vectors": one.q,
        "cosines": [float(value) for value in one.cosines],
        "best_cosine_bounds": [one.lower, one.upper],
        "best_index": one.match,
        "verdict": one.verdict.value,
        "random_floor": one.floor,
    }


def vector_csv(name: str, one: VectorProfile, result: MatrixResult, definition: Definition) -> str | None:
    """A line for every base vector whose cosine is known; None where there is none."""
    setting = {
        "matrix": name,
        "side": str(definition.side),
        "k": definition.k,
        "eps": definition.eps,
        "j": one.j,
        "sigma_tuned": one.sigma,
        "best_cosine_lower": one.lower,
        "best_cosine_upper": one.upper,
        "verdict": one.verdict.value,
    }
    sigma = result.sigma_base
    lines = [
        setting | {"i": i, "cosine": float(value), "sigma_base": float(sigma[i]) if i < len(sigma) else None}
        for i, value in enumerate(one.cosines)
    ]
    return csv_text(VECTOR_COLUMNS, lines) if lines else None


def _levels(eps: float, floor: float) -> list[Entry]:
    return [Entry(f"ε = {eps:.2f}", ACCENT, "3 2"), Entry(f"random direction {floor:.2f}", QUIET, "1.5 2")]


def _across(svg: Svg, frame: Frame, eps: float, floor: float) -> None:
    for value, stroke, dash in ((eps, ACCENT, "3 2"), (floor, QUIET, "1.5 2")):
        y = frame.spot(0, value)[1]
        ends: tuple[Point, Point] = ((frame.left, y), (frame.right, y))
        svg.line(*ends, stroke=stroke, stroke_width=0.9, stroke_dasharray=dash)
