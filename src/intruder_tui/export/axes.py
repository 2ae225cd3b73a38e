"""Axes of a figure: scales with their ticks, a frame with labels and units, a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.export.svg import FAINT, INK, QUIET, Point, Svg, text_width
from intruder_tui.views.ticks import decades, label, ticks

SMALL = 8.0
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to places: `low` at 0, `high` at 1, linear or by logarithm (both positive then)."""

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False

    def at(self, value: float) -> float:
        """The place of a value; beyond 0..1 for one beyond the ends."""
        if self.high == self.low:
            return 0.5
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Values that get a tick, with their labels."""
        if not self.logarithmic:
            return [(value, label(value)) for value in ticks(self.low, self.high, most, whole=self.whole)]
        powers = decades(self.low, self.high)
        if len(powers) >= 2:
            step = math.ceil(len(powers) / most)
            return [(value, _power(value)) for value in powers[::step]]
        fine = [d * 10.0**n for n in range(-12, 13) for d in (1, 2, 5)]
        return [(value, label(value)) for value in fine if self.low <= value <= self.high]


def log_scale(values: Sequence[float], span: float = 1e6) -> Scale:
    """A logarithmic scale around positive values; those `span` times below the largest are left off."""
    top = max(values)
    bottom = max(min(values), top / span)
    return Scale(bottom / 1.25, top * 1.25, logarithmic=True)


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's rectangle on the page, and its two scales."""

    left: float
    top: float
    width: float
    height: float
    x: Scale
    y: Scale

    @property
    def bottom(self) -> float:
        """The y of the x axis."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """The x of the right edge."""
        return self.left + self.width

    def spot(self, x: float, y: float) -> Point:
        """Where a pair of values lies on the page."""
        return self.left + self.x.at(x) * self.width, self.bottom - self.y.at(y) * self.height

    def draw(self, svg: Svg, x_name: str, y_name: str) -> None:
        """The two axes with ticks, numbers, names; faint lines across at the y ticks."""
        for value, text in self.y.ticks(6):
            y = self.spot(self.x.low, value)[1]
            svg.line((self.left, y), (self.right, y), stroke=FAINT, stroke_width=0.5)
            svg.line((self.left - 3, y), (self.left, y), stroke_width=0.7)
            svg.text(self.left - 5, y + 3, text, size=SMALL, anchor="end")
        for value, text in self.x.ticks(7):
            x = self.spot(value, self.y.low)[0]
            svg.line((x, self.bottom), (x, self.bottom + 3), stroke_width=0.7)
            svg.text(x, self.bottom + 12, text, size=SMALL, anchor="middle")
        corner = (self.left, self.bottom)
        svg.path([(self.left, self.top), corner, (self.right, self.bottom)], stroke=INK, stroke_width=0.8)
        svg.text(self.left + self.width / 2, self.bottom + 26, x_name, anchor="middle")
        svg.text(self.left - 36, self.top + self.height / 2, y_name, anchor="middle", upright=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: how it is drawn, what it means."""

    name: str
    stroke: str
    dash: str = "none"
    mark: bool = False
    patch: bool = False


def legend(svg: Svg, entries: Sequence[Entry], left: float, baseline: float, width: float) -> float:
    """Entries side by side from a first baseline, on as many lines as they need; the last baseline."""
    x, y = left, baseline
    for entry in entries:
        size = 18 + text_width(entry.name, SMALL) + 10
        if x > left and x + size > left + width:
            x, y = left, y + 11
        middle = y - 2.8
        if entry.patch:
            svg.rect(x, middle - 3, 14, 6, fill=entry.stroke, fill_opacity=0.25)
        elif entry.mark:
            svg.circle((x + 7, middle), 2.6, fill=entry.stroke, stroke="#ffffff", stroke_width=0.6)
        else:
            svg.line(
                (x, middle),
                (x + 14, middle),
                stroke=entry.stroke,
                stroke_width=1.4,
                stroke_dasharray=entry.dash,
            )
        svg.text(x + 18, y, entry.name, size=SMALL, fill=QUIET)
        x += size
    return y


def _power(value: float) -> str:
    exponent = round(math.log10(value))
    if exponent in (0, 1):
        return str(10**exponent)
    return "10" + "".join("⁻" if sign == "-" else _RAISED[int(sign)] for sign in str(exponent))
