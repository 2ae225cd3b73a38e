"""What stands where a view would be, and the keys that work there."""

from __future__ import annotations

from tests.support.apps import opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_session
from tests.support.sessions import finished

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed


async def test_enter_tries_again_where_the_tree_is_hidden() -> None:
    engine = SilentEngine()
    llama = llama_session(engine)
    async with opened(llama, engine=engine, size=(60, 20)) as one:
        pair = llama.row(STRONG).pair
        assert pair is not None
        engine.say(Failed(Job(pair), "the worker died (signal 9)"))
        one.main.go_to(STRONG)
        await one.settle()
        assert "Enter tries again." in one.text()
        assert "enter analyse" in one.line("#footer")
        await one.press("enter")
        assert engine.submitted[-1] == (STRONG, True)
        await one.settle()
        assert one.map.has_focus  # the keys follow into the view
        llama._cache.ready.add(STRONG)
        engine.say(finished(llama, STRONG))
        await one.settle()
        await one.press("right")
        assert one.map.cursor[1] == 1
