"""Header, footer, tabs, and the small parts behind them, without an app."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from tests.support.engines import SilentEngine
from tests.support.results import planted
from tests.support.sessions import matrix_row, session
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from intruder_tui.definition import Definition
from intruder_tui.engine.protocol import Event, Ready
from intruder_tui.findings.tally import Totals
from intruder_tui.ui.app import IntruderApp
from intruder_tui.ui.clipboard import told
from intruder_tui.ui.ground import Ground
from intruder_tui.ui.keymap import places
from intruder_tui.ui.keys import HINTS, MAIN, ORDER
from intruder_tui.ui.look import Look, look
from intruder_tui.ui.options import UiOptions
from intruder_tui.ui.palette import use
from intruder_tui.ui.relay import Relay
from intruder_tui.ui.telling import findings
from intruder_tui.ui.widgets.footer import PANE_HINTS, TO_TREE, TO_VIEW, footer_text
from intruder_tui.ui.widgets.header import HeaderState, header_text
from intruder_tui.ui.widgets.line import fitted
from intruder_tui.ui.widgets.tabs import View, tabs_text


@pytest.fixture
def plain() -> Look:
    return look(UiOptions(colour="truecolor"), "truecolor", no_color=False)


def state(pending: int = 0, names: tuple[str, str] = ("Llama-2-7b", "magicoder-lora-r16")) -> HeaderState:
    totals = Totals(3, 2, 0, 112, 0, pending, 224)
    left = 41.0 if pending else None
    device = "cuda:0 NVIDIA H200"
    return HeaderState(*names, (1, 1), Definition(), device, totals, left, scanning=pending > 1)


def test_a_wide_header_tells_everything(plain: Look) -> None:
    text = header_text(state(112), plain, 118).plain
    assert text.startswith("Llama-2-7b → magicoder-lora-r16  ")
    assert text.endswith("side U   k 10   ε 0.50   cuda:0 H200   112/224 ▕██████      ▏ 0:41")
    assert cell_len(text) == 118


@pytest.mark.parametrize("width", [40, 58, 70, 78, 100, 198])
@pytest.mark.parametrize("pending", [0, 112])
def test_the_settings_are_on_every_header(plain: Look, width: int, pending: int) -> None:
    text = header_text(state(pending, ("b" * 80, "宽" * 80)), plain, width).plain
    assert cell_len(text) <= width
    for part in ("side U", "k 10", "ε 0.50"):
        assert part in text


def test_another_checkpoints_scan_is_told_where_this_one_has_none(plain: Look) -> None:
    other = ("full-fine-tune-of-everything", Totals(0, 0, 0, 11, 1, 9, 21))
    text = header_text(replace(state(), elsewhere=other), plain, 118).plain
    assert "scanning full-" in text
    assert text.endswith(": 12/21")
    assert "12/21" not in header_text(replace(state(112), elsewhere=other), plain, 118).plain
    assert cell_len(header_text(replace(state(), elsewhere=other), plain, 78).plain) <= 78
    assert header_text(replace(state(), elsewhere=other), plain, 78).plain.endswith(": 12/21")


def test_a_doubtful_base_and_the_count_both_fit_the_smallest_screen() -> None:
    names = [f"model.layers.{n}.self_attn.q_proj.weight" for n in range(3)]
    results = dict.fromkeys(names, replace(planted(64, 48), weight_cosine=0.01))
    one = session([matrix_row(name) for name in names], SilentEngine(), results, ready=names)
    one.prime()
    usual = look(UiOptions(colour="truecolor"), "truecolor", no_color=False)
    usual.keys.update({"scan": "a", "tree.enter": "enter"})
    said = fitted(findings(one, Definition(), usual), 78, 2, "…").plain
    assert said.startswith("Is this the right base? Weights unrelated in 3 of 3; ")
    assert "dimension in the top 10 of 3 matrices" in " ".join(said.split())


@pytest.mark.parametrize(
    ("keys", "hints"),
    [
        ({"tab.view": "tab", "tree.enter": "enter"}, "tab to the view   enter analyse"),
        ({"tab.tree": "tab", "map.in": "z", "map.out": "Z"}, "tab to the tree   z Z zoom"),
        ({"compare.enter": "enter", "compare.follow": "f"}, "enter go there   f follow"),
    ],
)
def test_the_footer_names_the_keys_of_the_pane_in_focus(
    plain: Look, keys: dict[str, str], hints: str
) -> None:
    known = {binding.id: binding.key for binding in MAIN if binding.id} | {"help": "?", "quit": "q"}
    text = footer_text(known | keys, plain, 78).plain
    assert text.startswith(hints)
    assert text.endswith("? help   q quit")


def test_every_hint_of_a_pane_is_a_binding() -> None:
    known = {name for place in places(IntruderApp) for name in place.keys}
    assert {one for ids, _ in PANE_HINTS for one in ids} - {TO_VIEW, TO_TREE} <= known


def test_a_copied_table_is_told_by_its_size() -> None:
    assert told("j\tsigma\n0\t1.0\n1\t0.5") == "Copied 2 rows of 2 columns."
    assert told("name\t0.5") == "name  0.5"
    assert told("one\ntwo") == "one and 1 more line"


def test_cursor_moves_come_last_among_the_actions() -> None:
    names = ["tree.down", "map.pan-left", "table.first", "compare.follow", "scan", "view.heatmap", "help"]
    ranked = sorted(names, key=use)
    assert ranked[:2] == ["help", "scan"]
    assert set(ranked[-3:]) == {"tree.down", "map.pan-left", "table.first"}


def test_progress_of_a_single_matrix_is_no_progress(plain: Look) -> None:
    assert "112/224" not in header_text(state(1), plain, 118).plain
    assert "112/224" in header_text(replace(state(1), scanning=True), plain, 118).plain


@pytest.mark.parametrize("width", [20, 58, 78, 118])
def test_the_footer_never_spills_and_keeps_help_first(plain: Look, width: int) -> None:
    keys = {binding.id: binding.key for binding in MAIN if binding.id} | {
        "help": "?",
        "quit": "q",
        "snapshot": "s",
    }
    text = footer_text(keys, plain, width).plain
    assert cell_len(text) <= width
    assert "? help" in text


def test_every_hint_is_a_binding_and_has_a_place() -> None:
    known = {binding.id for binding in MAIN} | {"help", "quit", "snapshot", "commands"}
    assert {one for ids, _ in HINTS for one in ids} <= known
    assert {ids[0] for ids, _ in HINTS} == set(ORDER)


def test_narrow_tabs_name_the_view_in_front(plain: Look) -> None:
    assert tabs_text(View.INTRUDERS, plain, 20).plain.startswith("2/")
    assert "Intruders" in tabs_text(View.INTRUDERS, plain, 20).plain
    assert all(view.value in tabs_text(View.HEATMAP, plain, 200).plain for view in View)


def test_the_relay_keeps_what_came_early_and_keeps_the_order() -> None:
    relay = Relay()
    got: list[Event] = []
    early = [Ready(str(n)) for n in range(50)]
    thread = threading.Thread(target=lambda: [relay(event) for event in early])
    thread.start()
    relay.attach(got.append)
    thread.join()
    assert got == early


def test_an_ansi_theme_takes_the_terminal_s_own_colours_for_words() -> None:
    own = look(UiOptions(), "truecolor", no_color=False)
    line = [Segment("2", own.tones.accent), Segment("▀", own.tones.accent), Segment("x", own.tones.text)]
    for name, colour in (("ansi-dark", "yellow"), ("ansi-light", "magenta"), ("solarized-light", "#d75f00")):
        ground = Ground(BUILTIN_THEMES[name], own)
        count, picture, plain = ground.apply(line, Color.parse("black"))
        assert count.style is not None
        assert count.style.color is not None
        assert (count.style.color.name, count.style.bold) == (colour, own.tones.accent.bold)
        assert (picture, plain) == (line[1], line[2])
    assert not Ground(BUILTIN_THEMES["nord"], own).enabled


def test_whole_facts_are_left_out_from_the_end() -> None:
    facts = Text("layers.0.q_proj   160 × 128   BF16   exact values, float64\nbest of 0: 0.12")
    assert fitted(facts, 58, 1, "…").plain == "layers.0.q_proj   160 × 128   BF16   exact values, float64"
    assert fitted(facts, 50, 1, "…").plain == "layers.0.q_proj   160 × 128   BF16"
    assert fitted(facts, 20, 1, "…").plain == "layers.0.q_proj"
