"""The model map on the screen: a cursor, a read-out, and a measure that can be switched."""

from __future__ import annotations

from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from intruder_tui.checkpoint.names import printable
from intruder_tui.findings.model_map import Cell, Measure, ModelMap, model_map
from intruder_tui.ui.look import Look
from intruder_tui.ui.measuring import Measuring
from intruder_tui.ui.messages import Jumped
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.picture import Picture
from intruder_tui.views import numbers
from intruder_tui.views.map_picture import MOST_OTHERS, MapPicture

BREATH = 0.02
"""Seconds between two chunks of results that are read for a heavy measure."""


class MapGrid(Picture):
    """Layers x module types; the cursor stands on a cell."""

    HELP_NAME = "model map"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(0,-1)", "Previous layer", show=False, id="model.left"),
        Binding("right,l", "move(0,1)", "Next layer", show=False, id="model.right"),
        Binding("up,k", "move(-1,0)", "Previous module type", show=False, id="model.up"),
        Binding("down,j", "move(1,0)", "Next module type", show=False, id="model.down"),
        Binding("g,home", "corner(0)", "First cell", show=False, id="model.first"),
        Binding("G,end", "corner(-1)", "Last cell", show=False, id="model.last"),
        Binding("enter", "jump", "Go to the matrix", show=False, id="model.enter"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="modelgrid")
        self._map: ModelMap | None = None
        self._picture: MapPicture | None = None
        self._wanted: str | None = None
        self.cursor = (0, 0)

    def show(self, one: ModelMap) -> None:
        """Show another map, or the same one further filled."""
        self._map = one
        self.repaint()

    def drawn(self, width: int, lines: int) -> RenderableType:
        """The map, laid out for the width there is."""
        if self._map is None:
            return self.waiting()
        look = self._look
        bare = MapPicture(self._map, width, None, look.mode, look.glyphs, look.colourmap)
        rows, columns = self.reach(bare)
        if self._wanted is not None:
            self.cursor = bare.spot(self._wanted) or self.cursor
            self._wanted = None
        self.cursor = (min(self.cursor[0], max(0, rows - 1)), min(self.cursor[1], max(0, columns - 1)))
        self._picture = MapPicture(self._map, width, self.cursor, look.mode, look.glyphs, look.colourmap)
        return self._picture

    @staticmethod
    def reach(picture: MapPicture) -> tuple[int, int]:
        """Rows and columns that are drawn: of the matrices outside the layers only the first few are."""
        modules, others = len(picture.map.modules), len(picture.map.others)
        return modules + min(others, MOST_OTHERS), picture.shape[1]

    @property
    def cell(self) -> Cell | None:
        """The cell under the cursor."""
        picture = self._picture
        return None if picture is None or not self.reach(picture)[0] else picture.cell(*self.cursor)

    def point(self, name: str) -> None:
        """Put the cursor on a matrix, where the map has it, when it is drawn next."""
        self._wanted = name

    def action_move(self, down: int, right: int) -> None:
        """Move by a cell, over the gaps of layers that lack the module."""
        picture = self._picture
        if picture is None:
            return
        rows, columns = self.reach(picture)
        row, column = self.cursor
        while 0 <= (row := row + down) < rows and 0 <= (column := column + right) < columns:
            if row >= len(picture.map.modules) and right:
                return
            if picture.cell(row, column) is not None:
                self._go((row, column))
                return

    def action_corner(self, which: int) -> None:
        """Go to the first or the last cell there is."""
        picture = self._picture
        if picture is None:
            return
        rows, columns = self.reach(picture)
        places = [(r, c) for r in range(rows) for c in range(columns) if picture.cell(r, c) is not None]
        if places:
            self._go(places[which])

    def action_jump(self) -> None:
        """Make the most telling matrix of the cell the selected one."""
        if self.cell is not None:
            self.post_message(Jumped(self.cell.names[0]))

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor there."""
        spot = None if self._picture is None else self._picture.at(event.x, event.y + self.scroll_offset.y)
        if spot is not None and self._picture is not None and self._picture.cell(*spot) is not None:
            self._go(spot)

    def _go(self, spot: tuple[int, int]) -> None:
        self.cursor = spot
        self.repaint()
        self.follow()

    def on_resize(self, event: events.Resize) -> None:
        """A map hidden so far gets its place, and with it a cell under the cursor."""
        self.repaint()
        self.follow()

    def follow(self) -> None:
        """Show the line the cursor is on, and what is under it."""
        spot, picture = self.cursor, self._picture
        if picture is not None:
            modules = len(picture.map.modules)
            outside = spot[0] >= modules
            # A head line over the modules, and the sums between them and what lies outside the layers.
            over = 1 + outside if modules else 0
            self.reveal(spot[0] + over if spot[0] else 0)
        if isinstance(self.parent, MapView):
            self.parent.read_out()


class MapView(Vertical):
    """The grid and what its cursor is on."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="modelmap")
        self._look = look
        self._scope: Scope | None = None
        self._measuring: dict[int, Measuring] = {}
        self._reading = False
        self.measure = Measure.COUNT

    def compose(self) -> ComposeResult:
        """Grid, read-out."""
        yield MapGrid(self._look)
        yield Line(id="spot", ellipsis=self._look.glyphs.ellipsis)

    @property
    def grid(self) -> MapGrid:
        """The grid."""
        return self.query_one(MapGrid)

    def current(self, scope: Scope) -> ModelMap:
        """The map as it is now."""
        known = self._measuring[scope.at].known if scope.at in self._measuring else {}
        return model_map(scope.session, scope.definition, self.measure, known)

    def tell(self, scope: Scope) -> None:
        """Show what is known now; the cursor follows the selected matrix when that changes."""
        before, self._scope = self._scope, scope
        self._read()
        moved = before is None or (before.at, before.name) != (scope.at, scope.name)
        if moved and scope.name is not None:
            self.grid.point(scope.name)
        self.grid.show(self.current(scope))
        if moved:
            self.grid.follow()
        self.read_out()

    def copied(self) -> str:
        """The words on what the cursor is on."""
        return self.query_one("#spot", Line).text

    def turn(self) -> None:
        """Show the next measure."""
        measures = list(Measure)
        self.measure = measures[(measures.index(self.measure) + 1) % len(measures)]
        if self._scope is not None:
            self.tell(self._scope)

    def read_out(self) -> None:
        """Say which matrix the cursor is on and what is known of it."""
        cell, tones = self.grid.cell, self._look.tones
        text = Text(no_wrap=True)
        text.append(f"{self.measure.value}   ", tones.active)
        if cell is not None:
            names = printable(cell.names[0].removesuffix(".weight"))
            if len(cell.names) > 1:
                names += f" and {len(cell.names) - 1} more"
            text.append(f"{self._value(cell)}   ", tones.strong)
            text.append(names, tones.muted)
        self.query_one("#spot", Line).show(text)

    def _value(self, cell: Cell) -> str:
        glyphs = self._look.glyphs
        if cell.unchanged:
            return "unchanged"
        if cell.low is None or cell.high is None:
            return "failed" if cell.failed else "waiting" if cell.waiting else "not analysed"
        match self.measure:
            case Measure.COUNT:
                low, high = f"{cell.low:.0f}", f"{cell.high:.0f}"
                return low if low == high else f"{low}{glyphs.to}{high}"
            case Measure.LOWEST:
                return numbers.cosine(cell.low, cell.high, decimals=3, glyphs=glyphs)
            case Measure.RELATIVE:
                return numbers.percent(cell.low)
            case _:
                return f"{cell.low:.1f}"

    def _read(self) -> None:
        """Start reading results for a heavy measure; it ends by itself."""
        scope = self._scope
        if scope is None or not self.measure.heavy or self._reading:
            return
        self._measuring.setdefault(scope.at, Measuring(scope.session))
        self._reading = True
        self.set_timer(BREATH, self._read_on)

    def _read_on(self) -> None:
        self._reading = False
        scope = self._scope
        if scope is None or not self.measure.heavy or not self.display or scope.at not in self._measuring:
            return
        if self._measuring[scope.at].step():
            self.grid.show(self.current(scope))
            self.read_out()
            self._read()
