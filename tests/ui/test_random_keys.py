"""Random keys while answers, failures and losses come in: it never falls over."""

from __future__ import annotations

import random

import pytest
from tests.support.apps import opened
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session
from tests.support.sessions import finished

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Dropped, Failed, Ready, Stage
from intruder_tui.engine.session import PENDING

KEYS = [
    *("j", "k", "h", "l", "up", "down", "left", "right", "g", "G", "enter", "tab", "shift+tab", "n", "N"),
    *("left_square_bracket", "right_square_bracket", "minus", "plus", "u", *"1234567vac"),
    *("o", "O", "x", "X", "M", "less_than_sign", "greater_than_sign", "t"),
    *(
        "b",
        "m",
        "colon",
        "y",
        "Y",
        "z",
        "slash",
        "escape",
        "question_mark",
        "L",
        "space",
        "pagedown",
        "ctrl+home",
    ),
]


@pytest.mark.parametrize("seed", [0, 1])
async def test_random_keys_and_events(seed: int) -> None:
    chance = random.Random(seed)
    engine = SilentEngine()
    sessions = [llama_session(engine, tuned=f"lora-{i}") for i in range(2)]
    async with opened(*sessions, engine=engine, size=chance.choice([(60, 20), (100, 30)])) as one:
        for step in range(90):
            await one.pilot.press(chance.choice(KEYS))
            session = chance.choice(sessions)
            waiting = [name for name in session.default_names if session.state(name) in PENDING]
            if waiting and step % 2:
                name = chance.choice(waiting)
                pair = session.row(name).pair
                assert pair is not None
                engine.say(
                    chance.choice(
                        [
                            finished(session, name),
                            finished(session, name),
                            Stage(Job(pair), "reading"),
                            Failed(Job(pair), "the worker died (signal 9)"),
                            Dropped(Job(pair)),
                            Ready("cpu"),
                        ]
                    )
                )
            if step % 40 == 39:
                await one.pilot.resize_terminal(chance.randint(30, 160), chance.randint(8, 50))
        await one.settle()
        assert one.app.is_running
        assert not engine.closed
