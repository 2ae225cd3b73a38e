"""Figures for papers of the studies: the count over the scaling of an update, intruders over a run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from intruder_tui.definition import Definition
from intruder_tui.export.axes import Entry, Frame, Scale, legend
from intruder_tui.export.caption import Caption
from intruder_tui.export.page import BOTTOM, DASHES, HEIGHT, LEFT, RIGHT, WIDTH, headed
from intruder_tui.export.svg import ACCENT, INK, QUIET, Svg, colour
from intruder_tui.findings.tracks import FollowedStep, tracks
from intruder_tui.studies.answers import Scalings
from intruder_tui.views.palette import srgb
from intruder_tui.views.scalings import scaling_name
from intruder_tui.views.tracks import DRAWN, axis_of, track_name


def scaling_figure(scalings: Scalings, at: int, definition: Definition, caption: Caption) -> str:
    """The count over the scaling, the adapter's own and the slider's marked; the band holds the open ones."""
    certain, possible = scalings.counts(definition)
    order = np.argsort(scalings.scalings)
    x, low, high = (values[order] for values in (scalings.scalings, certain, possible))
    entries = [Entry("intruder dimensions", INK)]
    entries += [Entry("undecided", QUIET, patch=True)] if (high > low).any() else []
    entries.append(Entry(f"the adapter's own: {scalings.scaling:.4g}", QUIET, "1.5 2"))
    if at != scalings.own:
        entries.append(Entry(scaling_name(scalings, at), ACCENT, "3 2"))
    svg = Svg(WIDTH, HEIGHT)
    top = legend(svg, entries, 14, headed(svg, caption, WIDTH - 28) + 15, WIDTH - 28) + 14
    across = Scale(float(x[0]), float(x[-1]))
    frame = Frame(
        LEFT,
        top,
        WIDTH - LEFT - RIGHT,
        HEIGHT - BOTTOM - top,
        across,
        Scale(0, max(1, int(high.max(initial=0))), whole=True),
    )
    frame.draw(svg, "scaling of the update", "intruder dimensions")
    lower, upper = ([frame.spot(float(a), float(b)) for a, b in zip(x, y, strict=True)] for y in (low, high))
    if (high > low).any():
        svg.area([*lower, *reversed(upper)], fill=INK, fill_opacity=0.2)
    lines = [(scalings.scaling, QUIET, "1.5 2")]
    if at != scalings.own:
        lines.append((float(scalings.scalings[at]), ACCENT, "3 2"))
    for value, stroke, dash in lines:
        place = frame.spot(value, 0)[0]
        svg.line(
            (place, frame.top), (place, frame.bottom), stroke=stroke, stroke_width=0.9, stroke_dasharray=dash
        )
    svg.path(lower, stroke=INK, stroke_width=1.4)
    for spot in lower:
        svg.circle(spot, 1.5, fill=INK)
    return svg.render(f"Scaling: {caption.title}", caption.document)


def tracks_figure(steps: Sequence[FollowedStep], definition: Definition, caption: Caption) -> str:
    """Best cosine of every followed intruder over the steps, its rank beside each point.

    Raises:
        ValueError: there is no intruder to follow.
    """
    found = tracks(steps, definition)[:DRAWN]
    if not found:
        raise ValueError("no intruder to follow")
    name, x = axis_of(steps)
    tint = [colour(rgb) for rgb in srgb(np.linspace(0.05, 0.8, max(2, len(found))), "viridis")]
    entries = [Entry(track_name(track), tint[n], DASHES[n % len(DASHES)]) for n, track in enumerate(found)]
    entries.append(Entry(f"ε = {definition.eps:.2f}", ACCENT, "3 2"))
    svg = Svg(WIDTH, HEIGHT)
    top = legend(svg, entries, 14, headed(svg, caption, WIDTH - 28) + 15, WIDTH - 28) + 14
    last = x[-1] if x[-1] > x[0] else x[0] + 1
    frame = Frame(
        LEFT, top, WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - top, Scale(x[0], last, whole=True), Scale(0, 1)
    )
    frame.draw(svg, "training step" if name == "step" else "checkpoint", "best |cos|")
    level = frame.spot(x[0], definition.eps)[1]
    svg.line(
        (frame.left, level), (frame.right, level), stroke=ACCENT, stroke_width=0.9, stroke_dasharray="3 2"
    )
    for number, track in enumerate(found):
        points = [
            (frame.spot(at, point.upper), point.j)
            for at, point in zip(x, track.points, strict=True)
            if point is not None and point.upper is not None
        ]
        svg.path(
            [spot for spot, _ in points],
            stroke=tint[number],
            stroke_width=1.4,
            stroke_dasharray=DASHES[number % len(DASHES)],
        )
        for spot, j in points:
            svg.circle(spot, 2, fill=tint[number])
            svg.text(spot[0] + 3, spot[1] - 3, str(j), size=7, fill=QUIET)
    return svg.render(f"Followed intruders: {caption.title}", caption.document)
