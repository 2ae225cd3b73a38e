"""Plots of sweeps against golden text."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.support.results import bounded, planted
from tests.support.sweeps import matrix_members

from intruder_tui.definition import Definition
from intruder_tui.findings.sweep import by_eps, by_k
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.sweep import SweepView, count_text, cut, share_text


def shown(
    width: int, glyphs: Glyphs = ASCII, mode: ColourMode = ColourMode.NONE, lines: int = 20
) -> list[str]:
    definition = Definition()
    exact, loose = planted(strengths=(1.2, 0.4, 0.3)), bounded(planted(strengths=(1.2, 0.4, 0.3)), 0.1)
    some = [matrix_members(exact), matrix_members(loose)]
    names = ["exact", "bounds"]
    view = SweepView(
        [by_eps(name, one, definition) for name, one in zip(names, some, strict=True)],
        [by_k(name, one, definition) for name, one in zip(names, some, strict=True)],
        definition,
        mode,
        glyphs,
        lines,
    )
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [24, 40, 80, 120])
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_it_fits(width: int, glyphs: Glyphs) -> None:
    lines = shown(width, glyphs)
    assert max(len(line) for line in lines) <= width
    assert len(lines) <= 20
    if glyphs is ASCII:
        assert "".join(lines).isascii()


def test_golden_text() -> None:
    assert [line.rstrip() for line in shown(60, lines=22)] == [
        "count over eps at k 10, cut above 6",
        "     6 |                          !                   ::::::",
        "       |                          !                   ::::::",
        "     4 |                          !                   ::::::",
        "       |                          !                   ::::::",
        "       | :::::::::::::::::::.--o-.+---------+---------+-----",
        "     2 | ::::::::::::::::::.':::.'!",
        "       | ::::::::::::::::.-'::.-' !",
        "     0 |------+---------+-----'   !",
        "    eps 0        0.2       0.4        0.6       0.8        1",
        "        o exact 3   + bounds 3   :: undecided   ! eps 0.50",
        "count over k at eps 0.50",
        "     3 |            .---+---------+---------+---------+-----",
        "       |            |  !",
        "     2 |       .----'  !",
        "       |       |       !",
        "       |       |       !",
        "     1 |------+'       !",
        "       |               !",
        "     0 |               !",
        "      k        5      10      15      20      25       30",
        "        o exact 3   + bounds 3   ! k 10",
    ]


def test_a_longer_legend_takes_lines_from_the_other_plot() -> None:
    definition, members = Definition(), matrix_members(planted(strengths=(1.2, 0.4)))
    names = [f"run/checkpoint-{step}" for step in (5, 20, 60)]
    one = SweepView(
        [by_eps(name, members, definition) for name in names],
        [by_k("alone", members, definition)],
        definition,
        ColourMode.NONE,
        ASCII,
        14,
    )
    console = Console(width=44, color_system=None)
    with console.capture() as capture:
        console.print(one)
    lines = capture.get().splitlines()
    assert len(lines) <= 14
    assert not any("no room" in line for line in lines)
    assert sum(line.startswith("count over") for line in lines) == 2


def test_a_place_without_room_or_answers_says_so() -> None:
    assert shown(12)[1].startswith("no room")
    console = Console(width=60, color_system=None)
    with console.capture() as capture:
        none = by_eps("", [], Definition())
        console.print(SweepView([none], [by_k("", [], Definition())], Definition()))
    assert capture.get().strip() == "nothing analysed to sweep over"


def test_words() -> None:
    assert count_text(7, 7) == "7"
    assert count_text(7, 9, ASCII) == "7-9"
    assert share_text(10, 4096) == "10 of 4096, 0.24 % of all"
    assert share_text(10, 8) == "8 of 8, 100 % of all"


def test_the_cut_keeps_what_the_setting_shows() -> None:
    sweep = by_eps("", matrix_members(bounded(planted(strengths=(1.2, 0.4, 0.3)))), Definition())
    top = cut([sweep], Definition())
    assert top is not None
    assert sweep.value(0.8)[1] <= top < sweep.possible[-1]
    assert cut([by_eps("", [], Definition())], Definition()) is None
