"""The slider of the Update view and the followed intruders of Compare, on an app whose answers are known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.results import Matrix, analyse, base_weight, plant
from tests.support.sessions import adapted_row, keep_study, matrix_row, session, study_of
from tests.support.studies import scaled, tuned_vectors

from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.protocol import Failed, Stage
from intruder_tui.engine.session import Session
from intruder_tui.studies.answers import Scalings, StudyKind
from intruder_tui.ui.widgets.compare import CompareView
from intruder_tui.ui.widgets.update import UpdateView

NAME = "model.layers.0.self_attn.q_proj.weight"
OTHER = "model.layers.0.self_attn.k_proj.weight"
SHAPE = (160, 128)
STEPS = ((100, 0.35), (200, 1.0), (300, 1.6))


@cache
def pair() -> tuple[Matrix, Matrix]:
    base = base_weight(*SHAPE)
    return base, plant(base, [1.2, 0.3]) - base


@cache
def grid() -> Scalings:
    return scaled(*pair(), 2)


def one_session(engine: SilentEngine, *, full: bool = False) -> Session:
    base, delta = pair()
    results = {NAME: analyse(base, base + delta, adapter_rank=2), OTHER: analyse(base, base + delta / 2)}
    row = matrix_row(NAME, SHAPE) if full else adapted_row(NAME, SHAPE, rank=2)
    return session([row, adapted_row(OTHER, SHAPE, rank=2)], engine, results, [NAME, OTHER])


def run(engine: SilentEngine, count: int = len(STEPS)) -> list[Session]:
    """Checkpoints of one run in which a planted direction grows."""
    base, delta = pair()
    found = []
    for step, strength in STEPS[:count]:
        results = {NAME: analyse(base, base + strength * delta)}
        made = session([matrix_row(NAME, SHAPE)], engine, results, [NAME], f"checkpoint-{step}")
        source = replace(made.pairing.tuned, files=(f"/run/checkpoint-{step}/model.safetensors",))
        made.pairing = replace(made.pairing, tuned=source)
        found.append(made)
    return found


def answer(one: Opened, made: Session, study: Study, value: object) -> None:
    one.main.take(keep_study(made, study, value))


def update(one: Opened) -> UpdateView:
    return one.main.query_one(UpdateView)


def words(view: UpdateView | CompareView) -> str:
    return " ".join(view.plain().split())


async def test_nothing_is_computed_until_a_key_asks_for_it() -> None:
    engine = SilentEngine()
    made = one_session(engine)
    async with opened(made, engine=engine) as one:
        await one.press("4")
        assert engine.studies == []
        assert "Enter, or left and right, compute it" in words(update(one))
        update(one).focus()
        await one.press("right")
        study = study_of(made, NAME, StudyKind.SCALINGS)
        assert engine.studies == [study]
        assert words(update(one)).endswith("queued")
        one.main.take(Stage(study, "factorising base"))
        await one.settle()
        assert words(update(one)).endswith("factorising base")
        await one.press("enter")  # takes it back
        assert engine.cancelled == [NAME]
        answer(one, made, study, grid())
        await one.settle()
        assert "At scaling 2 (alpha 4 at r 2), the adapter's own" in words(update(one))


async def test_the_slider_moves_and_comes_home() -> None:
    engine = SilentEngine()
    made = one_session(engine)
    keep_study(made, study_of(made, NAME, StudyKind.SCALINGS), grid())
    keep_study(made, study_of(made, OTHER, StudyKind.SCALINGS), grid())
    async with opened(made, engine=engine, size=(120, 50)) as one:
        await one.press("4")
        update(one).focus()
        await one.press("right", "l")
        assert "At scaling 2.5 (alpha 5 at r 2), 1.25 times the adapter's own" in words(update(one))
        await one.press(*["left"] * 12)
        assert "At scaling 0 (alpha 0 at r 2)" in words(update(one))  # and no further
        await one.press(*["h"] * 2, *["right"] * 40)
        assert "At scaling 8 (alpha 16 at r 2), 4 times" in words(update(one))
        one.main.go_to(OTHER)
        await one.settle()
        assert "At scaling 8" in words(update(one))  # the same multiple of another matrix
        await one.press("home")
        assert "At scaling 2 (alpha 4 at r 2), the adapter's own" in words(update(one))
        assert engine.studies == []


async def test_the_slider_follows_the_definition() -> None:
    engine = SilentEngine()
    made = one_session(engine)
    keep_study(made, study_of(made, NAME, StudyKind.SCALINGS), grid())
    async with opened(made, engine=engine, size=(120, 50)) as one:
        await one.press("4", *["left_square_bracket"] * 3, "minus", "u")
        definition = one.main.definition
        certain = int(grid().counts(definition)[0][grid().own])
        assert f"the adapter's own: {certain} intruder" in words(update(one))
        assert definition != Definition()


async def test_a_full_fine_tune_says_why_there_is_no_slider() -> None:
    engine = SilentEngine()
    async with opened(one_session(engine, full=True), engine=engine) as one:
        await one.press("4")
        update(one).focus()
        await one.press("right", "enter", "home")
        assert "Only the scaling of a low-rank update can be changed" in words(update(one))
        assert engine.studies == []


async def test_a_failure_is_told_in_its_place_and_asked_again() -> None:
    engine = SilentEngine()
    made = one_session(engine)
    async with opened(made, engine=engine) as one:
        await one.press("4")
        update(one).focus()
        await one.press("enter")
        one.main.take(Failed(study_of(made, NAME, StudyKind.SCALINGS), "out of memory on cpu"))
        await one.settle()
        assert words(update(one)).endswith("Out of memory on cpu.")
        assert one.session.state(NAME).value == "done"  # the matrix's own answer stands
        await one.press("enter")
        assert len(engine.studies) == 2


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (200, 60)])
async def test_what_was_asked_for_comes_into_view(size: tuple[int, int]) -> None:
    engine = SilentEngine()
    made = one_session(engine)
    async with opened(made, engine=engine, size=size) as one:
        await one.press("4")
        update(one).focus()
        await one.press("enter")
        assert "enter stop" in one.line("#footer")
        answer(one, made, study_of(made, NAME, StudyKind.SCALINGS), grid())
        await one.settle()
        assert "At scaling 2" in one.text()
        assert "enter compute" in one.line("#footer")


async def test_what_is_followed_comes_into_view() -> None:
    engine = SilentEngine()
    made = run(engine)
    base, delta = pair()
    async with opened(*made, engine=engine, size=(80, 24)) as one:
        await one.press("7")
        one.main.query_one(CompareView).focus()
        await one.settle(0.8)
        assert "intruder followed" not in one.text()
        await one.press("f")
        await one.settle()
        assert "each intruder followed" in one.text()
        assert "queued." in one.text()
        for each, (_, strength) in zip(made, STEPS, strict=True):
            study = study_of(each, NAME, StudyKind.VECTORS)
            answer(one, each, study, tuned_vectors(base + strength * delta))
        await one.settle(1.5)
        assert "each intruder followed" in "".join(one.text().splitlines()[5:8])  # its head is at the top


async def test_the_slider_is_saved_with_its_data_and_a_figure(tmp_path: Path) -> None:
    engine = SilentEngine()
    made = one_session(engine)
    keep_study(made, study_of(made, NAME, StudyKind.SCALINGS), grid())
    async with opened(made, engine=engine, options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("4")
        update(one).focus()
        await one.press("right", "s")
        await one.saved()
        stem = f"tuned-lora-r16_{NAME}_update"
        document = json.loads((tmp_path / f"{stem}.json").read_text())
        assert document["shown"]["scalings"]["slider"] == grid().own + 1
        assert "At scaling 2.25" in (tmp_path / f"{stem}.txt").read_text()
        assert "scaling of the update" in (tmp_path / f"{stem}_figure.svg").read_text()
        rows = list(csv.DictReader(io.StringIO((tmp_path / f"{stem}.csv").read_text())))
        assert len(rows) == 33 * 10


async def test_f_follows_an_intruder_over_the_steps(tmp_path: Path) -> None:
    engine = SilentEngine()
    made = run(engine)
    base, delta = pair()
    options = replace(TRUECOLOR, output=tmp_path)
    async with opened(*made, engine=engine, options=options, size=(140, 90)) as one:
        await one.press("7")
        view = one.main.query_one(CompareView)
        await one.settle(0.8)
        assert "f follows each intruder of this matrix" in words(view)
        assert engine.studies == []
        view.focus()
        await one.press("f")
        studies = [study_of(each, NAME, StudyKind.VECTORS) for each in made]
        assert engine.studies == studies[::-1]
        assert "The vectors of 0 of 3 steps are known; queued." in words(view)
        for place in (0, 1):
            answer(one, made[place], studies[place], tuned_vectors(base + STEPS[place][1] * delta))
        await one.settle(1.5)
        assert "The vectors of 2 of 3 steps are known" in words(view)
        ranks = next(line for line in view.plain().splitlines() if "rank j" in line)
        assert ranks.split()[-1] == "··"
        answer(one, made[2], studies[2], tuned_vectors(base + STEPS[2][1] * delta))
        await one.settle(1.5)
        ranks = [line.split() for line in view.plain().splitlines() if "rank j" in line]
        assert "0" in [cells[-1] for cells in ranks]
        assert "link" in words(view)
        await one.press("s")
        await one.saved()
        stem = "checkpoint-100_compare"
        followed = json.loads((tmp_path / f"{stem}.json").read_text())["shown"]["followed"]
        assert [step["step"] for step in followed["steps"]] == [100, 200, 300]
        assert 0 in [track[2]["j"] for track in followed["tracks"] if track[2]]
        for figure in ("_figure.svg", "_followed_figure.svg"):
            assert "training step" in (tmp_path / f"{stem}{figure}").read_text()
        assert "each intruder followed" in (tmp_path / f"{stem}.txt").read_text()


async def test_f_is_named_by_the_key_in_force() -> None:
    engine = SilentEngine()
    async with opened(*run(engine, 2), engine=engine, size=(140, 90)) as one:
        one.app.set_keymap({"compare.follow": "f5"})
        await one.press("7")
        await one.settle(0.8)
        assert "f5 follows each intruder of this matrix" in words(one.main.query_one(CompareView))
        assert "f follows" not in one.text()


async def test_f_again_takes_back_what_is_under_way() -> None:
    engine = SilentEngine()
    async with opened(*run(engine, 2), engine=engine) as one:
        await one.press("7")
        one.main.query_one(CompareView).focus()
        await one.settle()
        assert "f follow" in one.line("#footer")
        await one.press("f")
        assert "f stop" in one.line("#footer")
        await one.press("f")
        assert len(engine.studies) == 2
        assert engine.cancelled == [NAME, NAME]


async def test_the_help_explains_slider_and_tracks() -> None:
    engine = SilentEngine()
    async with opened(*run(engine, 2), engine=engine, size=(120, 90)) as one:
        await one.press("4", "question_mark")
        assert "the slider" in one.text()
        await one.press("escape", "7", "question_mark")
        assert "link" in one.text()
