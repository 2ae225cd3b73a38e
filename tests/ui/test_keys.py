"""Keys that turn views, change the definition, move between matrices, and end the program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, WEAK, llama_results, llama_session
from textual.widgets import ContentSwitcher

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.ledger import State
from intruder_tui.ui.screens.help import HelpScreen
from intruder_tui.ui.screens.log import LogScreen
from intruder_tui.ui.screens.main import MainScreen

FIRST = "model.layers.0.self_attn.q_proj.weight"


def label(one: Opened) -> str:
    node = one.tree.cursor_node
    return node.data.label if node is not None and node.data is not None else ""


async def test_tab_goes_between_the_panes() -> None:
    async with opened() as one:
        await one.press("tab")
        assert one.map.has_focus
        await one.press("tab")
        assert one.tree.has_focus
        await one.press("2", "shift+tab")
        assert one.table.has_focus


@pytest.mark.parametrize("keys", [("right", "left", "down", "up"), ("l", "h", "j", "k")])
async def test_the_heatmap_has_a_cursor(keys: tuple[str, str, str, str]) -> None:
    right, left, down, up = keys
    async with opened() as one:
        await one.press("n", "tab", right, right, down)
        assert one.map.cursor == (1, 2)
        block = llama_results()[STRONG].left.block
        assert f"|cos| {block[1, 2]:.3f}" in one.line("#readout")
        assert "tuned 2" in one.line("#readout")
        assert "base 1" in one.line("#readout")
        await one.press(left, up, up, up)
        assert one.map.cursor == (0, 1)
        await one.press("G")
        assert one.map.cursor == (9, 9)
        await one.press("g")
        assert one.map.cursor == (0, 0)


async def test_enter_in_the_heatmap_goes_to_the_next_intruder_column() -> None:
    async with opened() as one:
        await one.press("n", "tab")
        found = llama_results()[STRONG].summary().intruders(Definition())
        assert len(found) == 2
        seen = []
        for _ in range(3):
            await one.press("enter")
            seen.append(one.map.cursor[1])
        assert seen == [found[1], found[0], found[1]]


async def test_the_table_and_the_heatmap_share_the_tuned_vector() -> None:
    async with opened() as one:
        await one.press("n", "tab", "l", "l", "l", "2")
        assert one.table.has_focus
        assert one.table.cursor_row == 3
        await one.press("j")
        await one.press("1")
        assert one.map.cursor[1] == 4
        await one.press("2", "G")
        assert one.table.cursor_row == 9
        await one.press("g", "k")
        assert one.table.cursor_row == 0


async def test_digits_and_v_turn_the_views() -> None:
    async with opened() as one:
        switcher = one.main.query_one(ContentSwitcher)
        pages = ("intruders", "spectrum", "update", "sweep", "modelmap", "compare", "heatmap")
        for key, page in zip("2345671", pages, strict=True):
            await one.press(key)
            assert switcher.current == page
        for page in pages:
            await one.press("v")
            assert switcher.current == page


async def test_a_view_stays_when_the_matrix_changes() -> None:
    async with opened() as one:
        await one.press("3", "n", "j")
        assert one.main.query_one(ContentSwitcher).current == "spectrum"


async def test_definition_keys_change_the_definition_and_compute_nothing() -> None:
    async with opened() as one:
        await one.press("right_square_bracket")
        assert one.main.definition == Definition(eps=0.55)
        await one.press("left_square_bracket", "left_square_bracket")
        assert one.main.definition == Definition(eps=0.45)
        await one.press("plus", "equals_sign", "minus")
        assert one.main.definition == Definition(k=11, eps=0.45)
        await one.press("u")
        assert one.main.definition == Definition(Side.RIGHT, 11, 0.45)
        assert "side V   k 11   ε 0.45" in one.line("#header")
        await one.press("u")
        assert one.main.definition.side is Side.LEFT
        assert one.engine.submitted == []


async def test_eps_and_k_stop_at_their_ends() -> None:
    options = replace(TRUECOLOR, definition=Definition(k=1, eps=0.05))
    async with opened(options=options) as one:
        await one.press("left_square_bracket", "left_square_bracket", "minus")
        assert one.main.definition == Definition(k=1, eps=0.0)
    options = replace(TRUECOLOR, definition=Definition(eps=0.98))
    async with opened(options=options) as one:
        await one.press("right_square_bracket", "right_square_bracket")
        assert one.main.definition.eps == 1.0


async def test_eps_recounts_every_badge_and_the_sentence() -> None:
    async with opened() as one:
        counts = {name: result.summary() for name, result in llama_results().items()}
        for keys, eps in (((), 0.5), (("left_square_bracket",) * 4, 0.3)):
            await one.press(*keys)
            definition = Definition(eps=eps)
            expected = sum(len(summary.intruders(definition)) for summary in counts.values())
            assert one.session.totals(one.main.definition).intruders == expected
            start = f"{expected} intruder dimension" if expected else "No intruder dimension"
            assert one.line("#findings").startswith(start)


async def test_n_goes_round_the_matrices_with_intruders() -> None:
    async with opened() as one:
        seen = []
        for key in ("n", "n", "n", "N", "N"):
            await one.press(key)
            seen.append(one.main.selected)
        assert seen == [STRONG, WEAK, STRONG, WEAK, STRONG]
        assert label(one) == "q_proj"


async def test_n_without_intruders_says_what_to_do() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("n")
        assert "No intruders found yet; a analyses all matrices." in one.notices
        assert one.main.selected == FIRST


async def test_a_scans_and_takes_back() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")
        waiting = [n for n in one.session.default_names if one.session.state(n) is State.QUEUED]
        assert len(waiting) == len(one.session.default_names) - 1
        await one.settle()
        assert "0/26" in one.line("#header")
        await one.press("a")
        assert set(engine.cancelled) == set(waiting)


async def test_c_goes_round_the_tuned_checkpoints_and_keeps_the_matrix() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=f"lora-r{r}") for r in (8, 16)]
    async with opened(*sessions, engine=engine) as one:
        await one.press("n")
        assert "lora-r8 (1/2)" in one.line("#header")
        await one.press("c")
        assert "lora-r16 (2/2)" in one.line("#header")
        assert one.main.selected == STRONG
        assert one.session is sessions[1]
        await one.press("c")
        assert one.session is sessions[0]


async def test_c_with_one_tuned_checkpoint_says_so_and_leaves_the_tree_as_it_is() -> None:
    async with opened() as one:
        await one.press("n")
        rows, line = one.tree.last_line, one.tree.cursor_line
        one.main.go_to("lm_head.weight")
        await one.settle()
        await one.press("c")
        await one.settle()
        assert one.tree.last_line == rows > line
        assert "Only one tuned checkpoint is open." in one.notices


async def test_help_explains_the_view_in_front_and_lists_the_keys() -> None:
    async with opened(size=(120, 160)) as one:
        await one.press("question_mark")
        assert isinstance(one.app.screen, HelpScreen)
        text = one.text()
        for words in (
            "best(j)",
            "side U",
            "k 10",
            "ε 0.50",
            "columns",
            "not analysed yet",
            "Analyse all",
            "inference",
        ):
            assert words in text
        await one.press("escape", "4", "question_mark")
        assert "Roy & Vetterli" in one.text()
        await one.press("question_mark")
        assert one.app.screen is one.main


async def test_the_log_screen_shows_path_end_and_failures(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("a warning\x1b[31m from C\n")
    engine = SilentEngine()
    engine.log_path = log
    async with opened(llama_session(engine, ready=True), engine=engine) as one:
        await one.press("L")
        assert isinstance(one.app.screen, LogScreen)
        text = one.text()
        assert "worker.log" in text
        assert r"a warning\x1b[31m from C" in text
        await one.press("L")
        assert one.app.screen is one.main


async def test_q_quits_at_once_and_closes_the_engine() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a", "q")
        assert engine.closed
        assert not one.app.is_running or one.app._exit
    assert one.app.return_code == 0


@pytest.mark.parametrize("first", [(), ("slash", "q"), ("question_mark",), ("colon",)])
async def test_ctrl_c_ends_the_program_from_everywhere(first: tuple[str, ...]) -> None:
    async with opened() as one:
        await one.press(*first)
        await one.pilot.press("ctrl+c")
        await one.pilot.pause()
        assert one.engine.closed
        assert one.app.return_code == 0


async def test_a_resize_before_anything_is_composed_or_after_it_is_gone_is_no_error() -> None:
    async with opened() as one:
        fresh = MainScreen(one.sessions, TRUECOLOR, one.app._look, "")
        fresh._refocus()
        await one.main.query("#body").remove()
        one.main._refocus()
