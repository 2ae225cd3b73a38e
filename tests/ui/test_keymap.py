"""Keys of one's own."""

from __future__ import annotations

from tests.support.apps import opened
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session

from intruder_tui.definition import Side


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
