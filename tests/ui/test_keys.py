"""Every key, on an app whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, WEAK, llama_results, llama_session
from textual import events
from textual.widgets import ContentSwitcher, Input

from intruder_tui.definition import Definition, Side
from intruder_tui.engine.session import State
from intruder_tui.ui.screens.help import HelpScreen
from intruder_tui.ui.screens.log import LogScreen
from intruder_tui.ui.screens.main import MainScreen

FIRST = "model.layers.0.self_attn.q_proj.weight"
SECOND = "model.layers.0.self_attn.k_proj.weight"


def label(one: Opened) -> str:
    node = one.tree.cursor_node
    return node.data.label if node is not None and node.data is not None else ""


async def test_the_first_matrix_is_selected_at_the_start() -> None:
    async with opened() as one:
        assert one.main.selected == FIRST
        assert label(one) == "q_proj"
        assert one.tree.has_focus


@pytest.mark.parametrize(("down", "up"), [("down", "up"), ("j", "k")])
async def test_the_tree_walks(down: str, up: str) -> None:
    async with opened() as one:
        await one.press(down)
        assert one.main.selected == SECOND
        await one.press(up)
        assert one.main.selected == FIRST


@pytest.mark.parametrize(("left", "right"), [("left", "right"), ("h", "l")])
async def test_the_tree_opens_and_closes(left: str, right: str) -> None:
    async with opened() as one:
        await one.press(left)
        assert label(one) == "self_attn"
        await one.press(left)
        assert one.tree.cursor_node is not None
        assert one.tree.cursor_node.is_collapsed
        await one.press(left)
        assert label(one) == "0"
        await one.press(right)
        assert label(one) == "self_attn"
        await one.press(right)
        assert one.tree.cursor_node.is_expanded
        await one.press(right)
        assert label(one) == "q_proj"


async def test_a_group_under_the_cursor_leaves_the_selection_alone() -> None:
    async with opened() as one:
        await one.press("up")
        assert label(one) == "self_attn"
        assert one.main.selected == FIRST


async def test_first_and_last_row_of_the_tree() -> None:
    async with opened() as one:
        await one.press("G")
        assert label(one) == "lm_head"
        await one.press("g")
        assert label(one) == "model.embed_tokens"


async def test_enter_opens_a_group_and_computes_a_matrix() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        assert one.engine.submitted == [(FIRST, True)]
        assert one.session.state(FIRST) is State.QUEUED
        await one.press("up", "enter")
        assert one.tree.cursor_node is not None
        assert one.tree.cursor_node.is_collapsed
        assert one.submitted == [FIRST]


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


async def test_slash_filters_the_tree() -> None:
    async with opened() as one:
        await one.press("slash", *"Down_PROJ", "space", "3")
        names = one.tree.root.data
        assert names is not None
        assert [leaf.row for leaf in names.leaves()] == [WEAK]
        await one.press("enter")
        assert one.tree.has_focus
        await one.press("G")
        assert one.main.selected == WEAK
        await one.press("escape")
        assert len(list(one.tree.root.data.leaves())) == len(one.session.pairing.rows)  # type: ignore[union-attr]
        assert one.main.selected == WEAK
        assert not one.main.query_one("#filter", Input).has_class("-open")


async def test_keys_typed_into_the_filter_are_letters() -> None:
    async with opened() as one:
        await one.press("slash", "q", "u")
        assert one.main.query_one("#filter", Input).value == "qu"
        assert one.line("#footer").startswith("enter keep   escape clear   words regular")
        assert one.main.definition == Definition()
        assert not one.engine.closed


async def test_n_leaves_a_filter_that_hides_its_goal() -> None:
    async with opened() as one:
        await one.press("slash", *"norm", "enter", "n")
        assert one.main.selected == STRONG
        assert label(one) == "q_proj"


async def test_a_scans_and_takes_back() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")
        waiting = [n for n in one.session.default_names if one.session.state(n) is State.QUEUED]
        assert len(waiting) == len(one.session.default_names) - 1
        await one.settle()
        assert "1/27" in one.line("#header")
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


async def test_b_hides_and_shows_the_tree() -> None:
    async with opened() as one:
        await one.press("b")
        assert not one.main.query_one("#side").display
        assert one.map.has_focus
        await one.press("b")
        assert one.main.query_one("#side").display
        assert one.tree.has_focus


async def test_y_copies_what_is_in_front_and_says_so() -> None:
    async with opened() as one:
        await one.press("n", "y")
        assert one.app.clipboard.startswith(f"{STRONG}\ttuned 0")
        assert "OSC 52" in one.notices
        await one.press("2", "tab", "j", "y")
        assert one.app.clipboard.split("\t")[1] == "1"
        await one.press("4", "y")
        assert one.app.clipboard.startswith(f"{STRONG}\t0 and 6 match no base vector")
        await one.press("Y")
        lines = one.app.clipboard.splitlines()
        assert len(lines) == 11
        assert lines[0].split("\t")[1] == "j"


async def test_y_on_a_notice_copies_its_reason() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("Y")
        assert "Nothing to copy here." in one.notices


async def test_s_saves_picture_and_data(tmp_path: Path) -> None:
    options = replace(TRUECOLOR, output=tmp_path / "shots")
    async with opened(options=options) as one:
        await one.press("n", "s")
        await one.saved()
        await one.press("s")
        await one.saved()
        names = sorted(path.name for path in (tmp_path / "shots").iterdir())
        base = "tuned-lora-r16_model.layers.1.self_attn.q_proj.weight_heatmap"
        endings = [".csv", ".html", ".json", ".png", ".svg", ".txt", "_figure.svg"]
        assert names == sorted(f"{base}{more}{ending}" for more in ("", "_2") for ending in endings)
        svg = (tmp_path / "shots" / f"{base}.svg").read_text()
        assert svg.startswith("<svg")
        assert "@font-face" not in svg
        assert "Saved" not in (tmp_path / "shots" / f"{base}_2.svg").read_text()
        document = json.loads((tmp_path / "shots" / f"{base}.json").read_text())
        assert document["matrix"]["name"] == STRONG
        assert "Saved" in one.notices


async def test_s_into_a_place_that_can_not_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with opened(options=replace(TRUECOLOR, output=tmp_path / "file")) as one:
        await one.press("s")
        await one.saved()
        assert "Not saved" in one.notices
        assert "File exists" in one.notices


async def test_help_explains_the_view_in_front_and_lists_the_keys() -> None:
    async with opened(size=(120, 100)) as one:
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


async def test_z_fits_a_map_that_is_larger_than_its_place() -> None:
    async with opened(options=replace(TRUECOLOR, definition=Definition(k=32)), size=(60, 20)) as one:
        await one.press("n", "tab")
        assert not one.map.pooled
        await one.press("z")
        assert one.map.pooled
        await one.press("l", "l")
        assert one.map.cursor[1] > 1
        await one.press("G", "z")
        assert one.map.cursor == (31, 31)
        assert one.map.scroll_offset.y > 0


async def test_no_binding_takes_a_key_that_terminals_keep() -> None:
    kept = {"ctrl+h", "ctrl+j", "ctrl+i", "ctrl+m", "ctrl+b", "ctrl+a"}
    async with opened() as one:
        for target in (one.app, one.main, one.tree, one.map, one.table):
            for binding in target.BINDINGS:
                assert not kept & set(binding.key.split(","))  # type: ignore[union-attr]
                assert binding.id, binding  # type: ignore[union-attr]


async def test_a_remapped_key_works_and_is_shown() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine, ready=True), engine=engine) as one:
        one.app.set_keymap({"side": "x"})
        await one.press("tab", "x")
        assert one.main.definition.side is Side.RIGHT
        assert "x side" in one.line("#footer")


@pytest.mark.parametrize("size", [(120, 34), (60, 20)])
async def test_what_is_typed_behind_a_slash_is_the_filter_s_however_fast(size: tuple[int, int]) -> None:
    async with opened(size=size) as one:
        for sign in "/q_proj/U":  # as a terminal sends a paste: no key waits for the one before
            one.app.post_message(events.Key({"/": "slash", "_": "underscore"}.get(sign, sign), sign))
        await one.settle()
        assert one.main.query_one("#filter", Input).value == "q_proj/U"
        assert one.main.query_one("#filter", Input).has_focus
        assert one.app.is_running
        assert not one.engine.closed


async def test_two_keys_without_a_pause_are_a_filter_and_its_letter() -> None:
    async with opened() as one:
        await one.pilot.press("/", "q")
        await one.settle()
        assert one.main.query_one("#filter", Input).value == "q"
        assert not one.engine.closed


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
