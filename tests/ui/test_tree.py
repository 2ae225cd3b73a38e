"""The layer tree under the keys."""

from __future__ import annotations

import pytest
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session

from intruder_tui.findings.ledger import State

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


async def test_b_hides_and_shows_the_tree() -> None:
    async with opened() as one:
        await one.press("b")
        assert not one.main.query_one("#side").display
        assert one.map.has_focus
        await one.press("b")
        assert one.main.query_one("#side").display
        assert one.tree.has_focus
