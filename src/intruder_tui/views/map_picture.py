"""The model map drawn: module types down, layers across, the margins beside and beneath."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap

import numpy as np
from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from intruder_tui.checkpoint.names import printable
from intruder_tui.findings.model_map import Cell, Measure, ModelMap, merged
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import COLOURMAP, ColourMode, ramp, tones

LONGEST_MODULE = 26
TOTAL = 6
"""Columns of the margin at the right."""
BLACK, WHITE = 16, 231
"""Of the 256 colours, those that no theme makes grey."""
NUMBER = 5
"""Columns below which a measure with decimals is drawn in tenths."""
MANY = "+"
MOST_OTHERS = 6
"""Matrices outside the layers that get a line each."""


@dataclass(frozen=True, eq=False)
class MapPicture:
    """A rich renderable of a map; layers that don't fit are drawn several to a column.

    Attributes:
        cursor: (row, column) of the drawn grid, row len(modules) + n standing for the n-th other matrix.
        width: columns it is laid out for; `rich` crops what a narrower console can't show.
    """

    map: ModelMap
    width: int = 80
    cursor: tuple[int, int] | None = None
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    colourmap: str = COLOURMAP

    @cached_property
    def gutter(self) -> int:
        """Columns of the module names."""
        names = [*self.map.modules, *(name for name, _ in self.map.others), "layer"]
        return min(LONGEST_MODULE, max(10, self.width // 3), max(cell_len(printable(n)) for n in names)) + 1

    @cached_property
    def size(self) -> int:
        """Columns of a cell."""
        room = self.width - self.gutter - TOTAL
        wanted = 7 if self.map.measure is not Measure.COUNT else 5
        return max(2, min(wanted, room // max(1, len(self.map.layers))))

    @cached_property
    def edges(self) -> list[int]:
        """Drawn column c covers the layers edges[c] .. edges[c + 1] - 1."""
        layers = len(self.map.layers)
        most = max(1, (self.width - self.gutter - TOTAL) // self.size)
        step = max(1, math.ceil(layers / most))
        return [*range(0, layers, step), layers]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns a cursor may stand on; rows after the modules are the other matrices."""
        return len(self.map.modules) + len(self.map.others), len(self.edges) - 1

    def cell(self, row: int, column: int) -> Cell | None:
        """The cell drawn there, its most telling matrix first; None where no layer has that module."""
        if row >= len(self.map.modules):
            return self.map.others[row - len(self.map.modules)][1]
        layers = range(self.edges[column], self.edges[column + 1])
        parts = [self.map.cells[row, layer] for layer in layers if (row, layer) in self.map.cells]
        return merged(parts, self.map.measure) if parts else None

    def spot(self, name: str) -> tuple[int, int] | None:
        """Where a matrix is drawn; None if the map lacks it."""
        for (row, layer), cell in self.map.cells.items():
            if name in cell.names:
                return row, int(np.searchsorted(self.edges, layer, side="right")) - 1
        for number, (_, cell) in enumerate(self.map.others):
            if name in cell.names:
                return len(self.map.modules) + number, 0
        return None

    def at(self, x: int, y: int) -> tuple[int, int] | None:
        """(row, column) under a screen position relative to the top left; None where no cell is."""
        row, column = y - 1, (x - self.gutter) // self.size
        if 0 <= row < len(self.map.modules) and x >= self.gutter and column < len(self.edges) - 1:
            return row, column
        return None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Head, a line a module, the totals by layer, the other matrices, the legend."""
        tone = tones(self.mode)
        if not self.map.modules and not self.map.others:
            yield Segment("no weight matrix to map", tone.muted)
            yield Segment.line()
            return
        rows = len(self.map.modules)
        if rows:
            yield from self._line("layer", self._heads(), tone.muted, self._aggregate_name())
        for row, module in enumerate(self.map.modules):
            cells = [s for column in range(len(self.edges) - 1) for s in self._drawn(row, column)]
            yield from self._line(module, cells, tone.text, self._text(self.map.by_module[row], TOTAL - 1))
        if rows:
            total = self._text(self.map.total, TOTAL - 1)
            yield from self._line(self._aggregate_name(), self._sums(), tone.muted, total)
        for number, (name, _) in enumerate(self.map.others[:MOST_OTHERS]):
            yield from self._line(name, self._drawn(rows + number, 0), tone.text, "")
        if len(self.map.others) > MOST_OTHERS:
            yield from self._line(f"{len(self.map.others) - MOST_OTHERS} more", [], tone.muted, "")
        for line in self._legend():
            yield Segment(line, tone.muted)
            yield Segment.line()

    def _aggregate_name(self) -> str:
        return {Measure.COUNT: "sum", Measure.LOWEST: "least"}.get(self.map.measure, "most")

    def _line(self, name: str, cells: Sequence[Segment], style: Style, total: str) -> list[Segment]:
        head = set_cell_size(_shortened(printable(name), self.gutter - 1, self.glyphs), self.gutter)
        end = Segment(f"{total:>{TOTAL}}", tones(self.mode).muted)
        return [Segment(head, style), *cells, *([end] if total else []), Segment.line()]

    def _heads(self) -> list[Segment]:
        names = self.map.layer_names()
        width = self.size * (len(self.edges) - 1)
        cells = [" "] * width
        end = -1
        stack = None
        for column, layer in enumerate(self.edges[:-1]):
            new_stack = self.map.layers[layer][0] != stack
            text = printable(names[layer] if new_stack else str(self.map.layers[layer][1]))
            stack = self.map.layers[layer][0]
            start = column * self.size + max(0, (self.size - len(text)) // 2)
            if start > end and start + len(text) <= width:
                cells[start : start + len(text)] = text
                end = start + len(text)
        return [Segment("".join(cells), tones(self.mode).muted)]

    def _sums(self) -> list[Segment]:
        cells = []
        for first, end in zip(self.edges[:-1], self.edges[1:], strict=True):
            cell = merged(self.map.by_layer[first:end], self.map.measure)
            cells.append(Segment(self._text(cell, self.size - 1).center(self.size), tones(self.mode).muted))
        return cells

    def _drawn(self, row: int, column: int) -> list[Segment]:
        tone = tones(self.mode)
        cell = self.cell(row, column)
        outside = row >= len(self.map.modules)
        if cell is None:
            text, style = "", tone.muted
        else:
            text = self._text(cell, self.size - 1 if not outside else 12)
            style = self._style(cell)
        if self.cursor == (row, column) or (outside and self.cursor is not None and self.cursor[0] == row):
            style = tone.cursor + Style(reverse=True)
        return [Segment(f" {text} " if outside else text.center(self.size), style)]

    def _style(self, cell: Cell) -> Style:
        tone = tones(self.mode)
        level = self._level(cell)
        if level is None:
            return tone.warning if self._text(cell, self.size) == self.glyphs.failed else tone.muted
        if not self.mode.ramp or not self.glyphs.half:
            return tone.accent if self.map.measure is Measure.COUNT else tone.text
        colours = ramp(self.mode, self.colourmap)
        place = int(colours.levels(np.array([level]))[0])
        ink = Color.from_ansi(BLACK if colours.contrast(place) == "black" else WHITE)
        return Style(color=ink, bgcolor=colours.colours[place])

    def _level(self, cell: Cell) -> float | None:
        """The value's place on the ramp, brightest what deserves a look; None for nothing to look at."""
        if cell.low is None or cell.high is None or cell.unchanged:
            return None
        if self.map.measure is Measure.LOWEST:
            return 1 - cell.high
        if cell.low == 0:
            return None
        return cell.low / self._largest

    @cached_property
    def _largest(self) -> float:
        rows, columns = self.shape
        cells = [self.cell(row, column) for row in range(rows) for column in range(columns)]
        return max((c.low for c in cells if c is not None and c.low), default=1.0)

    def _text(self, cell: Cell, width: int) -> str:
        """A value, marked where there is room and what failed is missing in it; else a sign of the state."""
        text, failed = self._value(cell, width), self.glyphs.failed
        lacking = cell.failed and cell.low is not None and text not in (failed, self.glyphs.idle)
        return text + failed if lacking and cell_len(text + failed) <= width else text

    def _value(self, cell: Cell, width: int) -> str:
        glyphs, low, high = self.glyphs, cell.low, cell.high
        if low is None or high is None:
            if cell.failed:
                return glyphs.failed
            return glyphs.unchanged if cell.unchanged else glyphs.queued if cell.waiting else glyphs.idle
        if cell.unchanged:
            return glyphs.unchanged
        match self.map.measure:
            case Measure.COUNT if high == 0:
                return glyphs.idle if cell.missing else glyphs.failed if cell.failed else glyphs.none
            case Measure.COUNT:
                text = f"{low:.0f}{glyphs.undecided if high > low else ''}"
            case Measure.LOWEST:
                text = f"{high:.2f}" if low == high else f"{glyphs.undecided}{numbers.ceiling(high)}"
                text = text.replace("0.", ".", 1) if width < NUMBER else text
            case Measure.RELATIVE:
                text = numbers.percent(low).replace(" %", "%").replace("< ", "<")
            case _:
                text = f"{low:.0f}" if low >= 10 else f"{low:.1f}"
        tenths = self.map.measure is not Measure.COUNT and width < NUMBER - 1
        return self._tenths(low, high) if tenths or cell_len(text) > width else text

    def _tenths(self, low: float, high: float) -> str:
        """One sign for a value that has no room: a number is never cut, it would read as another."""
        match self.map.measure:
            case Measure.COUNT:
                return MANY
            case Measure.LOWEST:
                return str(min(9, int(10 * high)))
            case _:
                return str(min(9, int(10 * low / self._largest)))

    def _legend(self) -> list[str]:
        glyphs = self.glyphs
        text = {
            Measure.COUNT: f"intruders in the top k; {glyphs.none} none, {glyphs.undecided} more undecided"
            + (f", {MANY} {10 ** (self.size - 1)} and more" if self.size < 4 else ""),
            Measure.LOWEST: f"lowest best |cos| of the top k; {glyphs.undecided} at most",
            Measure.RELATIVE: "norm of dW over norm of W0",
            Measure.EFFECTIVE: "effective rank of dW",
        }[self.map.measure]
        if self.size < NUMBER and self.map.measure is not Measure.COUNT:
            of = "" if self.map.measure is Measure.LOWEST else " of the largest"
            text = f"in tenths{of}: {text}"
        if len(self.edges) - 1 < len(self.map.layers):
            text = f"{self.edges[1]} layers a column; {text}"
        if self.map.total.failed:
            text += f"; {glyphs.failed} failed or refused, left out of totals"
        if self.map.refused:
            text += f"; {self.map.refused} refused"
        return wrap(text, max(1, self.width))


def _shortened(name: str, width: int, glyphs: Glyphs) -> str:
    """A name that keeps its end, which tells module types apart."""
    if cell_len(name) <= width:
        return name
    return glyphs.ellipsis + name[-(width - len(glyphs.ellipsis)) :]
