"""What is written to the terminal: the same picture as Textual's own writing gives, in fewer bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from tests.support.terminal import Terminal
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from intruder_tui.ui.frame import Frame, Written

WIDTH, HEIGHT = 12, 3
NARROW = ("a", "b", " ", "─")
ALL = (*NARROW, "漢")
Picture = list[Strip]


def line(chance: Random, signs: Sequence[str]) -> Strip:
    """A line of the screen's width; a wide sign that has no room at its end is left out."""
    parts = [
        Segment("".join(chance.choices(signs, k=chance.randint(1, 5))), style(chance))
        for _ in range(chance.randint(0, 6))
    ]
    return Strip(parts).adjust_cell_length(WIDTH, Style(bgcolor="#000000"))


def style(chance: Random) -> Style:
    """Colours and attributes that may or may not be seen on a blank."""
    colour = chance.choice([None, "#ff0000", "#00ff00"])
    ground = chance.choice([None, "#0000ff", "#000000"])
    bold, underline, reverse = (chance.random() < 0.3 for _ in range(3))
    return Style(color=colour, bgcolor=ground, bold=bold, underline=underline, reverse=reverse)


def picture(chance: Random, signs: Sequence[str]) -> Picture:
    """All lines."""
    return [line(chance, signs) for _ in range(HEIGHT)]


class Screen:
    """A terminal emulator that is written to."""

    def __init__(self) -> None:
        self._screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self._screen)

    def feed(self, written: str) -> None:
        """Take in what is written."""
        self._stream.feed(written)

    def seen(self) -> list[tuple[object, ...]]:
        """What a person sees in each cell: a blank has no colour of its own."""
        cells = (self._screen.buffer[y][x] for y in range(HEIGHT) for x in range(WIDTH))
        return [
            (cell.data, cell.bg)
            if cell.data == " " and not (cell.underscore or cell.reverse)
            else (cell.data, cell.fg, cell.bg, cell.bold, cell.underscore, cell.reverse)
            for cell in cells
        ]


def whole(picture: Picture) -> LayoutUpdate:
    """An update of everything."""
    return LayoutUpdate([[strip] for strip in picture], Region(0, 0, WIDTH, HEIGHT))


def partial(before: Picture, after: Picture, chance: Random) -> tuple[ChopsUpdate, Picture]:
    """An update of some columns of every line, which is cut as by two widgets; and the new picture."""
    first, end = sorted(chance.sample(range(WIDTH + 1), 2))
    cut = chance.randint(1, WIDTH - 1)
    new = [
        Strip.join([old.crop(0, first), fresh.crop(first, end), old.crop(end)])
        for old, fresh in zip(before, after, strict=True)
    ]
    chops = [{0: strip.crop(0, cut), cut: strip.crop(cut)} for strip in new]
    spans = [(y, first, end) for y in range(HEIGHT)]
    return ChopsUpdate(chops, spans, [[cut, WIDTH]] * HEIGHT), new


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_the_screen_shows_what_textual_writes(seed: int) -> None:
    chance = Random(seed)
    console = Console(color_system="truecolor", force_terminal=True)
    ours, theirs, frame = Screen(), Screen(), Frame()
    now = picture(chance, NARROW)
    updates: list[ChopsUpdate | LayoutUpdate] = [whole(picture(chance, ALL)), whole(now)]
    for _ in range(chance.randint(0, 3)):
        update, now = partial(now, picture(chance, NARROW), chance)
        updates.append(update)
    for one in (*updates, whole(picture(chance, ALL))):
        ours.feed(Written(frame, one).render_segments(console))
        theirs.feed(one.render_segments(console))
        assert ours.seen() == theirs.seen()


def test_nothing_is_written_for_what_stands_there_already() -> None:
    frame, picture = Frame(), [Strip([Segment("one line", Style(color="#ff0000"))])]
    assert "one line" in frame.write(whole(picture), ColorSystem.TRUECOLOR)
    assert frame.write(whole(picture), ColorSystem.TRUECOLOR) == ""
    frame.forget()
    assert "one line" in frame.write(whole(picture), ColorSystem.TRUECOLOR)


def written_by(terminal: Terminal) -> int:
    """Bytes until nothing more is written."""
    written = 0
    while more := terminal.read(0.5):
        written += more
    return written


def test_a_slow_line_is_enough_for_24_bit_colour(tmp_path: Path) -> None:
    terminal = Terminal("demo", "--color", "truecolor", cache=tmp_path / "cache", columns=120, lines=40)
    try:
        terminal.until("strongest")
        terminal.send("\tU")  # to the heatmap, both sides
        terminal.until("V, input space")
        written_by(terminal)
        for key in "ljhk":
            terminal.send(key)
            assert 0 < written_by(terminal) < 2_000
        assert terminal.read(1.5) == 0  # at rest
        terminal.send("\x0c")  # ctrl+l
        assert written_by(terminal) > 3_000
        terminal.resize(120, 41)
        assert 3_000 < written_by(terminal) < 64_000  # a whole frame
        shown = terminal.text()
        terminal.resize(120, 40)
        written_by(terminal)
        assert terminal.text().splitlines()[:5] == shown.splitlines()[:5]
    finally:
        terminal.close()
