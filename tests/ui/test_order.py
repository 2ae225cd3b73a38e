"""Orders of the tree, marks, and the way back: what is asked for happens, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import SAME, STRONG, WEAK, llama_results, llama_session
from tests.support.sessions import finished
from textual.command import CommandPalette

from intruder_tui.definition import Definition, Side
from intruder_tui.ui.history import History
from intruder_tui.ui.outline import ranking
from intruder_tui.ui.ranking import Order, ranked, value
from intruder_tui.views.glyphs import UNICODE
from intruder_tui.views.naming import fitted, shortened, trunk, within

FIRST = "model.layers.0.self_attn.q_proj.weight"
SECOND = "model.layers.0.self_attn.k_proj.weight"


def top(one: Opened) -> list[str]:
    """The tree's rows on top, in order; groups by their label."""
    return [child.data.row or child.data.label for child in one.tree.root.children if child.data is not None]


def cursor(one: Opened) -> str | None:
    return one.tree.row


def lowest(name: str, definition: Definition) -> float:
    result = llama_results()[name]
    return float(result.side(definition.side).upper[: definition.k].min())


async def test_o_goes_through_the_orders_and_the_cursor_stays_on_its_matrix() -> None:
    async with opened() as one:
        await one.press("n")
        await one.press("o")
        assert top(one) == [STRONG, WEAK, "the other 33"]
        assert "35 rows, by count" in one.line("#rows")
        assert cursor(one) == one.main.selected == STRONG
        await one.press("o")
        assert "by lowest cos" in one.line("#rows")
        analysed = [name for name in llama_results() if name != SAME]
        assert top(one)[:-1] == sorted(analysed, key=lambda name: lowest(name, Definition()))
        shown = {line.split()[0]: line.split() for line in one.text().splitlines() if "q_proj" in line}
        assert f"{lowest(STRONG, Definition()):.2f}" in shown["1.self_attn.q_proj"]
        assert cursor(one) == STRONG
        await one.press("o")
        assert "by update" in one.line("#rows")
        sizes = {name: llama_results()[name].update.relative_norm for name in llama_results()}
        assert top(one)[0] == max(sizes, key=sizes.__getitem__)
        assert cursor(one) == STRONG
        await one.press("o")
        assert top(one) == [
            "model.embed_tokens.weight",
            "model.layers",
            "model.norm.weight",
            "lm_head.weight",
        ]
        assert cursor(one) == one.main.selected == STRONG


async def test_a_row_without_a_value_is_found_behind_the_others() -> None:
    async with opened() as one:
        assert one.main.selected == FIRST
        await one.press("o")
        assert cursor(one) == FIRST
        await one.press("g")
        assert cursor(one) == STRONG


async def test_an_order_is_kept_while_answers_come_and_taken_anew_by_its_key() -> None:
    engine = SilentEngine()
    llama = llama_session(engine, ready=[WEAK])
    async with opened(llama, engine=engine) as one:
        await one.press("o")
        before = top(one)
        assert before[0] == WEAK
        llama.request(STRONG)
        engine.say(finished(llama, STRONG))
        await one.settle()
        assert top(one) == before
        assert "O renews" in one.line("#rows")
        await one.press("O")
        assert top(one) == [STRONG, WEAK, "the other 33"]
        assert "O renews" not in one.line("#rows")


async def test_the_order_holds_under_a_filter_and_in_another_checkpoint() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=f"lora-r{r}") for r in (8, 16)]
    async with opened(*sessions, engine=engine) as one:
        await one.press("o", "o", "slash", *"down_proj", "enter")
        names = [name for name in llama_results() if "down_proj" in name]
        assert top(one) == sorted(names, key=lambda name: lowest(name, Definition()))
        await one.press("c")
        assert "by lowest cos" in one.line("#rows")


async def test_the_palette_takes_an_order() -> None:
    async with opened() as one:
        await one.press("colon", *"relative update")
        await one.settle(0.4)
        assert isinstance(one.app.screen, CommandPalette)
        await one.press("enter")
        await one.settle(0.3)
        assert "by update" in one.line("#rows")


def test_rows_of_equal_value_keep_their_order() -> None:
    llama = llama_session(SilentEngine(), ready=True)
    llama.prime()
    names = [row.name for row in llama.pairing.rows]
    definition = Definition(Side.RIGHT, 4, 1.0)  # every vector below 1 counts: many rows are alike
    first, others = ranked(Order.COUNT, names, llama, definition, UNICODE)
    counts = {name: llama.count(name, definition) or 0 for name in names}
    assert first == sorted([name for name in names if counts[name]], key=lambda name: -counts[name])
    assert others == [name for name in names if not counts[name]]
    assert len({counts[name] for name in first}) < len(first)


def test_a_bound_is_written_as_one() -> None:
    from tests.support.results import bounded
    from tests.support.sessions import matrix_row, session

    exact = llama_results()[STRONG]
    given = session(
        [matrix_row("a.weight", (96, 96))], SilentEngine(), {"a.weight": bounded(exact)}, ["a.weight"]
    )
    given.prime()
    found = value(Order.LOWEST, given, "a.weight", Definition(), UNICODE)
    upper = bounded(exact).left.upper[:10]
    assert found is not None
    assert found.text == f"≤{np.ceil(100 * np.min(upper)) / 100:.2f}"


def test_ranked_rows_are_called_by_what_tells_them_apart() -> None:
    root = ranking([STRONG, WEAK], [FIRST])
    assert [child.label for child in root.children] == [
        "1.self_attn.q_proj",
        "3.mlp.down_proj",
        "the other 1",
    ]
    assert root.children[2].children[0].depth == 1
    towers = ranking(["enc.0.q.weight", "dec.0.q.weight", "head.weight"], [])
    assert [child.label for child in towers.children] == ["enc.0.q", "dec.0.q", "head"]
    assert [child.label for child in ranking([], [FIRST]).children] == ["all 1"]


@pytest.mark.parametrize("room", range(1, 24))
def test_a_shortened_label_keeps_its_end(room: int) -> None:
    label = "3.self_attn.q_proj"
    short = shortened(label, room, "…")
    assert len(short) <= room
    assert (short == label) == (room >= len(label))
    if room > 12:
        assert short.startswith("3")
        assert short.endswith("q_proj")


@pytest.mark.parametrize("room", range(10, 34))
def test_a_name_that_is_cut_keeps_its_layer_and_its_end(room: int) -> None:
    for name in ("13.self_attn.q_proj", "encoder.layers.13.self_attn.q_proj"):
        short = fitted(name, room, "…")
        assert len(short) <= room
        assert "13" in short
        assert short.endswith("q_proj")
    assert fitted("3.self_attn.q_proj", 18, "…") == "3.self_attn.q_proj"
    assert fitted("model.layers.2.self_attn", 17, "…") == "…yers.2.self_attn"


def test_names_lose_what_all_layers_begin_with() -> None:
    names = ["model.layers.3.mlp.up_proj.weight", "model.layers.12.mlp.up_proj.weight", "lm_head.weight"]
    assert [within(name, trunk(names)) for name in names] == ["3.mlp.up_proj", "12.mlp.up_proj", "lm_head"]
    assert trunk([*names, "vision.layers.0.w"]) == ""


# Marks -------------------------------------------------------------------------------------------


async def test_x_marks_a_matrix_and_shift_x_goes_to_the_next() -> None:
    async with opened() as one:
        await one.press("X")
        assert "Nothing is marked; x marks the matrix in front." in one.notices
        await one.press("x", "j", "j", "x", "n", "x")
        assert one.main.marks == {FIRST, SAME, STRONG}
        assert "35 rows, 3 marked" in one.line("#rows")
        assert one.text().count("◆") == 3
        seen = []
        for _ in range(4):
            await one.press("X")
            seen.append(one.main.selected)
        assert seen == [FIRST, SAME, STRONG, FIRST]
        await one.press("x")
        assert one.main.marks == {SAME, STRONG}
        await one.press("slash", *"is:marked", "enter")
        assert [leaf.row for leaf in one.tree.root.data.leaves()] == [SAME, STRONG]


async def test_marks_are_copied_with_what_is_known_and_stay_in_another_checkpoint() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned="a"), llama_session(engine, ready=[WEAK], tuned="b")]
    async with opened(*sessions, engine=engine) as one:
        await one.press("M")
        assert "Nothing is marked; x marks" in one.notices
        await one.press("n", "x", "n", "x", "c", "M")
        lines = [line.split("\t") for line in one.app.clipboard.splitlines()]
        assert lines[0] == ["matrix", "state", "intruders", "lowest best |cos|", "relative update"]
        assert lines[1] == [STRONG, "not analysed", "", "", ""]
        assert lines[2][:3] == [WEAK, "done", "1"]
        assert lines[2][3] == f"{lowest(WEAK, Definition()):.2f}"
        assert lines[2][4].endswith(" %")


# Back and forward --------------------------------------------------------------------------------


async def test_back_and_forward_through_the_visited() -> None:
    async with opened() as one:
        await one.press("less_than_sign")
        assert "No matrix was visited before this one." in one.notices
        await one.press("n", "n")
        assert one.main.selected == WEAK
        await one.press("less_than_sign")
        assert one.main.selected == cursor(one) == STRONG
        await one.press("less_than_sign")
        assert one.main.selected == FIRST
        await one.press("greater_than_sign", "greater_than_sign")
        assert one.main.selected == WEAK
        await one.press("greater_than_sign")
        assert "No matrix was visited after this one." in one.notices
        await one.press("less_than_sign", "j")
        await one.settle(0.5)  # the cursor rests: a visit, and what lay ahead is forgotten
        here = one.main.selected
        assert here not in (STRONG, WEAK)
        await one.press("greater_than_sign")
        assert one.main.selected == here
        await one.press("less_than_sign")
        assert one.main.selected == STRONG


async def test_rows_that_are_only_passed_are_no_visits() -> None:
    async with opened() as one:
        await one.press("j", "j", "j", "n", "less_than_sign", "less_than_sign")
        assert one.main.selected == FIRST or one.main.selected == "model.layers.0.self_attn.o_proj.weight"


def test_a_history_forgets_what_lay_ahead_and_the_oldest() -> None:
    history = History()
    assert history.here is None
    assert history.step(-1) is None
    for name in "abc":
        history.visit(name)
    assert history.step(-1) == "b"
    history.visit("b")
    assert history.step(1) == "c"
    assert history.step(1) is None
    assert history.step(-1) == "b"
    history.visit("d")
    assert history.step(1) is None
    assert history.step(-1) == "b"
    for number in range(2000):
        history.visit(str(number))
    assert history.here == "1999"
    steps = 0
    while history.step(-1) is not None:
        steps += 1
    assert steps < 600


async def test_a_narrow_title_keeps_the_order_and_how_to_renew_it() -> None:
    engine = SilentEngine()
    llama = llama_session(engine, ready=[WEAK, STRONG])
    async with opened(llama, engine=engine, size=(80, 24)) as one:
        await one.press("x", "o")
        assert one.line("#rows") == "by count, 1 marked"
        await one.press("left_square_bracket")
        assert one.line("#rows") == "by count  O renews"
