"""The line that filters the tree."""

from __future__ import annotations

import pytest
from tests.support.apps import Opened, opened
from tests.support.llama import STRONG, WEAK
from textual import events
from textual.widgets import Input

from intruder_tui.definition import Definition


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
