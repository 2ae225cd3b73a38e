"""A small writer of SVG: shapes and text in points, escaped, the same input always giving the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from intruder_tui.checkpoint.names import printable

FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
INK, QUIET, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
ACCENT = "#d1495b"
"""Intruders; told apart from every colour map by its outline and its shape as well."""

Point = tuple[float, float]


class Svg:
    """One picture of `width` x `height` points on white; later shapes lie over earlier ones."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self._parts: list[str] = []
        self._clips = 0

    def rect(
        self, x: float, y: float, width: float, height: float, *, fill: str = "none", **style: str | float
    ) -> None:
        """A rectangle from its top left corner."""
        self._add("rect", x=x, y=y, width=width, height=height, fill=fill, **style)

    def cells(self, cells: Sequence[tuple[float, float, float, float]], *, fill: str) -> None:
        """Many rectangles (left, top, right, bottom) of one colour; neighbours share their edges."""
        way = "".join(
            f"M{_number(left)} {_number(top)}H{_number(right)}V{_number(bottom)}H{_number(left)}z"
            for left, top, right, bottom in cells
        )
        self._add("path", d=way, fill=fill, shape_rendering="crispEdges")

    def line(self, start: Point, end: Point, *, stroke: str = INK, **style: str | float) -> None:
        """A straight line."""
        self._add("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], stroke=stroke, **style)

    def path(self, points: Sequence[Point], *, stroke: str = INK, **style: str | float) -> None:
        """Straight lines from point to point; nothing for fewer than two."""
        if len(points) > 1:
            way = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
            self._add("path", d=way, fill="none", stroke=stroke, stroke_linejoin="round", **style)

    def area(self, points: Sequence[Point], *, fill: str, **style: str | float) -> None:
        """The inside of a polygon."""
        if len(points) > 2:
            way = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) + "Z"
            self._add("path", d=way, fill=fill, **style)

    def circle(self, centre: Point, radius: float, *, fill: str, **style: str | float) -> None:
        """A circle."""
        self._add("circle", cx=centre[0], cy=centre[1], r=radius, fill=fill, **style)

    def text(
        self,
        x: float,
        y: float,
        content: str,
        *,
        size: float = 9,
        anchor: str = "start",
        fill: str = INK,
        upright: bool = False,
        **style: str | float,
    ) -> None:
        """A line of text from its baseline; `upright` text reads upwards. Control signs are escaped."""
        turned = {"transform": f"rotate(-90 {_number(x)} {_number(y)})"} if upright else {}
        self._add(
            "text",
            printable(content, 400),
            x=x,
            y=y,
            font_size=size,
            text_anchor=anchor,
            fill=fill,
            **turned,
            **style,
        )

    def open_clip(self, x: float, y: float, width: float, height: float) -> None:
        """Cut what follows to a rectangle, until `close`."""
        self._clips += 1
        name = f"clip{self._clips}"
        self._parts.append(f'<clipPath id="{name}">')
        self.rect(x, y, width, height, fill="#000")
        self._parts.append(f'</clipPath><g clip-path="url(#{name})">')

    def close(self) -> None:
        """End what `open_clip` began."""
        self._parts.append("</g>")

    def render(self, title: str, document: Mapping[str, Any]) -> str:
        """The file: a title for readers of screens, `document` as JSON in its metadata, then the shapes.

        Raises:
            ValueError: the document holds a NaN or an infinity.
        """
        data = json.dumps(document, indent=1, allow_nan=False)
        size = f'width="{_number(self.width)}pt" height="{_number(self.height)}pt"'
        box = f'viewBox="0 0 {_number(self.width)} {_number(self.height)}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} font-family={quoteattr(FONTS)}>'
        white = '<rect width="100%" height="100%" fill="#ffffff"/>'
        name = f"<title>{escape(printable(title, 400))}</title>"
        kept = f"<metadata>{escape(data)}</metadata>"
        return "\n".join([head, name, kept, white, *self._parts, "</svg>", ""])

    def _add(self, tag: str, content: str | None = None, /, **attributes: str | float) -> None:
        written = " ".join(
            f"{key.replace('_', '-')}={quoteattr(value if isinstance(value, str) else _number(value))}"
            for key, value in attributes.items()
        )
        self._parts.append(
            f"<{tag} {written}/>" if content is None else f"<{tag} {written}>{escape(content)}</{tag}>"
        )


def colour(rgb: Sequence[float]) -> str:
    """sRGB in 0..1 as "#rrggbb"."""
    return "#" + "".join(f"{round(255 * min(max(part, 0.0), 1.0)):02x}" for part in rgb)


def text_width(content: str, size: float) -> float:
    """About how wide a line is, in points: SVG does not say before it is drawn."""
    return 0.57 * size * len(content)


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
