"""Studies: what a desk asks and believes, and what the worker answers, against numpy's SVD of the weights."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tests.support.engines import SilentEngine
from tests.support.sessions import MemoryCache, adapted_row
from tests.support.sessions import pairing as paired

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.checkpoint.recipes import Adapted, Dora, Hosted, ReplacedRows, Stored
from intruder_tui.definition import Definition, Side
from intruder_tui.demo import DemoPaths
from intruder_tui.engine import desk as desks
from intruder_tui.engine.desk import Desk, Progress
from intruder_tui.engine.inline import InlineEngine
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.engine.process import ProcessEngine
from intruder_tui.engine.protocol import Broken, Dropped, Event, Failed, Finished, Stage
from intruder_tui.engine.session import Session
from intruder_tui.studies.answers import StudyKind

Q = "model.layers.2.self_attn.q_proj.weight"
DOWN = "model.layers.1.mlp.down_proj.weight"
UP = "model.layers.1.mlp.up_proj.weight"
UNTOUCHED = "model.layers.0.self_attn.k_proj.weight"
NORM = "model.layers.0.input_layernorm.weight"


class Asked:
    """A session over the demo whose studies are computed within `request`."""

    def __init__(self, demo: DemoPaths, cache: Cache, tuned: str = "lora") -> None:
        self.events: list[Event] = []
        engine = InlineEngine(cache)
        engine.start(self.events.append)
        pairing = open_pairing(str(demo.base), str(getattr(demo, tuned)))
        self.session = Session(pairing, engine, cache)
        self.desk = self.session.desk
        self.events.clear()

    def request(self, name: str, kind: StudyKind, side: Side | None = None) -> list[str]:
        """Ask, and take in what comes; the stages."""
        assert self.desk.request(name, kind, side)
        for event in self.events:
            assert self.session.apply(event) == []  # sessions ignore studies
            self.desk.apply(event)
        stages = [event.stage for event in self.events if isinstance(event, Stage)]
        self.events.clear()
        return stages


@pytest.fixture
def asked(demo_pair: DemoPaths, cache: Cache) -> Asked:
    return Asked(demo_pair, cache)


def weights(demo: DemoPaths, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """W0 and dW, merged here from the files."""
    base: NDArray[np.float64] = next(
        array.astype(np.float64)
        for file in sorted(demo.base.glob("*.safetensors"))
        for key, array in load_file(file).items()
        if key == name
    )
    config = json.loads((demo.lora / "adapter_config.json").read_text())
    factors = load_file(demo.lora / "adapter_model.safetensors")
    stem = "base_model.model." + name.removesuffix(".weight")
    a, b = (factors[f"{stem}.lora_{which}.weight"].astype(np.float64) for which in "AB")
    return base, config["lora_alpha"] / config["r"] * b @ a


@pytest.mark.parametrize("name", [Q, UP, DOWN])
def test_a_grid_of_scalings_holds_the_merged_weights_values(
    asked: Asked, demo_pair: DemoPaths, name: str
) -> None:
    stages = asked.request(name, StudyKind.SCALINGS)
    assert "factorising base" in stages
    assert "scaling 33 of 33" in stages
    found = asked.desk.scalings(name)
    assert found is not None
    assert found.multiples[found.own] == 1.0
    base, delta = weights(demo_pair, name)
    u0, _, v0 = np.linalg.svd(base, full_matrices=False)
    for at in (0, found.own, 20, 32):
        u1, s1, v1 = np.linalg.svd(base + found.multiples[at] * delta, full_matrices=False)
        np.testing.assert_allclose(found.sigma[at], s1[: found.limit], rtol=1e-3)
        for side, cosines in ((Side.LEFT, np.abs(u0.T @ u1)), (Side.RIGHT, np.abs(v0 @ v1.T))):
            best = cosines.max(0)[: found.limit]
            assert (found.side(side).lower[at] <= best + 1e-6).all()
            assert (found.side(side).upper[at] >= best - 1e-6).all()
            for definition in (Definition(side), Definition(side, 3, 0.9)):
                certain, possible = (int(counts[at]) for counts in found.counts(definition))
                assert certain <= int((best[: definition.k] < definition.eps).sum()) <= possible


def test_whole_matrices_of_both_sides_come_from_one_study(asked: Asked, demo_pair: DemoPaths) -> None:
    asked.request(UP, StudyKind.COSINES, Side.RIGHT)
    base, delta = weights(demo_pair, UP)
    u0, s0, v0 = np.linalg.svd(base, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(base + delta, full_matrices=False)
    for side, cosines in ((Side.RIGHT, np.abs(v0 @ v1.T)), (Side.LEFT, np.abs(u0.T @ u1))):
        found = asked.desk.cosines(UP, side)
        assert found is not None
        assert found.shape == cosines.shape
        np.testing.assert_allclose(found.window(0, 999, 0, 999), cosines, atol=2e-3)
        np.testing.assert_allclose(found.window(7, 9, 3, 40), cosines[7:9, 3:40], atol=2e-3)
        np.testing.assert_allclose(found.best, cosines.max(0), atol=2e-3)
        np.testing.assert_allclose(found.sigma_base, s0, rtol=1e-4)
        np.testing.assert_allclose(found.sigma_tuned, s1, rtol=1e-4)
    assert not asked.desk.request(UP, StudyKind.COSINES, Side.LEFT)  # it is here


def test_tuned_vectors_link_to_themselves_and_nothing_else(asked: Asked, demo_pair: DemoPaths) -> None:
    asked.request(DOWN, StudyKind.VECTORS)
    found = asked.desk.vectors(DOWN)
    assert found is not None
    base, delta = weights(demo_pair, DOWN)
    u, s, v = np.linalg.svd(base + delta, full_matrices=False)
    np.testing.assert_allclose(found.sigma, s[:32], rtol=1e-4)
    for side, true in ((Side.LEFT, u), (Side.RIGHT, v.T)):
        ours = found.side(side).astype(np.float64)
        assert ours.shape == (true.shape[0], 32)
        np.testing.assert_allclose(np.abs((ours * true[:, :32]).sum(0))[:10], 1.0, atol=2e-3)
        np.testing.assert_allclose(found.links(found, side), np.eye(32), atol=2e-3)


def test_studies_are_found_again_without_being_computed(
    asked: Asked, demo_pair: DemoPaths, cache: Cache
) -> None:
    asked.request(Q, StudyKind.VECTORS)
    again = Session(asked.session.pairing, SilentEngine(), cache.reopened()).desk
    assert again.progress(Q, StudyKind.VECTORS) is Progress.DONE
    assert again.vectors(Q) is not None
    assert again.scalings(Q) is None
    usage = cache.usage()
    assert usage.studies == 1
    assert 0 < usage.studies_size <= usage.studies_budget
    cache.clear()
    assert cache.usage().studies == 0


def test_a_damaged_study_is_computed_again(asked: Asked, cache: Cache) -> None:
    asked.request(Q, StudyKind.VECTORS)
    (file,) = (cache.root / "studies").glob("??/*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 0x55
    file.write_bytes(content)
    again = Session(asked.session.pairing, SilentEngine(), cache.reopened()).desk
    assert again.vectors(Q) is None
    assert not file.exists()
    assert again.progress(Q, StudyKind.VECTORS) is Progress.IDLE


def test_a_truncated_matrix_is_no_answer(asked: Asked, cache: Cache) -> None:
    asked.request(Q, StudyKind.COSINES, Side.LEFT)
    for file in (cache.root / "studies").glob("??/*.safetensors"):
        file.write_bytes(file.read_bytes()[:-64])
    again = Session(asked.session.pairing, SilentEngine(), cache.reopened()).desk
    assert again.cosines(Q, Side.LEFT) is None


def test_an_answer_larger_than_its_place_says_so(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, cache: Cache
) -> None:
    monkeypatch.setattr(cache._studies, "budget", 1000)
    asked.request(Q, StudyKind.COSINES, Side.LEFT)
    assert asked.desk.progress(Q, StudyKind.COSINES, Side.LEFT) is Progress.FAILED
    assert asked.desk.reason(Q, StudyKind.COSINES, Side.LEFT).endswith("studies may take 1000 in the cache")


def test_what_can_not_be_had_says_why(demo_pair: DemoPaths, cache: Cache) -> None:
    full, lora = Asked(demo_pair, cache, "full").desk, Asked(demo_pair, cache).desk
    assert full.reason(Q, StudyKind.SCALINGS) == desks.NOT_LOW_RANK
    assert not full.request(Q, StudyKind.SCALINGS)
    assert full.reason(Q, StudyKind.VECTORS) == ""
    assert lora.reason(UNTOUCHED, StudyKind.SCALINGS) == desks.SAME
    assert lora.reason(NORM, StudyKind.VECTORS) == desks.NO_PAIR
    assert lora.reason("no.such.matrix", StudyKind.VECTORS) == desks.NO_PAIR
    assert lora.progress("no.such.matrix", StudyKind.VECTORS) is Progress.FAILED
    with pytest.raises(ValueError, match="side is None"):
        lora.request(Q, StudyKind.COSINES)


def test_each_kind_of_adapter_says_why_it_has_no_slider() -> None:
    row = adapted_row(Q)
    assert row.pair is not None
    assert isinstance(row.pair.tuned, Adapted)
    base, update = row.pair.tuned.base, row.pair.tuned.update
    for tuned, words in (
        (Dora(base, update, update.a), "this adapter is a DoRA one"),
        (Hosted(base, "LOHA", "q_proj", "{}", ()), "this adapter is a LOHA one"),
        (ReplacedRows(base, update.a, (1,)), "this adapter replaces rows"),
        (Stored(update.a), "this checkpoint holds the tuned weight itself"),
        (row.pair.tuned, ""),
    ):
        made = replace(row, pair=replace(row.pair, tuned=tuned))
        given = replace(paired([row]), rows=(made,))
        desk = Desk(given, SilentEngine(), MemoryCache([], {}))
        reason = desk.reason(Q, StudyKind.SCALINGS)
        assert words in reason
        assert bool(reason) == bool(words)


def test_a_desk_follows_the_engine(demo_pair: DemoPaths, cache: Cache) -> None:
    engine = SilentEngine()
    pairing = open_pairing(str(demo_pair.base), str(demo_pair.lora))
    desk = Desk(pairing, engine, cache)
    kind = StudyKind.VECTORS
    assert desk.progress(Q, kind) is Progress.IDLE
    assert desk.request(Q, kind)
    assert desk.request(Q, kind, urgent=False)  # the engine keeps each once
    (study, _) = engine.studies
    assert desk.progress(Q, kind) is Progress.QUEUED
    assert desk.apply(Stage(study, "reading")) == [study]
    assert (desk.progress(Q, kind), desk.stage(Q, kind)) == (Progress.COMPUTING, "reading")
    assert desk.pending() == [study]
    assert desk.apply(Stage(study, "")) == [study]  # it made way for a more urgent job
    assert desk.progress(Q, kind) is Progress.QUEUED
    assert desk.apply(Failed(study, "no memory")) == [study]
    assert (desk.pending(), desk.failures()) == ([], [(study, "no memory")])
    assert (desk.progress(Q, kind), desk.reason(Q, kind)) == (Progress.FAILED, "no memory")
    assert desk.request(Q, kind)
    assert desk.reason(Q, kind) == ""
    desk.cancel(Q, kind)
    assert engine.cancelled == [Q]
    desk.apply(Dropped(study))
    assert desk.progress(Q, kind) is Progress.IDLE
    desk.request(Q, kind)
    desk.apply(Finished(study, "0" * 64, 1.0))
    assert desk.reason(Q, kind) == desks.VANISHED
    desk.request(Q, kind)
    desk.cancel_all()
    assert desk.apply(Broken("no such device")) == [study]
    assert desk.reason(Q, kind) == "no such device"
    assert desk.failures() == [(study, "no such device")]
    assert not desk.request(Q, kind)


def test_jobs_and_other_pairings_studies_are_ignored(demo_pair: DemoPaths, cache: Cache) -> None:
    lora = open_pairing(str(demo_pair.base), str(demo_pair.lora))
    full = open_pairing(str(demo_pair.base), str(demo_pair.full))
    desk = Desk(lora, SilentEngine(), cache)
    pair = next(pair for pair in full.pairs if pair.name == Q)
    own = next(pair for pair in lora.pairs if pair.name == Q)
    assert desk.apply(Stage(Study(pair, StudyKind.VECTORS), "reading")) == []
    assert desk.apply(Stage(Job(own), "reading")) == []


def test_the_real_worker_answers_studies_among_jobs(demo_pair: DemoPaths, cache: Cache) -> None:
    from queue import SimpleQueue

    events: SimpleQueue[Event] = SimpleQueue()
    engine = ProcessEngine(cache, "cpu")
    try:
        engine.start(events.put)
        pairing = open_pairing(str(demo_pair.base), str(demo_pair.lora))
        session = Session(pairing, engine, cache)
        session.request(Q)
        session.desk.request(Q, StudyKind.SCALINGS)
        while session.summary(Q) is None or session.desk.scalings(Q) is None:
            event = events.get(timeout=90.0)
            assert not isinstance(event, Failed), event
            session.apply(event)
            session.desk.apply(event)
        found, definition = session.desk.scalings(Q), Definition()
        assert found is not None
        assert int(found.counts(definition)[0][found.own]) == session.count(Q, definition)
    finally:
        engine.close()
