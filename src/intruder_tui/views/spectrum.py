"""Singular values of W0, W1 and dW over their rank, both axes logarithmic, intruders marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from intruder_tui.definition import Definition
from intruder_tui.results import Floats, MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

SPAN = 1e6
"""Values this much below the largest are left out: they are rounding, and would flatten the rest."""
MARGIN = 10


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """One curve: `sigma` [n] float32, descending; rank 0 is its first value."""

    name: str
    sigma: Floats


WEIGHTS_AND_UPDATE = ("W0", "dW", "W1")


def series(result: MatrixResult, names: Sequence[str] = WEIGHTS_AND_UPDATE) -> list[Series]:
    """The spectra of those `names` that a result holds, base first; one that was not computed is left out."""
    parts = [("W0", result.sigma_base), ("dW", result.update.sigma), ("W1", result.sigma_tuned)]
    return [Series(name, sigma) for name, sigma in parts if name in names and len(sigma)]


def rounding_edge(result: MatrixResult) -> float | None:
    """The largest singular value that rounding alone would give dW; None where nothing was rounded."""
    floor = result.update.rounding_floor
    return None if floor is None else noise_edge(floor, result.shape)


def random_edge(result: MatrixResult) -> float | None:
    """The largest singular value of a random update as large as dW in norm; None where dW has no spectrum."""
    update = result.update
    return noise_edge(update.frobenius, result.shape) if len(update.sigma) and update.frobenius > 0 else None


def noise_edge(frobenius: float, shape: tuple[int, int]) -> float:
    """The largest singular value of m x n noise of independent entries with Frobenius norm F.

    F (1 / sqrt(m) + 1 / sqrt(n)), the upper edge of the Marchenko-Pastur law.
    """
    m, n = shape
    return frobenius * (1 / math.sqrt(m) + 1 / math.sqrt(n))


@dataclass(frozen=True, eq=False)
class Spectrum:
    """A rich renderable of the spectra of one result, `lines` high; of dW alone, say, with other `names`."""

    result: MatrixResult
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 16
    names: Sequence[str] = WEIGHTS_AND_UPDATE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The plot, the rank axis, the legend."""
        tone = tones(self.mode)
        curves = series(self.result, self.names)
        values = np.concatenate([c.sigma[c.sigma > 0] for c in curves]) if curves else np.empty(0)
        if not len(values):
            yield Segment("no singular values to draw", tone.muted)
            yield Segment.line()
            return
        height = max(4, self.lines - 3)
        width = max(10, options.max_width - MARGIN - 1)
        axes = _Axes(
            height,
            width,
            max(len(c.sigma) for c in curves),
            float(values.max()),
            float(max(values.min(), values.max() / SPAN)),
        )
        legend = self._legend(curves, options.max_width)
        # A line that the legend has no room for would puzzle.
        named = any(self.glyphs.noise * 2 in segment.text for segment in legend)
        canvas = self._draw(axes, curves, random=named)
        labels = axes.labels()
        upright = "│" if self.glyphs.half else "|"
        for line, cells in enumerate(canvas):
            yield Segment(f"{labels.get(line, ''):>{MARGIN - 2}} {upright}", tone.muted)
            yield from (Segment(sign, style) for sign, style in cells)
            yield Segment.line()
        yield Segment(f"{'rank j':>{MARGIN - 1}} {axes.ranks()}", tone.muted)
        yield Segment.line()
        yield from legend
        yield Segment.line()

    def _styles(self) -> dict[str, tuple[str, Style]]:
        tone = tones(self.mode)
        base, tuned, update = self.glyphs.points
        return {"W0": (base, tone.muted), "dW": (update, tone.muted), "W1": (tuned, tone.text)}

    def _draw(self, axes: _Axes, curves: list[Series], *, random: bool) -> list[list[tuple[str, Style]]]:
        tone = tones(self.mode)
        canvas = [[(" ", tone.text)] * axes.width for _ in range(axes.height)]
        for edge, sign in (
            (random_edge(self.result) if random else None, self.glyphs.noise),
            (rounding_edge(self.result), self.glyphs.floor),
        ):
            if edge is not None and (line := axes.line(edge)) is not None:
                canvas[line] = [(sign, tone.muted)] * axes.width
        styles = self._styles()
        for curve in curves:
            for rank, sigma in enumerate(curve.sigma):
                line = axes.line(float(sigma))
                if line is not None:
                    canvas[line][axes.column(rank)] = styles[curve.name]
        for j in self.result.summary().intruders(self.definition) if "W1" in self.names else ():
            line = axes.line(float(self.result.sigma_tuned[j]))
            if line is not None:
                canvas[line][axes.column(j)] = (self.glyphs.intruder, tone.accent)
        return canvas

    def _legend(self, curves: list[Series], width: int) -> list[Segment]:
        """Signs and names on one line; a short one lacks the letter, then the margin, then what is random."""
        letter = f"{self.glyphs.sigma} "
        variants = ((MARGIN, letter, 3), (MARGIN, "", 3), (MARGIN, "", 2), (0, "", 2))
        for random in (True, False) if random_edge(self.result) is not None else (False,):
            for margin, prefix, gap in variants:
                segments = [Segment(" " * margin), *self._entries(curves, prefix, " " * gap)]
                if random:
                    segments.append(
                        Segment(f"{' ' * gap}{self.glyphs.noise * 2} random dW", tones(self.mode).muted)
                    )
                if Segment.get_line_length(segments) <= width:
                    return segments
        return segments

    def _entries(self, curves: list[Series], prefix: str, gap: str) -> list[Segment]:
        tone = tones(self.mode)
        segments = []
        styles = self._styles()
        for curve in sorted(curves, key=lambda c: ("W0", "W1", "dW").index(c.name)):
            sign, style = styles[curve.name]
            segments += [Segment(sign, style), Segment(f" {prefix}{curve.name}{gap}", tone.muted)]
        if "W1" in self.names:
            segments += [Segment(self.glyphs.intruder, tone.accent), Segment(" intruder", tone.muted)]
        if rounding_edge(self.result) is not None:
            segments.append(Segment(f"{gap}{self.glyphs.floor * 2} rounding noise", tone.muted))
        return segments


@dataclass(frozen=True, slots=True)
class _Axes:
    height: int
    width: int
    count: int
    largest: float
    smallest: float

    def line(self, sigma: float) -> int | None:
        """The line of a singular value, 0 on top; None where it lies off the plot."""
        if not self.smallest <= sigma <= self.largest:
            return None
        top, bottom = math.log10(self.largest), math.log10(self.smallest)
        if top == bottom:
            return 0
        return round((top - math.log10(sigma)) / (top - bottom) * (self.height - 1))

    def column(self, rank: int) -> int:
        """The column of a rank; rank 0 is leftmost."""
        if self.count == 1:
            return 0
        return round(math.log(rank + 1) / math.log(self.count) * (self.width - 1))

    def labels(self) -> dict[int, str]:
        """Labels of the upright axis by line: the ends, and the powers of ten between them."""
        powers = range(math.ceil(math.log10(self.smallest)), math.floor(math.log10(self.largest)) + 1)
        labels: dict[int, str] = {}
        for value in (self.largest, self.smallest, *(10.0**power for power in powers)):
            line = self.line(value)
            if line is not None and not any(abs(line - other) < 2 for other in labels):
                labels[line] = numbers.three_digits(value)
        return labels

    def ranks(self) -> str:
        """The rank axis: 0, 1, 2, 5, 10, ... where they fit."""
        cells = [" "] * self.width
        end = -1
        for rank in (d * 10**p for p in range(7) for d in (1, 2, 5)):
            for wanted in [0, rank] if rank == 1 else [rank]:
                label = str(wanted)
                if wanted >= self.count:
                    return "".join(cells)
                start = self.column(wanted)
                if start > end and start + len(label) <= self.width:
                    cells[start : start + len(label)] = label
                    end = start + len(label)
        return "".join(cells)
