"""Curves over two linear axes, drawn with characters: what the sweeps and the series share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.ticks import label, ticks

Array = NDArray[np.float64]

MARGIN = 8
"""Columns left of the plot, for the upright axis."""
SMALLEST = (10, 3)
"""Columns and lines below which a plot says nothing."""

_COLOURS = (117, 180, 150, 183, 222, 109)
_FEW_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "white")


def curve_style(number: int, mode: ColourMode) -> Style:
    """The style of the n-th of several curves; none of them is the intruders' accent."""
    if mode is ColourMode.NONE:
        return Style()
    if mode is ColourMode.FEW:
        return Style(color=_FEW_COLOURS[number % len(_FEW_COLOURS)])
    own = Color.from_ansi(_COLOURS[number % len(_COLOURS)])
    return Style(color=Color.from_triplet(own.get_truecolor()) if mode is ColourMode.TRUECOLOR else own)


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """One line of a plot.

    Attributes:
        name: its entry in the legend.
        x: [n] float64, ascending.
        y: [n] float64; NaN where there is no value.
        upper: [n] float64, the other edge of the band that starts at `y`; None without one.
        steps: a value holds until the next x (a count); otherwise values are joined by straight lines.
        points: a sign stands at every x; otherwise a few along the line.
        style: None takes the style of its place among the curves.
    """

    name: str
    x: Array
    y: Array
    upper: Array | None = None
    steps: bool = False
    points: bool = False
    style: Style | None = None

    def at(self, x: Array, *, upper: bool = False) -> Array:
        """Values at some x: [m] to [m]; NaN outside the curve."""
        y = self.upper if upper and self.upper is not None else self.y
        if self.steps:
            place = np.searchsorted(self.x, x + 1e-9, side="right") - 1
            return np.where((place >= 0) & (x <= self.x[-1] + 1e-9), y[np.maximum(place, 0)], np.nan)
        return np.interp(x, self.x, y, left=np.nan, right=np.nan)


@dataclass(frozen=True, eq=False)
class Plot:
    """A rich renderable of curves, `lines` high at most: the plot, its x axis, its legend.

    Attributes:
        x_name: what x is; stands before the axis's numbers.
        y_limits: lowest and highest y; None takes 0 and the largest value.
        setting: an x that is marked by an upright line, and its entry in the legend; None without one.
        level: a y that is marked by a line across, and its entry in the legend; None without one.
        whole: x and y are whole numbers.
    """

    curves: Sequence[Curve]
    x_name: str
    y_limits: tuple[float, float] | None = None
    setting: tuple[float, str] | None = None
    level: tuple[float, str] | None = None
    whole_x: bool = False
    whole_y: bool = False
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 14

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw; every line ends in a newline and fits the width."""
        tone = tones(self.mode)
        width = options.max_width - MARGIN
        legend = self._legend(max(width, 1))
        height = self.lines - 1 - len(legend)
        if not self.fits(options.max_width):
            yield Segment("no room for a plot"[: options.max_width], tone.muted)
            yield Segment.line()
            return
        frame = self._frame(width, height)
        canvas = self._draw(frame)
        labels = frame.labels(self.whole_y)
        for line, cells in enumerate(canvas):
            yield Segment(f"{labels.get(line, ''):>{MARGIN - 2}} {self.glyphs.upright}", tone.muted)
            yield from (Segment(sign, style) for sign, style in cells)
            yield Segment.line()
        yield Segment(f"{self.x_name[: MARGIN - 1]:>{MARGIN - 1}} {frame.axis(self.whole_x)}", tone.muted)
        yield Segment.line()
        for entries in legend:
            yield Segment(" " * MARGIN)
            yield from entries
            yield Segment.line()

    def fits(self, width: int) -> bool:
        """Whether that many columns and its lines are room for more than its axis and its legend."""
        columns = width - MARGIN
        height = self.lines - 1 - len(self._legend(max(columns, 1)))
        return columns >= SMALLEST[0] and height >= SMALLEST[1]

    def style(self, number: int) -> Style:
        """The style of the n-th curve."""
        return self.curves[number].style or curve_style(number, self.mode)

    def sign(self, number: int) -> str:
        """The sign of the n-th curve."""
        return self.glyphs.curves[number % len(self.glyphs.curves)]

    def _frame(self, width: int, height: int) -> _Frame:
        known = [c for c in self.curves if len(c.x)]
        left = min((float(c.x[0]) for c in known), default=0.0)
        right = max((float(c.x[-1]) for c in known), default=1.0)
        tops = [float(v) for c in known for v in (np.nanmax(_or_zero(c.y)), np.nanmax(_or_zero(c.upper)))]
        bottom, top = self.y_limits or (0.0, max([*tops, 1.0 if self.whole_y else 0.0]))
        return _Frame(width, height, left, right, bottom, top if top > bottom else bottom + 1)

    def _draw(self, frame: _Frame) -> list[list[tuple[str, Style]]]:
        tone = tones(self.mode)
        canvas = [[(" ", tone.text)] * frame.width for _ in range(frame.height)]
        if self.level is not None and (line := frame.line(self.level[0])) is not None:
            canvas[line] = [(self.glyphs.floor, tone.muted)] * frame.width
        at = frame.middles()
        setting = None if self.setting is None else frame.column(self.setting[0])
        if setting is not None and self.setting is not None:
            at[setting] = self.setting[0]
        for number, curve in enumerate(self.curves):
            if curve.upper is not None and len(curve.x):
                self._band(canvas, frame, curve.at(at), curve.at(at, upper=True), self.style(number))
        if setting is not None:
            for cells in canvas:
                if cells[setting][0] in (" ", self.glyphs.floor):
                    cells[setting] = (self.glyphs.setting, tone.active)
        for number, curve in enumerate(self.curves):
            if len(curve.x):
                self._line(canvas, frame, curve, at, number)
        return canvas

    def _band(
        self, canvas: list[list[tuple[str, Style]]], frame: _Frame, low: Array, high: Array, style: Style
    ) -> None:
        for column, (bottom, top) in enumerate(zip(low, high, strict=True)):
            if np.isnan(bottom) or not top > bottom:
                continue
            first, last = frame.line(float(top), clip=True), frame.line(float(bottom), clip=True)
            assert first is not None
            assert last is not None
            for line in range(max(first, 0), min(last, frame.height - 1) + 1):
                canvas[line][column] = (self.glyphs.band, style)

    def _line(
        self, canvas: list[list[tuple[str, Style]]], frame: _Frame, curve: Curve, at: Array, number: int
    ) -> None:
        style, sign = self.style(number), self.sign(number)
        across, down, left_down, up_right, left_up, down_right = tuple(self.glyphs.strokes)
        lines = [None if np.isnan(y) else frame.line(float(y), clip=True) for y in curve.at(at)]
        for column, line in enumerate(lines):
            before = lines[column - 1] if column else line
            if line is None:
                continue
            parts: dict[int, str] = {line: across}
            if before is not None and before != line:
                rising = line < before
                parts = dict.fromkeys(range(min(line, before) + 1, max(line, before)), down)
                parts[before] = left_up if rising else left_down
                parts[line] = down_right if rising else up_right
            for place, stroke in parts.items():
                if place in range(frame.height):
                    canvas[place][column] = (stroke, style)
        if curve.points:
            for x, y in zip(curve.x, curve.y, strict=True):
                spot = (frame.line(float(y)) if not np.isnan(y) else None, frame.column(float(x)))
                if spot[0] is not None and spot[1] is not None:
                    canvas[spot[0]][spot[1]] = (sign, style)
        elif len(self.curves) > 1:
            gap = max(6, frame.width // 5)
            for column in range(gap * (number + 1) // (len(self.curves) + 1), frame.width, gap):
                line = lines[column]
                if line is not None and line in range(frame.height):
                    canvas[line][column] = (sign, style)

    def _legend(self, width: int) -> list[list[Segment]]:
        tone = tones(self.mode)
        entries = []
        for number, curve in enumerate(self.curves):
            sign = self.sign(number) if curve.points or len(self.curves) > 1 else self.glyphs.strokes[0] * 2
            entries.append((sign, self.style(number), curve.name))
        if any(c.upper is not None and (c.upper > c.y).any() for c in self.curves):
            entries.append((self.glyphs.band * 2, tone.muted, "undecided"))
        if self.setting is not None:
            entries.append((self.glyphs.setting, tone.active, self.setting[1]))
        if self.level is not None:
            entries.append((self.glyphs.floor * 2, tone.muted, self.level[1]))
        lines: list[list[Segment]] = [[]]
        used = 0
        for sign, style, name in entries:
            text = f" {name}"[: max(0, width - len(sign))]
            size = len(sign) + len(text)
            if used and used + 3 + size > width:
                lines.append([])
                used = 0
            if used:
                lines[-1].append(Segment("   ", tone.muted))
                used += 3
            lines[-1] += [Segment(sign, style), Segment(text, tone.muted)]
            used += size
        return lines


@dataclass(frozen=True, slots=True)
class _Frame:
    width: int
    height: int
    left: float
    right: float
    bottom: float
    top: float

    def line(self, y: float, *, clip: bool = False) -> int | None:
        """The line of a value, 0 on top; where it lies off the plot None, or with `clip` one line off it."""
        share = (self.top - y) / (self.top - self.bottom)
        line = round(min(max(share, -1.0), 2.0) * (self.height - 1))
        if clip:
            return min(max(line, -1), self.height)
        return line if -1e-9 <= share <= 1 + 1e-9 else None

    def column(self, x: float) -> int | None:
        """The column of an x; None where it lies off the plot."""
        if self.right == self.left:
            return 0 if x == self.left else None
        share = (x - self.left) / (self.right - self.left)
        return round(share * (self.width - 1)) if -1e-9 <= share <= 1 + 1e-9 else None

    def middles(self) -> Array:
        """The x of every column: [width]."""
        return np.linspace(self.left, self.right, self.width)

    def labels(self, whole: bool) -> dict[int, str]:
        """Labels of the upright axis by line."""
        found: dict[int, str] = {}
        for value in ticks(self.bottom, self.top, max(2, self.height // 2), whole=whole):
            line = self.line(value)
            if line is not None:
                found.setdefault(line, label(value))
        return found

    def axis(self, whole: bool) -> str:
        """The numbers under the plot."""
        cells = [" "] * self.width
        places = [
            (column, label(x))
            for x in ticks(self.left, self.right, max(2, self.width // 8), whole=whole)
            if (column := self.column(x)) is not None
        ]
        for column, text in places:
            start = min(max(0, column - len(text) // 2), self.width - len(text))
            if start >= 0 and all(cell == " " for cell in cells[max(0, start - 1) : start + len(text) + 1]):
                cells[start : start + len(text)] = text
        return "".join(cells).rstrip()


def _or_zero(values: Array | None) -> Array:
    return np.zeros(1) if values is None or not len(values) or np.isnan(values).all() else values


def beside(console: Console, options: ConsoleOptions, parts: Sequence[Plot], gap: int = 2) -> RenderResult:
    """Plots beside each other, each in an equal share of the width, top lines level."""
    width = (options.max_width - gap * (len(parts) - 1)) // len(parts)
    blocks = [console.render_lines(part, options.update(width=width), pad=True) for part in parts]
    empty = [Segment(" " * width)]
    for line in range(max(len(block) for block in blocks)):
        row = [block[line] if line < len(block) else empty for block in blocks]
        for left, _ in pairwise([*row, empty]):
            yield from left
            yield Segment(" " * gap if left is not row[-1] else "")
        yield Segment.line()
