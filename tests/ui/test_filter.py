"""The line that filters the tree: patterns, states, and what is wrong with them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, WEAK, llama_results, llama_rows, llama_session
from tests.support.results import bounded
from tests.support.sessions import finished, matrix_row, session
from textual import events
from textual.widgets import Input

from intruder_tui.definition import Definition
from intruder_tui.ui.filtering import FilterError, Ground, parse
from intruder_tui.ui.widgets import side

FIRST = "model.layers.0.self_attn.q_proj.weight"


def label(one: Opened) -> str:
    node = one.tree.cursor_node
    return node.data.label if node is not None and node.data is not None else ""


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
        assert len(list(one.tree.root.data.leaves())) == len(one.session.pairing.rows)
        assert one.main.selected == WEAK
        assert not one.main.query_one("#filter", Input).has_class("-open")


async def test_keys_typed_into_the_filter_are_letters() -> None:
    async with opened() as one:
        await one.press("slash", "q", "u")
        assert one.main.query_one("#filter", Input).value == "qu"
        assert one.line("#footer").startswith("enter keep   escape clear   is: intruders")
        assert one.main.definition == Definition()
        assert not one.engine.closed


async def test_n_leaves_a_filter_that_hides_its_goal() -> None:
    async with opened() as one:
        await one.press("slash", *"norm", "enter", "n")
        assert one.main.selected == STRONG
        assert label(one) == "q_proj"
        assert "Filter cleared: The filter hid" in one.notices
        assert " of " not in one.line("#rows")


async def test_n_goes_among_the_rows_that_the_filter_leaves() -> None:
    async with opened() as one:
        await one.press("slash", *"mlp", "enter")
        rows = one.line("#rows")
        assert " of 35 rows" in rows
        await one.press("n", "n")
        assert one.main.selected == WEAK
        assert one.line("#rows") == rows
        assert one.notices == ""


async def test_another_checkpoint_keeps_the_filter() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=name) for name in ("lora-a", "lora-b")]
    async with opened(*sessions, engine=engine) as one:
        await one.press("n", "slash", *"is:intr", "enter")
        assert one.line("#rows") == "2 of 35 rows"
        assert one.main.selected == STRONG
        await one.press("c")
        assert one.session is sessions[1]
        assert one.line("#rows") == "2 of 35 rows"
        assert one.main.selected == STRONG


async def test_another_checkpoint_in_which_the_filter_hides_the_matrix_keeps_it() -> None:
    engine = SilentEngine()
    known = [WEAK, "model.layers.0.self_attn.k_proj.weight"]
    sessions = [
        llama_session(engine, ready=True, tuned="lora-a"),
        llama_session(engine, ready=known, tuned="lora-b"),
    ]
    async with opened(*sessions, engine=engine) as one:
        await one.press("n", "slash", *"is:intr", "enter")
        assert one.main.selected == STRONG
        await one.press("c")
        assert one.line("#rows") == "1 of 35 rows"
        assert one.main.selected == WEAK
        assert label(one) == "down_proj"
        await one.press("c")
        assert one.line("#rows") == "2 of 35 rows"


async def test_a_checkpoint_without_the_matrix_begins_with_the_filter_s_first() -> None:
    engine = SilentEngine()
    rows = [row for row in llama_rows() if row.name != STRONG]
    sessions = [
        llama_session(engine, ready=True, tuned="lora-a"),
        session(rows, engine, llama_results(), list(llama_results()), "lora-b"),
    ]
    async with opened(*sessions, engine=engine) as one:
        await one.press("n", "slash", *"is:intr", "enter", "c")
        assert one.main.selected == WEAK
        assert label(one) == "down_proj"
        assert one.line("#rows") == "1 of 34 rows"


async def test_one_row_is_no_plural() -> None:
    engine = SilentEngine()
    only = session(llama_rows()[1:2], engine, llama_results())
    async with opened(only, engine=engine) as one:
        assert one.line("#rows") == "1 row"
        await one.press("slash", *"q_proj", "enter")
        assert one.line("#rows") == "1 of 1 row"


async def test_a_group_is_not_marked() -> None:
    async with opened() as one:
        await one.press("n", "left")
        assert one.tree.row is None
        await one.press("x")
        assert one.main.marks == set()
        assert "nothing is marked" in one.notices
        await one.press("tab", "x")  # in the pane the matrix in front is meant
        assert one.main.marks == {STRONG}


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


def rows(one: Opened) -> list[str]:
    top = one.tree.root.data
    assert top is not None
    return [leaf.row or "" for leaf in top.leaves()]


def box(one: Opened) -> Input:
    return one.main.query_one("#filter", Input)


async def write(one: Opened, words: str) -> None:
    await one.press("slash")
    box(one).value = words
    await one.settle()


async def test_words_are_regular_expressions_that_all_have_to_be_found() -> None:
    async with opened() as one:
        await write(one, "(q|k)_proj$")
        assert rows(one) == []
        await write(one, "(q|K)_PROJ [13]")
        assert rows(one) == [
            f"model.layers.{layer}.self_attn.{part}_proj.weight" for layer in (1, 3) for part in "qk"
        ]
        await write(one, "q_proj -layers.[12]")
        assert [name.split(".")[2] for name in rows(one)] == ["0", "3"]
        assert "2 of 35 rows" in one.line("#rows")


async def test_a_bad_pattern_says_so_and_keeps_the_filter_before_it() -> None:
    async with opened() as one:
        await write(one, "q_proj")
        kept = rows(one)
        await one.press("space", *"k[")
        assert rows(one) != kept  # "q_proj k" was a filter
        kept = rows(one)
        assert "k[: unterminated character set at position 2; the filter before" in one.line("#footer")
        assert box(one).has_class("-bad")
        await one.press("enter")
        assert box(one).has_focus
        await one.press("backspace")
        assert not box(one).has_class("-bad")
        assert one.line("#footer").startswith("enter keep")
        assert rows(one) == kept


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("is:lost", "is:lost is none of intruders, undecided, failed"),
        ("is:un", "is:un is one of undecided, unchanged"),
        ("a{99999999999}", "a{99999999999}: its counts multiply to more than 10000"),
        ("(?P<n", "(?P<n: missing > at position 5"),
    ],
)
async def test_what_can_not_be_understood_is_named(words: str, trouble: str) -> None:
    async with opened() as one:
        await write(one, words)
        assert trouble in one.line("#footer")
        assert len(rows(one)) == 35


async def test_states_are_words_too() -> None:
    engine = SilentEngine()
    analysed = [STRONG, WEAK, FIRST]
    llama = llama_session(engine, ready=analysed)
    async with opened(llama, engine=engine) as one:
        for words, found in (
            ("is:intruders", [STRONG, WEAK]),
            ("is:int attn", [STRONG]),
            ("is:none", [FIRST]),
            ("is:failed", [REFUSED]),
            ("is:unchanged", [SAME]),
            ("is:undecided", []),
            ("is:marked", []),
            ("is:waiting", []),
        ):
            await write(one, words)
            assert rows(one) == found, words
        await write(one, "is:todo")
        assert len(rows(one)) == len(llama.default_names) - len(analysed) - 1
        await write(one, "-is:other -is:todo -is:failed")
        assert set(rows(one)) == {STRONG, WEAK, FIRST, SAME}


async def test_no_row_leaves_or_comes_until_it_is_asked_for() -> None:
    engine = SilentEngine()
    llama = llama_session(engine, ready=[STRONG])
    async with opened(llama, engine=engine) as one:
        await write(one, "is:intruders")
        await one.press("enter")
        assert rows(one) == [STRONG]
        llama.request(WEAK)
        engine.say(finished(llama, WEAK))
        await one.settle()
        assert llama.count(WEAK, one.main.definition) == 1
        assert rows(one) == [STRONG]
        assert "O renews" in one.line("#rows")
        await one.press("O")
        assert rows(one) == [STRONG, WEAK]
        assert "O renews" not in one.line("#rows")
        await one.press(*["left_square_bracket"] * 9)
        assert rows(one) == [STRONG, WEAK]
        assert "O renews" in one.line("#rows")
        await one.press("slash", "enter")
        assert rows(one) == []


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_filter_or_refused_as_one(text: str) -> None:
    with suppress(FilterError):
        assert len(parse(text).terms) == len([word for word in text.split() if word != "-"])


def test_a_row_whose_bounds_leave_a_vector_open_is_undecided() -> None:
    result = bounded(llama_results()[STRONG], width=0.3)
    row = matrix_row("a.weight", result.shape)
    one = session([row], SilentEngine(), {"a.weight": result}, ["a.weight"])
    one.prime()
    ground = Ground(one, Definition(), ())
    assert result.summary().undecided(Definition())
    assert parse("is:und").kept(ground) == ["a.weight"]
    assert parse("-is:und").kept(ground) == parse("is:none").kept(ground) == []


async def test_a_tree_of_thousands_is_filled_when_the_typing_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side, "MANY", 10)
    async with opened() as one:
        await one.press("slash")
        fills = []
        fill = one.tree.fill
        monkeypatch.setattr(
            one.tree, "fill", lambda *given, **named: (fills.append(1), fill(*given, **named))
        )
        for letter in ("q", "underscore", "p", "r"):
            await one.pilot.press(letter)
        await one.settle(0.4)
        assert len(rows(one)) == 4
        assert len(fills) <= 2  # the machine may be slow between two letters
        await one.press("backspace", "o", "enter")  # enter waits for nothing
        assert rows(one) == []
        assert one.tree.has_focus
        await one.press("escape")
        assert len(rows(one)) == 35


async def test_an_answer_to_a_hidden_row_is_counted_when_it_is_shown_again() -> None:
    engine = SilentEngine()
    llama = llama_session(engine)
    async with opened(llama, engine=engine) as one:
        await write(one, "q_proj")
        await one.press("enter")
        llama.request(WEAK)
        engine.say(finished(llama, WEAK))
        await one.settle()
        await one.press("escape")
        assert one.tree._badges is not None
        layers = [node.data for node in one.tree.root.children if node.data and node.data.row is None]
        assert one.tree._badges.of(layers[0]).mark == "1!"


async def test_a_kept_filter_that_hides_the_row_goes_to_the_first_it_leaves() -> None:
    async with opened() as one:
        assert one.main.selected == "model.layers.0.self_attn.q_proj.weight"
        await write(one, "k_proj")
        assert one.main.selected == "model.layers.0.self_attn.q_proj.weight"  # nothing jumps while one types
        await one.press("enter")
        assert one.tree.row == one.main.selected == "model.layers.0.self_attn.k_proj.weight"


async def test_a_pattern_that_takes_for_ever_is_given_up() -> None:
    engine = SilentEngine()
    slow = session([matrix_row(f"{'a' * 60}.{place}") for place in range(3)], engine, {}, [], "slow")
    async with opened(llama_session(engine, ready=True), slow, engine=engine) as one:
        await write(one, "(a|aa)+$")  # no name of the first pair has an a before its end
        assert not one.main.query_one("#filter").has_class("-bad")
        await one.press("enter", "c")
        assert "(a|aa)+$: takes over 0.5 s: all rows are shown again." in one.notices
        assert one.line("#rows") == "3 rows"
        await write(one, "(a|aa)+$")
        assert "takes over 0.5 s; the filter before it stays" in one.line("#footer")
        await one.press("enter", "escape")
        assert one.line("#rows") == "3 rows"
        assert one.tree.has_focus
