"""Pictures of what is seldom seen: the narrowest screen, studies, steps of a run, what failed or was refused.

One start of the app gives several pictures; `pytest --snapshot-update` draws them anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from pytest_textual_snapshot import SVGImageExtension
from syrupy.assertion import SnapshotAssertion
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, STRONG, llama_session
from tests.support.results import analyse, base_weight, plant
from tests.support.sessions import adapted_row, keep_study, matrix_row, session, study_of
from tests.support.studies import scaled, tuned_vectors, whole_cosines

from intruder_tui.definition import Side
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed
from intruder_tui.engine.session import Session
from intruder_tui.studies.answers import StudyKind

NARROW, USUAL, WIDE = (60, 20), (80, 24), (120, 40)
NAME = "model.layers.0.self_attn.q_proj.weight"
SHAPE = (160, 128)
STEPS = ((100, 0.35), (200, 1.0), (300, 1.6))
"""Training steps, and how far a planted direction has grown by then."""

Album = Callable[..., Awaitable[None]]


@pytest.fixture
def album(snapshot: SnapshotAssertion) -> Album:
    """Compare the screen with the picture of that name, after bringing it to that size."""
    kept = snapshot.use_extension(SVGImageExtension)

    async def shown(one: Opened, name: str, size: tuple[int, int]) -> None:
        if one.app.size != size:
            await one.pilot.resize_terminal(*size)
        await one.settle(0.3)
        picture = one.app.export_screenshot(simplify=True)
        assert picture == kept(name=f"{name}-{size[0]}x{size[1]}")

    return shown


async def test_whole_views_on_the_narrowest_screen(album: Album) -> None:
    engine = SilentEngine()
    both = [llama_session(engine, ready=True, tuned=f"lora-r{n}") for n in (8, 16)]
    async with opened(*both, engine=engine, size=NARROW) as one:
        await one.press("n", "4", "tab")
        for key, view in (("4", "update"), ("5", "sweep"), ("6", "map"), ("7", "compare")):
            await one.press(key)
            await album(one, view, NARROW)


async def test_the_slider(album: Album) -> None:
    engine = SilentEngine()
    base = base_weight(*SHAPE)
    tuned = plant(base, [1.2, 0.3])
    row = adapted_row(NAME, SHAPE, rank=2)
    made = session([row], engine, {NAME: analyse(base, tuned, adapter_rank=2)}, [NAME])
    keep_study(made, study_of(made, NAME, StudyKind.SCALINGS), scaled(base, tuned - base, 2))
    async with opened(made, engine=engine, size=WIDE) as one:
        await one.press("4", "tab", *["left"] * 3)
        for size in (WIDE, USUAL, NARROW):
            await album(one, "slider", size)


async def test_followed_intruders(album: Album) -> None:
    engine = SilentEngine()
    base = base_weight(*SHAPE)
    delta = plant(base, [1.2, 0.3]) - base
    run: list[Session] = []
    for step, strength in STEPS:
        tuned = base + strength * delta
        made = session(
            [matrix_row(NAME, SHAPE)], engine, {NAME: analyse(base, tuned)}, [NAME], f"checkpoint-{step}"
        )
        source = replace(made.pairing.tuned, files=(f"/run/checkpoint-{step}/model.safetensors",))
        made.pairing = replace(made.pairing, tuned=source)
        keep_study(made, study_of(made, NAME, StudyKind.VECTORS), tuned_vectors(tuned))
        run.append(made)
    async with opened(*run, engine=engine, size=WIDE) as one:
        await one.press("7", "tab", "f")
        await one.settle(0.5)
        await album(one, "followed", WIDE)
        await one.press(*["j"] * 25)
        for size in (WIDE, USUAL, NARROW):
            await album(one, "followed-below", size)


async def test_the_whole_matrix(album: Album) -> None:
    base = base_weight(96, 96)
    async with opened(size=WIDE) as one:
        await one.press("n", "tab")
        study = study_of(one.session, STRONG, StudyKind.COSINES, Side.LEFT)
        one.engine.say(keep_study(one.session, study, whole_cosines(base, plant(base, [1.2, 0.3]))))
        await one.press("w")
        for size in (WIDE, USUAL, NARROW):
            await album(one, "whole", size)


async def test_what_failed_and_what_was_refused(album: Album) -> None:
    engine = SilentEngine()
    llama = llama_session(engine)
    async with opened(llama, engine=engine, size=WIDE) as one:
        pair = llama.row(STRONG).pair
        assert pair is not None
        engine.say(Failed(Job(pair), "the worker died (signal 9) while it was factorising the base"))
        for name, row in (("failed", STRONG), ("refused", REFUSED)):
            one.main.go_to(row)
            for size in (WIDE, NARROW):
                await album(one, name, size)
