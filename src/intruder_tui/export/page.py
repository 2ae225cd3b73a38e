"""The page a curve is drawn on: its size, head, legend and frame."""

from __future__ import annotations

from collections.abc import Sequence

from intruder_tui.export.axes import Entry, Frame, Scale, legend
from intruder_tui.export.caption import Caption
from intruder_tui.export.svg import QUIET, Svg, text_width

WIDTH, HEIGHT = 384.0, 288.0
LEFT, RIGHT = 52.0, 14.0
BOTTOM = 36.0
DASHES = ("none", "5 2.5", "1.5 2", "7 2 1.5 2")


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
