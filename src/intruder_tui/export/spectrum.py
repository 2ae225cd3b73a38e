"""The spectrum for papers and as data: singular values of W0, W1 and dW, as many as are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from intruder_tui.definition import Definition
from intruder_tui.export.axes import Entry, Frame, Scale, log_scale
from intruder_tui.export.caption import Caption
from intruder_tui.export.page import frame_below, page
from intruder_tui.export.svg import ACCENT, INK, QUIET, Point, colour
from intruder_tui.export.tables import csv_text
from intruder_tui.results import Floats, MatrixResult
from intruder_tui.views.palette import srgb
from intruder_tui.views.spectrum import SPAN, random_edge, rounding_edge, series

SIGMAS = ("sigma_base", "sigma_tuned", "sigma_update")
COLUMNS = ("matrix", "side", "k", "eps", "j", *SIGMAS, "intruder")
_NAMES = dict(zip(("W0", "W1", "dW"), SIGMAS, strict=True))


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


def spectrum_document(result: MatrixResult, definition: Definition) -> dict[str, Any]:
    """Every singular value that is known, whatever k; the levels drawn across, null where there are none."""
    curves = {one.name: one.sigma for one in series(result)}
    return {
        **{key: [float(v) for v in curves.get(name, ())] for name, key in _NAMES.items()},
        "intruders": result.summary().intruders(definition),
        "rounding_edge": rounding_edge(result),
        "random_edge": random_edge(result),
    }


def spectrum_csv(name: str, result: MatrixResult, definition: Definition) -> str:
    """A line for every rank; a cell without a value is empty. `intruder` is 1 for one of the top k."""
    curves = {one.name: one.sigma for one in series(result)}
    intruders = set(result.summary().intruders(definition))
    setting = {"matrix": name, "side": str(definition.side), "k": definition.k, "eps": definition.eps}
    count = max((len(sigma) for sigma in curves.values()), default=0)
    return csv_text(
        COLUMNS,
        (
            setting
            | {"j": j, "intruder": int(j in intruders)}
            | {_NAMES[key]: float(sigma[j]) for key, sigma in curves.items() if j < len(sigma)}
            for j in range(count)
        ),
    )


def _spectrum_points(frame: Frame, sigma: Floats) -> list[Point]:
    return [frame.spot(rank + 1, float(v)) for rank, v in enumerate(sigma) if v >= frame.y.low]
