"""What stands on the terminal, and the few bytes that turn it into the next frame.

Textual writes every changed line from the left edge of its widget, and the colours of each stretch anew. Over
a slow line that is most of what is written; here only cells that look different are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

SHORTER = 4
"""So many cells that have not changed are written again: passing over them takes more bytes."""
_ATTRIBUTES = {
    "bold": "1",
    "dim": "2",
    "italic": "3",
    "underline": "4",
    "blink": "5",
    "blink2": "6",
    "reverse": "7",
    "conceal": "8",
    "strike": "9",
    "underline2": "21",
    "frame": "51",
    "encircle": "52",
    "overline": "53",
}
_INVISIBLE = frozenset({"", "1", "2", "3", "1;2", "1;3", "2;3", "1;2;3"})
"""Attributes that a blank does not show."""


class Pen(NamedTuple):
    """SGR parameters: attributes, foreground, background; an empty one is the terminal's default."""

    attributes: str = ""
    colour: str = ""
    ground: str = ""


Cell = tuple[str, Pen]
"""A sign and its pen; the sign is empty in the cells that a wide one takes beyond its first."""


class Frame:
    """The cells of a terminal as they were last written."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, Cell]] = {}

    def forget(self) -> None:
        """The terminal may show anything now: the next update is written whole."""
        self._lines.clear()

    def write(self, update: ChopsUpdate | LayoutUpdate, system: ColorSystem) -> str:
        """What to send to the terminal so that it shows an update."""
        pen, out = Pen(), list[str]()
        for y, x, strip, first, end in _stretches(update):
            line = self._lines.setdefault(y, {})
            for start, cells in _changed(line, x, _cells_of(strip, system), first, end):
                out.append(f"\x1b[{y + 1};{start + 1}H")
                for sign, wanted in cells:
                    codes, pen = _turn(pen, sign, wanted)
                    out.append(f"\x1b[{codes}m{sign}" if codes else sign)
                line.update(enumerate(cells, start))
        if pen != Pen():
            out.append("\x1b[0m")
        return "".join(out)


class Written(CompositorUpdate):
    """An update of Textual's, written through a frame."""

    def __init__(self, frame: Frame, update: ChopsUpdate | LayoutUpdate) -> None:
        self._frame = frame
        self._update = update

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self._update.__rich_console__(console, options)

    def render_segments(self, console: Console) -> str:
        """The escape sequences, in the colours that the console has."""
        return self._frame.write(self._update, console._color_system or ColorSystem.TRUECOLOR)


def _stretches(update: ChopsUpdate | LayoutUpdate) -> Iterator[tuple[int, int, Strip, int, int]]:
    """Line, column, content, and the first column and the end of what may have changed of it."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in strips:
                yield y, x, strip, x, x + strip.cell_length
                x += strip.cell_length
        return
    for y, first, end in update.spans:
        for x, chop in update.chops[y].items():
            if chop is not None and x < end and x + chop.cell_length > first:
                yield y, x, chop, first, end


def _cells_of(strip: Strip, system: ColorSystem) -> list[Cell]:
    return [
        cell
        for text, style, control in strip
        if not control
        for cell in _cells(text, Pen() if style is None else _pen(style, system))
    ]


@lru_cache(maxsize=4096)
def _pen(style: Style, system: ColorSystem) -> Pen:
    colour, ground = style.color, style.bgcolor
    return Pen(
        ";".join(code for name, code in _ATTRIBUTES.items() if getattr(style, name)),
        ";".join(colour.downgrade(system).get_ansi_codes()) if colour else "",
        ";".join(ground.downgrade(system).get_ansi_codes(foreground=False)) if ground else "",
    )


@lru_cache(maxsize=4096)
def _cells(text: str, pen: Pen) -> tuple[Cell, ...]:
    blank = Pen("", "", pen.ground) if pen.attributes in _INVISIBLE else pen
    width = cell_len(text)
    if width == len(text) and all(cell_len(sign) == 1 for sign in text):
        return tuple((sign, blank if sign == " " else pen) for sign in text)
    # Wide signs and those of several characters: only together do they take the cells that they take.
    return ((text, pen), *[("", pen)] * (width - 1)) if width else ()


def _changed(
    line: dict[int, Cell], x: int, cells: list[Cell], first: int, end: int
) -> Iterable[tuple[int, list[Cell]]]:
    """Runs of cells from column x on that differ from what stands on the line, between two columns."""
    start = stop = -1
    span = range(max(0, first - x), min(len(cells), end - x))
    for place, cell in zip(span, islice(cells, span.start, span.stop), strict=True):
        if line.get(x + place) == cell:
            continue
        if start >= 0 and place - stop > SHORTER:
            yield x + start, cells[start:stop]
            start = -1
        if start < 0:
            start = place
            while start > 0 and not cells[start][0]:
                start -= 1
        stop = max(stop, place + 1)
        while stop < len(cells) and not cells[stop][0]:
            stop += 1
    if start >= 0:
        yield x + start, cells[start:stop]


def _turn(pen: Pen, sign: str, wanted: Pen) -> tuple[str, Pen]:
    """SGR parameters that lead from a pen to one that draws the sign as wanted, and that pen."""
    if sign == " " and not wanted.attributes and pen.attributes in _INVISIBLE:
        wanted = pen._replace(ground=wanted.ground)  # nobody sees the rest
    if wanted == pen:
        return "", pen
    codes = []
    if pen.attributes and wanted.attributes != pen.attributes:
        codes, pen = ["0"], Pen()
    if wanted.attributes != pen.attributes:
        codes.append(wanted.attributes)
    if wanted.colour != pen.colour:
        codes.append(wanted.colour or "39")
    if wanted.ground != pen.ground:
        codes.append(wanted.ground or "49")
    return ";".join(codes), wanted
