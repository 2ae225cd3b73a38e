"""Random keys while answers, failures and losses come in: it never falls over."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, opened
from tests.support.engines import SilentEngine
from tests.support.keys import bound
from tests.support.llama import llama_session
from tests.support.sessions import finished

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Dropped, Failed, Ready, Stage
from intruder_tui.findings.ledger import PENDING

KEYS = bound()


@pytest.mark.parametrize("seed", [0, 1])
async def test_random_keys_and_events(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    engine = SilentEngine()
    sessions = [llama_session(engine, tuned=f"lora-{i}") for i in range(2)]
    options = replace(TRUECOLOR, output=tmp_path)
    size = chance.choice([(60, 20), (100, 30)])
    async with opened(*sessions, engine=engine, options=options, size=size) as one:
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
            if studies := session.desk.pending():
                study = chance.choice(studies)
                event = chance.choice([Stage(study, "reading"), Failed(study, "no memory"), Dropped(study)])
                engine.say(event)
            if step % 40 == 39:
                await one.pilot.resize_terminal(chance.randint(30, 160), chance.randint(8, 50))
        await one.settle()
        assert one.app.is_running
        assert not engine.closed
