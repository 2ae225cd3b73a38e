"""A scan in the background: paused, taken up again, stopped; and what is told of a long step."""

from __future__ import annotations

import re

import pytest
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_results, llama_rows, llama_session
from tests.support.results import bounded
from tests.support.sessions import finished, key_of, session

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Finished, Stage
from intruder_tui.findings.ledger import State
from intruder_tui.ui import subject

FIRST = "model.layers.0.self_attn.q_proj.weight"


def job(one: Opened, name: str) -> Job:
    return one.session._asked[name]


async def test_p_holds_the_scan_back_and_p_lets_it_go_on() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a")
        engine.say(finished(one.session, FIRST, seconds=2.0))
        await one.settle()
        assert not engine.held
        await one.press("p")
        assert engine.held
        assert "1/26" in one.line("#header")
        assert one.line("#header").endswith("paused")
        await one.press("p")
        await one.settle()
        assert not engine.held
        assert "paused" not in one.line("#header")


@pytest.mark.parametrize("size", [(80, 24), (120, 34)])
async def test_the_bar_stays_until_the_last_answer_is_in(size: tuple[int, int]) -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine, size=size) as one:
        await one.press("a")
        *others, last = one.session.pending()
        for each in others:
            engine.say(finished(one.session, each.name))
        await one.settle()
        assert "25/26" in one.line("#header")
        assert "▕" in one.line("#header")
        engine.say(finished(one.session, last.name))
        await one.settle()
        assert "▕" not in one.line("#header")


async def test_a_goes_on_with_a_paused_scan_and_then_stops_it() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a", "p", "a")
        assert not engine.held
        assert engine.cancelled == []
        await one.press("a")
        assert len(set(engine.cancelled)) == 26


async def test_what_is_looked_at_is_urgent_while_the_scan_is_paused() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("a", "p", "j")
        await one.settle(0.4)
        assert engine.submitted[-1] == ("model.layers.0.self_attn.k_proj.weight", True)
        assert engine.held


async def test_there_is_nothing_to_pause_where_nothing_is_asked() -> None:
    async with opened() as one:
        await one.press("p")
        assert not one.engine.held
        assert "Nothing is being computed" in one.notices


async def test_a_long_stage_tells_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "WORTH_TELLING", 0.5)
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("enter")
        engine.say(Stage(job(one, FIRST), "factorising base"))
        await one.settle(1.3)
        assert one.line("#finding") == "Computing: factorising base, 0:01."


async def test_bounds_say_that_their_values_are_on_their_way() -> None:
    engine = SilentEngine()
    results = {**llama_results(), STRONG: bounded(llama_results()[STRONG])}
    async with opened(session(llama_rows(), engine, results), engine=engine) as one:
        one.main.go_to(STRONG)
        await one.settle(0.5)
        engine.say(finished(one.session, STRONG))
        await one.settle()
        assert one.session.refining(STRONG)
        assert "Its values are queued." in one.line("#finding")
        assert "Exact values are queued. W computes all cosines" in words(one)
        engine.say(Stage(job_of_values(one), "factorising base"))
        await one.settle()
        assert one.session.state(STRONG) is State.DONE
        assert "Its values are being computed: factorising base." in one.line("#finding")
        assert "Exact values are being computed: factorising base. W computes all" in words(one)
        assert "not known yet: exact values are being computed" in words(one)
        assert re.search(r"q_proj +● +1[◐◑]", one.text())
        one.session._cache.results.update(llama_results())
        engine.say(Finished(job_of_values(one), key_of(job_of_values(one).pair), 1.0))
        await one.settle()
        assert "being computed" not in one.text()
        assert not re.search(r"q_proj +● +1[◐◑]", one.text())


def words(one: Opened) -> str:
    """The pane in front, its lines joined."""
    return " ".join(word for word in one.text().split() if word not in "▕│")


def job_of_values(one: Opened) -> Job:
    pair = one.session.row(STRONG).pair
    assert pair is not None
    return Job(pair)


async def test_a_covers_the_checkpoint_in_front_and_in_compare_every_one() -> None:
    engine = SilentEngine()
    done = llama_session(engine, ready=True, tuned="lora-r8")
    todo = llama_session(engine, tuned="full")
    async with opened(done, todo, engine=engine) as one:
        await one.press("a")
        assert "Every matrix of lora-r8 is analysed. c shows the next checkpoint" in one.notices
        assert "in Compare (7) a analyses all 2" in one.notices
        assert one.submitted == []
        await one.press("7", "a")
        assert len(todo.pending()) == 26
        await one.press("a")
        assert len(set(engine.cancelled)) == 26


async def test_a_says_that_nothing_is_left() -> None:
    async with opened() as one:
        await one.press("a")
        assert "Every matrix is analysed." in one.notices
