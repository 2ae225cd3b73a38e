"""The update for papers and as data: singular values of dW, its ranks and norms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from intruder_tui.export.axes import Entry, Scale, log_scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.matrix import update_document
from intruder_tui.export.page import DASHES, frame_below, page
from intruder_tui.export.svg import INK, QUIET, colour
from intruder_tui.export.tables import csv_text
from intruder_tui.results import MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.palette import srgb
from intruder_tui.views.spectrum import SPAN, rounding_edge

COLUMNS = ("matrix", "measure", "j", "value")


def update_figure(result: MatrixResult, caption: Caption) -> str:
    """Singular values of dW over their rank with its ranks as upright lines, and the rounding floor.

    Raises:
        ValueError: the result holds no singular value of dW above zero.
    """
    update = result.update
    sigma = update.sigma[update.sigma > 0]
    if not len(sigma):
        raise ValueError("no singular values of the update to draw")
    edge = rounding_edge(result) or None  # a floor of 0 has no place on a logarithmic axis
    ranks: list[tuple[str, float]] = []
    if update.stable_rank is not None:
        ranks.append((f"stable rank {update.stable_rank:.1f}", update.stable_rank))
    if update.effective_rank is not None:
        ranks.append((f"effective rank {update.effective_rank:.1f}", update.effective_rank))
    if update.energy_ranks is not None:
        ranks.append((f"90 % energy {update.energy_ranks[0]}", float(update.energy_ranks[0])))
    if update.adapter_rank is not None:
        ranks.append((f"adapter rank {update.adapter_rank}", float(update.adapter_rank)))
    tint = [colour(rgb) for rgb in srgb(np.linspace(0.05, 0.75, max(1, len(ranks))), "viridis")]
    strokes = [(tint[n], DASHES[(n + 1) % len(DASHES)]) for n in range(len(ranks))]
    entries = [Entry("σ of ΔW", INK)]
    entries += [Entry(name, *stroke) for (name, _), stroke in zip(ranks, strokes, strict=True)]
    entries += [Entry("largest σ of rounding alone", QUIET, "1.5 2")] if edge is not None else []
    facts = f"relative update {numbers.percent(update.relative_norm)}"
    svg, top = page(Caption(caption.title, facts, caption.document), entries)
    last = max(len(sigma), *(math.ceil(rank) for _, rank in ranks), 2) if ranks else max(len(sigma), 2)
    frame = frame_below(top, Scale(0, last, whole=True), log_scale([float(v) for v in sigma], SPAN))
    frame.draw(svg, "number of singular values", "singular value σ of ΔW")
    svg.open_clip(frame.left, frame.top - 3, frame.width + 3, frame.height + 3)
    if edge is not None:
        level = frame.spot(0, edge)[1]
        svg.line(
            (frame.left, level),
            (frame.right, level),
            stroke=QUIET,
            stroke_width=0.8,
            stroke_dasharray="1.5 2",
        )
    for (_, rank), (stroke, dash) in zip(ranks, strokes, strict=True):
        x = frame.spot(rank, frame.y.low)[0]
        svg.line((x, frame.top), (x, frame.bottom), stroke=stroke, stroke_width=1.2, stroke_dasharray=dash)
    points = [frame.spot(n, float(v)) for n, v in enumerate(sigma, 1) if v >= frame.y.low]
    svg.path(points, stroke=INK, stroke_width=1.2)
    if len(points) <= 64:
        for spot in points:
            svg.circle(spot, 2, fill=INK)
    svg.close()
    return svg.render(f"Update: {caption.title}", caption.document)


def update_csv(name: str, result: MatrixResult) -> str:
    """A line for every measure of dW, then one for every singular value of it by its rank j."""
    measures: dict[str, Any] = update_document(result.update)
    sigma, energy = measures.pop("sigma"), measures.pop("energy_ranks")
    for place, share in enumerate((90, 95, 99)):
        measures[f"energy_rank_{share}"] = energy[place] if energy else None
    rows = [{"matrix": name, "measure": key, "value": value} for key, value in measures.items()]
    rows += [{"matrix": name, "measure": "sigma", "j": j, "value": v} for j, v in enumerate(sigma)]
    return csv_text(COLUMNS, rows)
