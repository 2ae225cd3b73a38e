"""With --ascii everything of ours is ASCII: every view, the help, the log, the palette, the filter line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import WEAK, llama_session
from tests.support.results import analyse
from tests.support.sessions import matrix_row, session

ONE = "model.layers.0.mlp.up_proj.weight"


def strange(one: Opened, where: str) -> list[str]:
    """Lines that are not ASCII, and where they stood."""
    return [f"{where}: {line.rstrip()}" for line in one.text().splitlines() if not line.isascii()]


@pytest.mark.parametrize(
    ("size", "colour"),
    [((40, 12), "none"), ((60, 20), "none"), ((70, 20), "256"), ((80, 24), "16"), ((120, 40), "truecolor")],
)
async def test_every_view_and_sheet(size: tuple[int, int], colour: str) -> None:
    engine = SilentEngine()
    names = ("a-tuned-checkpoint-with-a-long-name", "another-tuned-checkpoint-with-a-long-name")
    sessions = [llama_session(engine, ready=True, tuned=name) for name in names]
    options = replace(TRUECOLOR, ascii=True, colour=colour)
    found: list[str] = []
    async with opened(*sessions, engine=engine, options=options, size=size) as one:
        await one.press("n")
        for key in "1234567":
            await one.press(key, "tab")
            found += strange(one, f"view {key}")
            await one.press("shift+tab")
        for keys in ([], ["G"]):
            await one.press("question_mark", *keys)
            found += strange(one, f"help {keys}")
            await one.press("escape")
        await one.press("L")
        found += strange(one, "log")
        await one.press("escape", "slash", *"q_proj")
        found += strange(one, "filter")
        await one.press("escape", "escape", "colon")
        await one.settle(0.5)
        found += strange(one, "palette")
        await one.press("escape", "t")
        await one.settle(0.3)
        found += strange(one, "themes")
        await one.press("escape")
        one.main.go_to(WEAK)
        await one.settle()
        found += strange(one, "another matrix")
    assert not found, "\n".join(found)


async def test_a_matrix_of_one_number() -> None:
    engine = SilentEngine()
    tiny = session(
        [matrix_row(ONE, (1, 1))], engine, {ONE: analyse(np.array([[2.0]]), np.array([[-3.0]]))}, [ONE]
    )
    options = replace(TRUECOLOR, ascii=True)
    async with opened(tiny, engine=engine, options=options, size=(80, 24)) as one:
        for key in "1234567":
            await one.press(key)
            assert not strange(one, key)
