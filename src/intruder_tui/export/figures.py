"""Figures for papers, curves: drawn from the data, in points, with axes, units and a legend.

Every one is a complete SVG with the definition and the identities of its inputs in its metadata.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.export.axes import Entry, Frame, Scale, legend, log_scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.svg import ACCENT, INK, QUIET, Point, Svg, colour, text_width
from intruder_tui.results import Floats, MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.palette import srgb
from intruder_tui.views.spectrum import SPAN, random_edge, rounding_edge, series
from intruder_tui.views.sweep import Axis, Sweep, count_text, cut

WIDTH, HEIGHT = 384.0, 288.0
LEFT, RIGHT = 52.0, 14.0
BOTTOM = 36.0
_DASHES = ("none", "5 2.5", "1.5 2", "7 2 1.5 2")


def spectrum_figure(result: MatrixResult, definition: Definition, caption: Caption) -> str:
    """Singular values of W0, W1 and dW over rank + 1, both logarithmic; intruders and rounding marked.

    Raises:
        ValueError: the result holds no singular value above zero.
    """
    curves = {one.name: one.sigma for one in series(result)}
    values = [float(v) for sigma in curves.values() for v in sigma if v > 0]
    if not values:
        raise ValueError("no singular values to draw")
    styles = {
        "W0": (QUIET, "none"),
        "W1": (INK, "none"),
        "dW": (colour(srgb(np.array([0.35]), "viridis")[0]), "5 2.5"),
    }
    names = {"W0": "base W₀", "W1": "tuned W₁", "dW": "update ΔW"}
    shown = [name for name in ("W0", "W1", "dW") if name in curves]
    edge = rounding_edge(result) or None  # a floor of 0 has no place on a logarithmic axis
    random = random_edge(result)
    entries = [Entry(names[name], *styles[name]) for name in shown]
    intruders = result.summary().intruders(definition)
    entries += [Entry("intruder dimension", ACCENT, mark=True)] if intruders else []
    entries += [Entry("largest σ of rounding alone", QUIET, "1.5 2")] if edge is not None else []
    entries += [Entry("largest σ of a random ΔW", QUIET, "6 3")] if random is not None else []
    svg, top = page(caption, entries)
    count = max(len(sigma) for sigma in curves.values())
    frame = frame_below(top, Scale(1, max(count, 2), logarithmic=True), log_scale(values, SPAN))
    frame.draw(svg, "rank j + 1", "singular value σ")
    svg.open_clip(frame.left, frame.top - 3, frame.width + 3, frame.height + 3)
    for value, dash in ((edge, "1.5 2"), (random, "6 3")):
        if value is not None:
            level = frame.spot(1, value)[1]
            ends = (frame.left, level), (frame.right, level)
            svg.line(*ends, stroke=QUIET, stroke_width=0.8, stroke_dasharray=dash)
    for name in shown:
        stroke, dash = styles[name]
        svg.path(
            _spectrum_points(frame, curves[name]), stroke=stroke, stroke_width=1.2, stroke_dasharray=dash
        )
    for j in intruders:
        spot = frame.spot(j + 1, max(float(result.sigma_tuned[j]), frame.y.low))
        svg.circle(spot, 2.8, fill=ACCENT, stroke="#ffffff", stroke_width=0.7)
    svg.close()
    return svg.render(f"Spectrum: {caption.title}", caption.document)


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
    strokes = [(tint[n], _DASHES[(n + 1) % len(_DASHES)]) for n in range(len(ranks))]
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
        entries.append(Entry(name, tint[number], _DASHES[number % len(_DASHES)]))
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
            stroke_dasharray=_DASHES[number % len(_DASHES)],
        )
    svg.close()
    if top is not None:
        svg.text(frame.right, frame.top - 4, f"cut above {top}", size=7, anchor="end", fill=QUIET)
    return svg.render(f"Sweep: {caption.title}", caption.document)


def headed(svg: Svg, caption: Caption, width: float) -> float:
    """Title and setting at the top; the baseline of the second."""
    size = min(10.0, max(6.0, 10.0 * width / max(width, text_width(caption.title, 10.0))))
    svg.text(14, 18, caption.title, size=size, font_weight="bold")
    svg.text(14, 31, caption.setting, size=8, fill=QUIET)
    return 31.0


def page(caption: Caption, entries: Sequence[Entry]) -> tuple[Svg, float]:
    """A page of the usual size with head and legend; the legend's last baseline."""
    svg = Svg(WIDTH, HEIGHT)
    baseline = headed(svg, caption, WIDTH - 28)
    return svg, legend(svg, entries, 14, baseline + 15, WIDTH - 28)


def frame_below(legend_end: float, x: Scale, y: Scale) -> Frame:
    """The plot's frame, between a legend and the page's lower edge."""
    top = legend_end + 14
    return Frame(LEFT, top, WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - top, x, y)


def _spectrum_points(frame: Frame, sigma: Floats) -> list[Point]:
    return [frame.spot(rank + 1, float(v)) for rank, v in enumerate(sigma) if v >= frame.y.low]


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
