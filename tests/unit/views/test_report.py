"""One matrix on paper: any width, any name, any state."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.support.results import bounded, planted, unchanged

from intruder_tui.definition import Definition
from intruder_tui.results import MatrixResult
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.report import matrix_report


def shown(result: MatrixResult, width: int, signs: Glyphs = UNICODE, name: str = "a.weight") -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(
            matrix_report(name, result, Definition(), width=width, glyphs=signs, colours=ColourMode.NONE)
        )
    return capture.get()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("result", [planted(), bounded(planted())], ids=["exact", "bounds"])
def test_nothing_is_wider_than_the_paper(width: int, result: MatrixResult) -> None:
    assert max(len(line) for line in shown(result, width).splitlines()) <= width


def test_ascii_is_ascii() -> None:
    assert shown(planted(), 100, ASCII).isascii()


def test_it_holds_every_part() -> None:
    text = shown(planted(), 100)
    for part in (
        "a.weight",
        "160 × 128",
        "match no base vector",
        "Inference:",
        "|cos| 0",
        "verdict",
        "stable rank",
    ):
        assert part in text


def test_an_unchanged_matrix_is_two_lines() -> None:
    assert shown(unchanged(), 100).splitlines()[1] == "Unchanged: the tuned weight equals the base weight."


def test_a_hostile_name_is_only_text() -> None:
    text = shown(planted(), 120, name="[link=http://x]\x1b[31mred\u202e[/0].weight")
    assert "\x1b" not in text
    assert "[link=http://x]" in text
    assert "\u202e" not in text
