"""A rich renderable on the screen, line by line: it scrolls, and repaints only the lines that changed."""

from __future__ import annotations

from typing import ClassVar

from rich.console import RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from intruder_tui.ui.look import Look


class Picture(ScrollView, can_focus=True):
    """Draws what `drawn` returns; `repaint` draws it anew."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "Down", show=False, id="picture.down"),
        Binding("up,k", "scroll_up", "Up", show=False, id="picture.up"),
        Binding("g,home", "scroll_home", "Top", show=False, id="picture.first"),
        Binding("G,end", "scroll_end", "End", show=False, id="picture.last"),
    ]

    def __init__(self, look: Look, *, id: str) -> None:
        super().__init__(id=id)
        self._look = look
        look.dress(self)
        self._lines: list[Strip] = []

    def drawn(self, width: int, lines: int) -> RenderableType:
        """The picture for a place of that size; it may be longer than `lines`, and then scrolls."""
        raise NotImplementedError

    def marked(self) -> range:
        """The lines under the cursor."""
        return range(0)

    @property
    def room(self) -> Size:
        """Columns and lines there are."""
        return self.scrollable_content_region.size

    def repaint(self) -> None:
        """Draw anew; lines that stay as they were are not written again."""
        room = self.room
        if not room.width or not room.height:
            return
        options = self.app.console.options.update(
            width=room.width, height=None, no_wrap=False, overflow="fold", highlight=False, markup=False
        )
        parts = self.app.console.render_lines(self.drawn(room.width, room.height), options)
        marked = self.marked()
        before, self._lines = (
            self._lines,
            [
                Strip(_under(line, self._look.tones.cursor) if y in marked else line, room.width)
                for y, line in enumerate(parts)
            ],
        )
        size = Size(room.width, len(self._lines))
        if size != self.virtual_size:
            self.virtual_size = size
            self.refresh()
            return
        top = self.scroll_offset.y
        for y, (old, new) in enumerate(zip(before, self._lines, strict=False)):
            if old != new and 0 <= y - top < room.height:
                self.refresh(Region(0, y - top, room.width, 1))

    def reveal(self, line: int) -> None:
        """Scroll just far enough that a line is seen."""
        top, height = self.scroll_offset.y, self.room.height
        goal = line if line < top else line - height + 1 if line >= top + height else top
        if goal != top:
            self.scroll_to(y=goal, animate=False, immediate=True)

    def reveal_part(self, start: int, end: int) -> None:
        """Scroll just far enough that these lines are seen, or as many of the first as there is room for."""
        last = end - 1 if end - start <= self.room.height else start + self.room.height - 1
        self.call_after_refresh(self.reveal, last)

    def plain(self) -> str:
        """The picture as text."""
        return "\n".join(line.text.rstrip() for line in self._lines).rstrip()

    def copied(self) -> str:
        """What a person who copies gets."""
        return self.plain()

    def waiting(self) -> Text:
        """What stands where nothing is known yet."""
        return Text(self._look.glyphs.idle, self._look.tones.muted)

    def on_resize(self, event: events.Resize) -> None:
        """Fit it anew."""
        self.repaint()

    def get_line_filters(self) -> list[LineFilter]:
        """All but what would translate colours that we chose."""
        return self._look.unfiltered(super().get_line_filters())

    def render_line(self, y: int) -> Strip:
        """A line of the picture."""
        at = y + self.scroll_offset.y
        width, own = self.size.width, self.rich_style
        if at >= len(self._lines):
            return Strip.blank(width, own)
        return self._lines[at].adjust_cell_length(width, own).apply_style(own)


def _under(line: list[Segment], cursor: Style) -> list[Segment]:
    """A line with the cursor on it."""
    return [Segment(text, (style or Style()) + cursor + Style(reverse=True)) for text, style, _ in line]
