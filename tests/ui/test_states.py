"""Every state of a matrix, and everything an engine may say."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, llama_results, llama_rows, llama_session
from tests.support.results import bounded
from tests.support.sessions import finished, matrix_row, other_row, session
from textual.widgets import ContentSwitcher

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Broken, Dropped, Failed, Ready, Stage
from intruder_tui.findings.ledger import State
from intruder_tui.ui.outline import Branch

FIRST = "model.layers.0.self_attn.q_proj.weight"


def row_text(one: Opened, name: str) -> str:
    """A row of the tree as it is painted."""
    one.tree.reveal(name)
    for line in range(one.tree.last_line + 1):
        node = one.tree.get_node_at_line(line)
        if node is not None and isinstance(node.data, Branch) and node.data.row == name:
            style = one.tree.rich_style
            return one.tree.render_label(node, style, style).plain
    raise AssertionError(name)


def job(one: Opened, name: str) -> Job:
    pair = one.session.row(name).pair
    assert pair is not None
    return Job(pair)


async def select(one: Opened, name: str) -> None:
    one.main._select(name)
    await one.settle()


async def test_an_idle_matrix_keeps_places_for_its_numbers() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        assert row_text(one, FIRST).endswith("··")
        assert "Not analysed yet" in one.line("#finding")
        for key in ("1", "2", "3", "4"):
            await one.press(key)
            assert "··" in one.text().split("│")[-1] or "··" in one.text()
        await one.press("2")
        assert one.table.row_count == 10


async def test_a_result_takes_the_places_without_moving_anything() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        before = [one.main.query_one(i).region for i in ("#map", "#readout", "#finding", "#tree")]
        await one.press("enter")
        engine.say(finished(one.session, FIRST))
        await one.settle()
        assert [one.main.query_one(i).region for i in ("#map", "#readout", "#finding", "#tree")] == before
        assert one.session.state(FIRST) is State.DONE
        assert one.line("#finding").startswith("All top 10 match")
        assert row_text(one, FIRST).endswith("·")


async def test_queued_and_computing_are_told_apart_and_the_stage_is_named() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        assert row_text(one, FIRST).endswith("…")
        assert one.line("#finding") == "Queued."
        engine.say(Stage(job(one, FIRST), "factorising"))
        await one.settle()
        assert row_text(one, FIRST)[-1] in "◐◑"
        assert one.line("#finding") == "Computing: factorising."


async def test_the_slow_mark_moves_only_while_something_computes() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        engine.say(Stage(job(one, FIRST), "reading"))
        await one.settle()
        seen = {row_text(one, FIRST)[-1]}
        await one.settle(1.1)
        seen.add(row_text(one, FIRST)[-1])
        assert seen == {"◐", "◑"}
        engine.say(finished(one.session, FIRST))
        await one.settle()
        assert one.main._beat is not None
        assert not one.main._computing


async def test_intruders_have_dots_and_a_count() -> None:
    async with opened() as one:
        assert "●●   2" in row_text(one, STRONG)
        assert row_text(one, SAME).endswith("=")
        assert row_text(one, REFUSED).endswith("!")
        assert row_text(one, "model.norm.weight").strip() == "model.norm"


async def test_a_failed_matrix_says_why_and_can_be_tried_again() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        engine.say(Failed(job(one, FIRST), "the worker ran out of memory at 3.1 GB"))
        await one.settle()
        assert row_text(one, FIRST).endswith("!")
        assert one.main.query_one(ContentSwitcher).current == "notice"
        assert "the worker ran out of memory at 3.1 GB" in one.text()
        assert "Enter tries again." in one.text()
        await one.press("enter")
        assert one.engine.submitted == [(FIRST, True), (FIRST, True)]
        assert one.session.state(FIRST) is State.QUEUED
        assert one.main.query_one(ContentSwitcher).current == "heatmap"


async def test_rows_that_can_not_be_analysed_say_why() -> None:
    async with opened() as one:
        for name, words in (
            (REFUSED, ("Can't be compared", "base is 160 x 96, tuned is 160 x 104")),
            ("lm_head.weight", ("On one side only", "only in the base")),
            ("model.norm.weight", ("Not a weight matrix", "one-dimensional", "Only two-dimensional")),
            (SAME, ("Unchanged", "dW is zero")),
        ):
            await select(one, name)
            assert one.main.query_one(ContentSwitcher).current == "notice"
            text = " ".join(one.text().split())
            for word in words:
                assert word in text
        assert one.engine.submitted == []


async def test_a_matrix_outside_the_count_says_so_and_what_enter_does() -> None:
    head = matrix_row("lm_head.weight", (256, 96))
    alone = matrix_row("model.embed_tokens.weight", (256, 96), untouched=True)
    mask = other_row("causal.weight", RowKind.SKIPPED, (8, 8), "buffer: not a trained weight (8 x 8)")
    head, alone = (
        replace(row, kind=RowKind.SKIPPED, reason="output head: not counted") for row in (head, alone)
    )
    rows = [mask, alone, head, matrix_row(FIRST)]
    engine = SilentEngine()
    async with opened(session(rows, engine, {}), engine=engine) as one:
        for row, following in (
            (mask, ""),
            (alone, "The tuned checkpoint leaves it as it is: dW is zero, so there is nothing to analyse."),
            (head, "Enter analyses it all the same."),
        ):
            await select(one, row.name)
            assert one.main.query_one(ContentSwitcher).current == "notice"
            reason = "Not a weight matrix" if row is mask else "Left out of the count"
            assert one.main._pane.said == f"{reason} {row.reason} {following}".strip()
            await one.press("enter")
        assert engine.submitted == [(head.name, True)]


async def test_bounds_show_as_bounds_and_eps_between_them_as_undecided() -> None:
    engine = SilentEngine()
    results = {**llama_results(), STRONG: bounded(llama_results()[STRONG])}
    one_session = session(llama_rows(), engine, results, list(results))
    upper = float(results[STRONG].left.upper[6])
    options = replace(TRUECOLOR, definition=Definition(eps=round(upper - 0.01, 2)))
    async with opened(one_session, engine=engine, options=options) as one:
        await select(one, STRONG)
        assert "undecided" in one.line("#finding")
        assert "··" in one.text()
        await one.press("2")
        text = one.text()
        assert "≤ 0." in text
        assert "undecided" in text
        assert "certified bounds" in one.line("#title")


async def test_rest_on_a_matrix_asks_for_it_and_the_newest_goes_first() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("j")
        assert one.submitted == []
        await one.settle(0.4)
        assert one.engine.submitted == [("model.layers.0.self_attn.k_proj.weight", True)]


async def test_a_row_that_is_not_analysed_by_default_is_not_asked_for_by_resting() -> None:
    async with opened() as one:
        await one.press("g")
        await one.settle(0.4)
        assert one.main.selected == "model.embed_tokens.weight"
        assert one.engine.submitted == []


async def test_events_from_another_thread_arrive() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")

        def work() -> None:
            engine.say(Ready("cuda:0 NVIDIA H200"))
            for name in one.session.default_names:
                if one.session.state(name) is not State.UNCHANGED:
                    engine.say(finished(one.session, name))

        thread = threading.Thread(target=work)
        thread.start()
        await one.settle(0.3)
        thread.join()
        assert "cuda:0 H200" in one.line("#header")
        assert one.line("#findings").startswith("3 intruder dimensions in 2 of 27 matrices; strongest: ")
        assert "27/27" not in one.line("#header")


async def test_progress_shows_what_is_left() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")
        for module, seconds in (("q_proj", 2.0), ("k_proj", 1.0), ("o_proj", 2.0)):
            name = FIRST.replace("q_proj", module)
            engine.say(replace(finished(one.session, name, seconds), job=one.session._asked[name]))
        await one.settle()
        assert "3/26" in one.line("#header")
        assert "0:55" in one.line("#header")  # 23 matrices of together 27.3 times the first one's elements


async def test_a_dropped_job_goes_back_to_idle() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        await one.settle(0.4)
        engine.say(Dropped(job(one, FIRST)))
        await one.settle()
        assert row_text(one, FIRST).endswith("··")


async def test_a_broken_engine_is_said_once_and_plainly() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")
        engine.say(Broken("no such device: cuda:3"))
        await one.settle()
        assert one.line("#findings").startswith("Nothing can be computed: no such device: cuda:3")
        assert "no such device: cuda:3" in one.text()
        assert row_text(one, FIRST).endswith("!")


async def test_a_result_that_left_the_cache_can_be_asked_for_again() -> None:
    engine = SilentEngine()
    one_session = llama_session(engine, ready=True)
    async with opened(one_session, engine=engine) as one:
        cache = one_session._cache
        cache.results.clear()
        cache.ready.clear()
        await one.press("j")
        await one.settle(0.4)
        assert one.submitted == []
        assert "ask for it again" in one.text()
        await one.press("enter")
        await one.settle()
        assert one.submitted == ["model.layers.0.self_attn.k_proj.weight"]


async def test_worst_scans_and_ends_on_the_strongest_intruder() -> None:
    engine = SilentEngine()
    options = replace(TRUECOLOR, select="worst")
    async with opened(llama_session(engine), engine=engine, options=options) as one:
        await one.settle()
        assert len(set(one.submitted)) == 26
        for name in list(one.submitted):
            engine.say(finished(one.session, name))
        await one.settle(0.3)
        strongest = one.session.strongest(Definition())
        assert strongest is not None
        assert one.main.selected == strongest.name


async def test_worst_lets_a_person_go_elsewhere() -> None:
    engine = SilentEngine()
    options = replace(TRUECOLOR, select="worst")
    async with opened(llama_session(engine), engine=engine, options=options) as one:
        await one.press("j")
        for name in list(one.submitted):
            engine.say(finished(one.session, name))
        await one.settle(0.3)
        assert one.main.selected == "model.layers.0.self_attn.k_proj.weight"


async def test_a_warning_stands_where_rounding_speaks() -> None:
    engine = SilentEngine()
    noisy = llama_results()[FIRST]
    noisy = replace(noisy, update=replace(noisy.update, rounding_floor=noisy.update.frobenius * 0.9))
    results = {**llama_results(), FIRST: noisy}
    async with opened(session(llama_rows(), engine, results, list(results)), engine=engine) as one:
        await one.press("4")
        assert "rounding noise" in " ".join(one.text().split())


async def test_nan_free_arrays_of_any_k_are_drawn() -> None:
    async with opened(options=replace(TRUECOLOR, definition=Definition(k=40))) as one:
        await one.press("n")
        assert "32 of k = 40 are known" in one.line("#finding")
        for key in ("1", "2", "3", "4"):
            await one.press(key)
        assert one.table.row_count == 32
        assert np.isfinite(llama_results()[STRONG].left.block).all()
