"""The command palette: every action, every matrix, names as text."""

from __future__ import annotations

import time

from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, WEAK
from tests.support.sessions import matrix_row, session
from textual.command import CommandPalette
from textual.events import Key
from textual.widgets import OptionList

from intruder_tui.ui.keys import MAIN
from intruder_tui.ui.palette import MOST, OWN, Palette, matching


async def prompts(one: Opened) -> list[str]:
    for _ in range(40):
        await one.settle(0.1)
        found = one.app.screen.query_one(OptionList)
        if found.option_count:
            break
    return [str(found.get_option_at_index(at).prompt) for at in range(found.option_count)]


async def test_the_palette_holds_every_action_of_the_main_screen() -> None:
    async with opened() as one:
        await one.press("colon")
        assert isinstance(one.app.screen, CommandPalette)
        shown = "\n".join(await prompts(one))
        for binding in MAIN:
            assert binding.id in OWN or binding.description in shown
        await one.press("escape")
        assert one.app.screen is one.main


async def test_ctrl_p_opens_it_too_and_an_action_runs() -> None:
    async with opened() as one:
        await one.press("ctrl+p", *"Raise k")
        assert "Raise k (+)" in (await prompts(one))[0]
        await one.press("enter")
        await one.settle(0.3)
        assert one.main.definition.k == 11


async def test_it_goes_to_a_matrix() -> None:
    async with opened() as one:
        await one.press("6", "colon", *"down 3")
        assert f"Go to {WEAK}" in await prompts(one)
        await one.press("enter")
        await one.settle(0.3)
        assert one.main.selected == WEAK
        await one.press("colon", *"l1qproj")
        await prompts(one)
        await one.press("enter")
        await one.settle(0.3)
        assert one.main.selected == STRONG


async def test_names_are_text() -> None:
    engine = SilentEngine()
    hostile = ["[bold]a[/bold].[/x].weight", "b\x1b[31m.weight", "[link=x]c.weight"]
    given = session([matrix_row(name) for name in hostile], engine, {})
    async with opened(given, engine=engine) as one:
        await one.press("colon", *"weight")
        shown = await prompts(one)
        assert "Go to [bold]a[/bold].[/x].weight" in shown
        assert not any("\x1b" in prompt for prompt in shown)
        assert "\x1b" not in one.text()


async def test_twenty_thousand_names_are_searched_while_keys_are_heard() -> None:
    names = [
        f"model.layers.{layer}.mlp.experts.{expert}.{part}_proj.weight"
        for layer in range(26)
        for expert in range(256)
        for part in ("gate", "up", "down")
    ]
    assert [name async for name in matching(names, ".25. experts.255.UP")] == [
        "model.layers.25.mlp.experts.255.up_proj.weight"
    ]
    found = [name async for name in matching(names, "l3e7down")]
    assert found[0] == "model.layers.3.mlp.experts.7.down_proj.weight"
    assert len(found) == MOST
    started = time.monotonic()
    assert [name async for name in matching(names, "no such [ thing")] == []
    assert time.monotonic() - started < 5  # a guard against searches that blow up, not a measurement
    assert [name async for name in matching(names, "  ")] == []


async def test_keys_that_come_while_it_closes_find_nothing_to_do() -> None:
    async with opened() as one:
        await one.press("colon", *"raise k")
        await prompts(one)
        palette = one.app.screen
        assert isinstance(palette, Palette)
        palette.post_message(Key("enter", None))
        palette._action_escape()
        palette._select_or_command()
        palette._gather_commands("q")
        palette.dismiss()
        await one.settle(0.3)
        assert one.app.screen is one.main
        await one.press("question_mark")
        palette.dismiss()
        await one.settle()
        assert one.app.screen is not one.main  # it has closed nothing else


async def test_pages_are_turned_where_the_list_has_no_room() -> None:
    async with opened(size=(28, 5)) as one:
        for lines in (3, 5, 7, 9):
            await one.pilot.resize_terminal(28, lines)
            await one.press("colon")
            await one.settle(0.2)
            await one.press("down", "down", "pageup", "pagedown", "escape")
            assert one.app.is_running
