"""The heatmap's lines: what they show, how they look without colour, how little they write."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from rich.console import Console
from rich.segment import Segment
from tests.support.grids import grid
from tests.support.results import planted

from intruder_tui.definition import Side, Verdict
from intruder_tui.results import Similarity
from intruder_tui.views import margins
from intruder_tui.views.field import Field, column_marks
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.heatmap import Heatmap, legend
from intruder_tui.views.painter import Painter, Scale, fit
from intruder_tui.views.palette import ColourMode, ramp

BLOCKS = st.integers(1, 9).flatmap(
    lambda n: arrays.arrays(np.float32, (n, n), elements=st.floats(0, 1, width=32))
)


def painter(block: np.ndarray, scale: Scale, mode: ColourMode = ColourMode.TRUECOLOR) -> Painter:
    return Painter(grid(block, len(block)), (), scale, mode)


def levels_of(line: list[Segment], mode: ColourMode) -> list[tuple[int, int]]:
    """(top, bottom) level of every column of a line, read back from its colours."""
    colours = list(ramp(mode).colours)
    out = []
    for segment in line:
        assert segment.style is not None
        assert segment.style.bgcolor is not None
        bottom = colours.index(segment.style.bgcolor)
        top = bottom if segment.text[0] == " " else colours.index(segment.style.color)
        out += [(top, bottom)] * len(segment.text)
    return out


@pytest.mark.parametrize("mode", [ColourMode.TRUECOLOR, ColourMode.MANY])
@given(BLOCKS, st.sampled_from([Scale(1, 1), Scale(2, 1), Scale(4, 2), Scale(3, 4)]))
def test_colours_say_the_values(mode: ColourMode, block: np.ndarray, scale: Scale) -> None:
    one = painter(block, scale, mode)
    levels = ramp(mode).levels(block)
    rows = len(block)
    for line in range(one.lines):
        seen = levels_of(one.line(line), mode)
        for column in range(rows):
            top = levels[min(2 * line // scale.height, rows - 1), column]
            bottom = levels[min((2 * line + 1) // scale.height, rows - 1), column]
            assert seen[column * scale.width : (column + 1) * scale.width] == [(top, bottom)] * scale.width


@given(BLOCKS)
def test_neighbours_that_look_alike_are_one_segment(block: np.ndarray) -> None:
    one = painter(block, Scale(2, 1))
    for line in range(one.lines):
        styles = [segment.style for segment in one.line(line)]
        assert all(a != b for a, b in pairwise(styles))


@pytest.mark.parametrize("mode", list(ColourMode)[1:])
@pytest.mark.parametrize("signs", [UNICODE, ASCII])
@pytest.mark.parametrize("scale", [Scale(1, 1), Scale(2, 1), Scale(4, 2), Scale(9, 6)])
def test_every_line_is_as_wide_as_the_map(mode: ColourMode, signs: object, scale: Scale) -> None:
    result = planted()
    cells = grid(result.left.block, 8)
    one = Painter(
        cells, column_marks(Field(Side.LEFT, 128, result.left), 128, 0.5, cells), scale, mode, signs
    )
    parts = [margins.numbers(one, 3), margins.tops(one), margins.bottoms(one)]
    parts += [one.line(line, (2, 3)) for line in range(one.lines)]
    for part in parts:
        assert sum(segment.cell_length for segment in part) == 8 * scale.width
    for line in range(one.lines):
        assert sum(segment.cell_length for segment in margins.gutter(one, line, 2)) == 7


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 80))
def test_a_scale_fits_or_is_the_smallest(k: int, width: int, lines: int) -> None:
    scale = fit(k, k, width, lines)
    assert k * scale.width <= width or scale.width == 1
    assert k * scale.height <= 2 * lines or scale.height == 1


def test_rows_of_lines_and_lines_of_rows_agree() -> None:
    block = np.zeros((5, 5), np.float32)
    for height in (1, 2, 4, 6):
        one = painter(block, Scale(2, height))
        covered = sorted({line for row in range(5) for line in one.lines_of(row)})
        assert covered == list(range(one.lines))


def test_an_intruder_column_is_outlined_without_colour() -> None:
    block = np.eye(3, dtype=np.float32)
    marks = (Verdict.MATCHED, Verdict.INTRUDER, Verdict.UNDECIDED)
    one = Painter(grid(block, 3), marks, Scale(4, 2), ColourMode.NONE, ASCII)

    def text(segments: list[Segment]) -> str:
        return "".join(segment.text for segment in segments)

    assert text(margins.tops(one)) == "    +--+ ~  "
    assert text(one.line(0)) == "@@@@|  |    "
    assert text(one.line(1)) == "    |@@|    "
    assert text(margins.bottoms(one)) == "    +--+ ~  "


def test_what_is_not_known_yet_keeps_its_place() -> None:
    one = Painter(grid(np.empty((0, 0), np.float32), 3), (), Scale(4, 4), ColourMode.TRUECOLOR)
    assert ["".join(s.text for s in one.line(line)) for line in range(2)] == [" ··  ··  ·· ", " " * 12]


def test_a_pooled_column_takes_the_most_alarming_verdict() -> None:
    best = np.array([0.9, 0.1, 0.9, 0.9], np.float32)
    similarity = Similarity(best, best, np.zeros(4, np.int32), np.eye(4, dtype=np.float32))
    cells = grid(similarity.block, 4, 2, 2)
    assert column_marks(Field(Side.LEFT, 4, similarity), 4, 0.5, cells) == (Verdict.INTRUDER, Verdict.MATCHED)


def test_the_legend_marks_eps_where_it_lies() -> None:
    text = "".join(s.text for s in legend(ColourMode.NONE, 0.25, ASCII, 60))
    bar = text[len("|cos| 0 ") : len("|cos| 0 ") + 20]
    assert bar.index("!") == 5
    assert "eps 0.25" in text


GOLDEN = """\
 tuned   0    1    2    3    4    5
  base +---+          +---+
     0 | \\ |@@@@@     |   |
     1 |   |  \\  @@@@@|   |
     2 |   |       \\  |   |@@@@@
     3 |   |          | \\ |     @@@@@
     4 |   |          |   |  \\
     5 |   |          |   |       \\
       +---+          +---+
       |cos| 0  .:-=!*#%@ 1   ! eps 0.50   ++ intruder
"""


def test_a_planted_pair_as_plain_text() -> None:
    result = planted(strengths=(1.2, 0.5))
    console = Console(width=56, color_system=None)
    with console.capture() as capture:
        console.print(Heatmap((Field(Side.LEFT, 96, result.left),), 6, 0.5, ColourMode.NONE, ASCII, lines=6))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN


def test_a_map_larger_than_the_paper_is_pooled() -> None:
    result = planted(96, 96, limit=80)
    console = Console(width=47, color_system=None)
    with console.capture() as capture:
        console.print(
            Heatmap((Field(Side.LEFT, 96, result.left),), 80, 0.5, ColourMode.NONE, UNICODE, lines=10)
        )
    lines = capture.get().splitlines()
    assert len(lines) == 2 + 10 + 2
    assert max(len(line) for line in lines) <= 47


@pytest.mark.parametrize("cursor", [None, 0, 7, -1])
def test_no_two_column_numbers_run_into_each_other(cursor: int | None) -> None:
    for columns in range(8, 52):
        shown = grid(np.zeros((256, 256), np.float32), 256, 8, columns)
        count = len(shown.column_edges) - 1
        at = None if cursor is None else cursor % count
        line = margins.numbers(Painter(shown, (), Scale(1, 1), ColourMode.TRUECOLOR), at)
        numbers = "".join(segment.text for segment in line).split()
        assert {int(number) for number in numbers} <= {int(edge) for edge in shown.column_edges[:-1]}
        assert at is None or str(int(shown.column_edges[at])) in numbers


def test_bounds_alone_are_no_picture() -> None:
    none = np.empty((0, 0), np.float32)
    bounds = Similarity(np.zeros(3, np.float32), np.ones(3, np.float32), np.full(3, -1, np.int32), none)
    console = Console(width=60, color_system=None)
    with console.capture() as capture:
        console.print(Heatmap((Field(Side.LEFT, 3, bounds),), 3, 0.5, ColourMode.NONE, ASCII))
    assert capture.get() == "only bounds are known: no similarities to draw\n"


@pytest.mark.parametrize("signs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [44, 50, 55, 60])
def test_the_legend_names_the_outline_at_every_usual_width(width: int, signs: Glyphs) -> None:
    for mode in (ColourMode.TRUECOLOR, ColourMode.NONE):
        text = "".join(s.text for s in legend(mode, 0.5, signs, width))
        assert text.endswith("intruder")
        assert f"{signs.eps} 0.50" in text
        assert len(text) <= width


def test_no_sign_of_a_value_is_a_sign_of_the_outline() -> None:
    for signs in (UNICODE, ASCII):
        assert not set(signs.ramp + signs.heights) & {*signs.edges, signs.upright, signs.setting}
