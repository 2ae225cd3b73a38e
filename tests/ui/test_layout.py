"""Sizes, colours, signs, hostile names, very many rows: it stays usable, and nothing spills."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.cells import cell_len
from tests.support.apps import TRUECOLOR, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, WEAK, llama_rows, llama_session
from tests.support.sessions import matrix_row, other_row, session

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.ui.widgets.line import Line, fitted
from intruder_tui.views.palette import ColourMode

SIZES = [(60, 20), (80, 24), (100, 30), (120, 34), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_every_view_has_its_words_at_every_size(size: tuple[int, int]) -> None:
    async with opened(size=size) as one:
        await one.press("n")
        for key, words in (
            ("1", "tuned"),
            ("2", "best |cos|"),
            ("3", "rank j"),
            ("4", "effective rank"),
            ("5", "count over k"),
            ("6", "self_attn.q_proj"),
            ("7", "One tuned"),
        ):
            await one.press(key)
            text = one.text()
            assert words in text
            assert "Tuned vectors 0 and 6 match no base vector" in text
            assert "? help" in text
            assert "q quit" in text
            assert "side U" in text
            assert all(cell_len(line) == size[0] for line in text.splitlines())


@pytest.mark.parametrize("size", SIZES)
async def test_ten_vectors_fit_without_scrolling(size: tuple[int, int]) -> None:
    async with opened(size=size) as one:
        await one.press("n")
        assert not one.map.pooled
        assert one.map.panels is not None
        assert one.map.panels.first.grid.shape == (10, 10)
        await one.press("2")
        assert not one.table.show_horizontal_scrollbar


async def test_under_seventy_columns_the_tree_is_a_drawer() -> None:
    async with opened(size=(60, 20)) as one:
        assert not one.main.query_one("#side").display
        assert one.main.query_one("#pane").display
        await one.press("b")
        assert one.main.query_one("#side").display
        assert not one.main.query_one("#pane").display
        assert one.tree.has_focus
        await one.press("down", "enter")
        assert one.main.query_one("#pane").display
        assert one.map.has_focus
        await one.press("b", "escape")
        assert one.main.query_one("#pane").display


async def test_keys_work_on_a_narrow_screen_from_the_start() -> None:
    async with opened(size=(60, 20)) as one:
        await one.press("n")
        assert one.main.selected == STRONG
        assert one.map.has_focus
        await one.press("l")
        assert one.map.cursor == (0, 1)
        await one.press("slash", *"down_proj 3".replace(" ", ""), "escape")
        assert one.main.query_one("#side").display


async def test_a_resize_storm_ends_where_it_should() -> None:
    generator = random.Random(0)
    async with opened() as one:
        await one.press("n")
        for _ in range(8):
            await one.pilot.resize_terminal(generator.randint(20, 200), generator.randint(6, 60))
            await one.press(generator.choice("1234vbjkuhl"))
        await one.pilot.resize_terminal(120, 34)
        await one.settle()
        assert all(cell_len(line) == 120 for line in one.text().splitlines())


@pytest.mark.parametrize("mode", ["truecolor", "none"])
async def test_ascii_is_ascii_in_every_view(mode: str) -> None:
    options = replace(TRUECOLOR, ascii=True, colour=mode)
    async with opened(options=options, size=(80, 24)) as one:
        await one.press("n", "tab")
        for key in ("1", "2", "3", "4", "5", "6", "7", "question_mark", "escape", "L", "escape", "shift+tab"):
            await one.press(key)
            assert one.text().isascii(), [c for c in one.text() if ord(c) > 127]
        await one.press("y")
        await one.settle()
        assert one.text().isascii(), [c for c in one.text() if ord(c) > 127]


async def test_no_color_draws_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(options=replace(TRUECOLOR, colour="auto")) as one:
        await one.press("n")
        assert one.app._look.mode is ColourMode.NONE
        assert "█" in one.text()
        assert "┌" in one.text()


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light", "textual-light", "nord"])
async def test_other_themes_know_our_colours(theme: str) -> None:
    async with opened(options=replace(TRUECOLOR, theme=theme)) as one:
        await one.press("n", "2", "3", "4")
        assert one.app.theme == theme


HOSTILE = [
    "[link=http://x]a[/link].[/0].weight",
    "a\x1b[31mred\x1b]52;c;eA==\x07.weight",
    "new\nline.weight",
    "bidi\u202etxet.weight",
    "zero\u200bwidth.weight",
    "宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽宽.weight",
    ".",
    "",
    "a." * 5000,
    "x" * 100_000,
]


async def test_an_unknown_theme_is_named_and_replaced() -> None:
    async with opened(options=replace(TRUECOLOR, theme="no-such")) as one:
        assert "--theme: no theme no-such; there are ansi-dark, " in one.notices
        assert one.app.theme == "intruder"


async def test_hostile_names_are_only_text() -> None:
    engine = SilentEngine()
    rows = [matrix_row(name) for name in HOSTILE]
    rows += [other_row("[bold]x[/bold].bias", RowKind.UNPAIRED, (3,), "[red]only\x1b[2J in the base[/red]")]
    async with opened(session(rows, engine, {}, tuned="[b]t\x1b[0m"), engine=engine) as one:
        for _ in range(2 * len(rows)):
            await one.press("right")
            await one.press("down")
            text = one.text()
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert all(cell_len(line) == 120 for line in text.splitlines())
        assert one.main.selected == "[bold]x[/bold].bias"
        assert r"[red]only\x1b[2J in the base[/red]" in one.text()


async def test_a_pairing_without_rows_says_so() -> None:
    engine = SilentEngine()
    async with opened(session([], engine, {}), engine=engine) as one:
        assert one.line("#findings") == "No weight matrix can be compared."
        await one.press(
            "n",
            "N",
            "a",
            "s",
            "y",
            "u",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "7",
            "m",
            "tab",
            "j",
            "enter",
            "question_mark",
        )
        assert "There is no matrix to save." in one.notices


async def test_twenty_thousand_experts_are_made_when_their_group_opens() -> None:
    engine = SilentEngine()
    names = [
        f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
        for layer in range(26)
        for expert in range(256)
        for part in ("gate", "up", "down")
    ]
    async with opened(session([matrix_row(name) for name in names], engine, {}), engine=engine) as one:
        made = len(one.tree._tree_nodes)
        assert made < 26 + 256 + 20
        assert one.main.selected == names[0]
        await one.press("G")
        await one.press("right")
        assert len(one.tree._tree_nodes) > made
        await one.press("slash", *"25.mlp.experts.255.up", "enter")
        await one.press("G")
        assert one.main.selected == names[-2]


def test_a_text_that_does_not_fit_ends_in_an_ellipsis() -> None:
    from rich.text import Text

    text = Text("one two three four five six seven")
    short = fitted(text, 12, 2, "…")
    assert short.plain.splitlines() == ["one two", "three four …"]
    assert fitted(text, 80, 1, "…").plain == text.plain


def test_a_text_that_does_not_fit_loses_whole_sentences_first() -> None:
    from rich.text import Text

    text = Text("0 matches none (best 0.46). dW is 75 % of W0 in norm, effective rank 2.1. Noise is far.")
    assert fitted(text, 30, 2, "…").plain.replace("\n", " ") == "0 matches none (best 0.46). …"
    assert fitted(text, 40, 3, "…").plain.replace("\n", " ") == text.plain
    assert fitted(text, 52, 2, "…").plain.endswith("rank 2.1. Noise is far.")
    strongest = Text("7 in 5 of 28 matrices; strongest: σ rank 0, best match 0.18")
    assert fitted(strongest, 42, 2, "…").plain.splitlines()[1] == "rank 0, best match 0.18"
    long = Text("None of the top ten reaches 0.4613")
    assert fitted(long, 32, 1, "…").plain == "None of the top ten …"


async def test_no_sentence_under_the_map_is_cut() -> None:
    for size in ((60, 20), (80, 24), (100, 30), (120, 34)):
        async with opened(size=size) as one:
            await one.press("n")
            painted = one.main.query_one("#finding", Line)._painted
            assert painted is not None
            assert painted.plain.endswith((".", ". …"))


def test_the_interface_never_loads_torch() -> None:
    program = (
        "import sys, asyncio\n"
        "from tests.support.apps import opened\n"
        "async def main():\n"
        "    async with opened() as one:\n"
        "        await one.press('n', '2', '3', '4', 's', 'question_mark')\n"
        "asyncio.run(main())\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "assert 'intruder_tui.spectral' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


async def test_a_filter_keeps_the_selection_where_it_can() -> None:
    async with opened() as one:
        await one.press("n", "n")
        assert one.main.selected == WEAK
        await one.press("slash", *"down", "enter")
        await one.settle()
        assert one.tree.row == WEAK


async def test_only_the_rows_of_a_session_are_listed() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine, ready=True), engine=engine) as one:
        data = one.tree.root.data
        assert data is not None
        assert {leaf.row for leaf in data.leaves()} == {row.name for row in llama_rows()}


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_eleven_vectors_keep_a_line_each_on_the_smallest_usual_screen(ascii_only: bool) -> None:
    async with opened(size=(80, 24), options=replace(TRUECOLOR, ascii=ascii_only)) as one:
        await one.press("n", "plus")
        assert one.main.definition.k == 11
        assert one.map.panels is not None
        assert one.map.panels.first.height == 2
        assert one.map.panels.first.scale.width >= 3
        assert one.map.panels.first.lines == 11
        await one.press("plus")
        assert one.map.panels.first.height == (2 if ascii_only else 1)
