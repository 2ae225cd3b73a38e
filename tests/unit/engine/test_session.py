"""What a session knows, asks and believes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.support.engines import SilentEngine
from tests.support.inline import solved

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.definition import Definition, Side
from intruder_tui.demo import DemoPaths
from intruder_tui.demo.weights import PLANTED
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Broken, Dropped, Failed, Finished, Ready, Stage
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State

Q = "model.layers.2.self_attn.q_proj.weight"
V = "model.layers.0.self_attn.v_proj.weight"
K_UNTOUCHED = "model.layers.0.self_attn.k_proj.weight"
NORM = "model.layers.0.input_layernorm.weight"


@pytest.fixture
def silent() -> SilentEngine:
    return SilentEngine()


@pytest.fixture
def session(demo_pair: DemoPaths, cache: Cache, silent: SilentEngine) -> Session:
    return Session(open_pairing(str(demo_pair.base), str(demo_pair.lora)), silent, cache)


def job(session: Session, name: str) -> Job:
    pair = session.row(name).pair
    assert pair is not None
    return Job(pair)


def test_states_before_anything_is_asked(session: Session, silent: SilentEngine) -> None:
    assert session.state(Q) is State.IDLE
    assert session.state(K_UNTOUCHED) is State.UNCHANGED
    assert session.count(K_UNTOUCHED, Definition()) == 0
    assert session.state(NORM) is State.SKIPPED
    assert session.reason(NORM)
    assert session.prime() == []
    assert session.primed
    assert silent.submitted == []
    with pytest.raises(KeyError):
        session.state("no such matrix")


def test_a_request_goes_through_its_states(session: Session, silent: SilentEngine) -> None:
    session.request(Q, urgent=False)
    session.request(Q, urgent=False)
    assert silent.submitted == [(Q, False)]
    session.request(Q)
    assert silent.submitted[-1] == (Q, True)
    assert session.state(Q) is State.QUEUED
    assert session.apply(Stage(job(session, Q), "reading")) == [Q]
    assert session.state(Q) is State.COMPUTING
    assert session.stage(Q) == "reading"
    session.apply(Failed(job(session, Q), "no luck"))
    assert session.state(Q) is State.FAILED
    assert session.reason(Q) == "no luck"
    assert session.totals(Definition()).failed == 1
    session.request(Q)
    assert session.state(Q) is State.QUEUED
    assert session.reason(Q) == ""
    session.cancel(Q)
    assert silent.cancelled == [Q]
    session.apply(Dropped(job(session, Q)))
    assert session.state(Q) is State.IDLE


def test_a_scan_goes_on_until_its_last_answer(session: Session) -> None:
    session.request(Q)
    session.request(Q)  # looked at again
    assert not session.scanning  # one matrix alone
    session.request(V)
    session.apply(Dropped(job(session, Q)))
    assert session.scanning
    session.apply(Failed(job(session, V), "no memory"))
    assert not session.scanning
    session.request(Q)
    assert not session.scanning


def test_rows_that_cannot_be_computed_are_left_alone(session: Session, silent: SilentEngine) -> None:
    session.request(NORM)
    session.request(K_UNTOUCHED)
    session.cancel(Q)
    assert silent.submitted == []
    assert silent.cancelled == []


def test_a_broken_engine_fails_what_waits_and_what_comes(session: Session, silent: SilentEngine) -> None:
    session.request(Q)
    assert session.apply(Ready("cpu")) == []
    assert session.device == "cpu"
    assert session.apply(Broken("no such device")) == [Q]
    session.request(V)
    assert session.state(V) is State.FAILED
    assert session.reason(V) == "no such device"
    assert [name for name, _ in silent.submitted] == [Q]


def test_a_result_that_vanished_is_a_failure_that_can_be_repeated(session: Session) -> None:
    session.request(Q)
    session.apply(Finished(job(session, Q), "0" * 64, 1.0))
    assert session.state(Q) is State.FAILED
    assert "ask for it again" in session.reason(Q)


def test_other_sessions_jobs_are_ignored(session: Session, demo_pair: DemoPaths, cache: Cache) -> None:
    other = Session(open_pairing(str(demo_pair.base), str(demo_pair.full)), SilentEngine(), cache)
    assert session.apply(Failed(job(other, Q), "not mine")) == []
    assert session.state(Q) is State.IDLE


def test_the_planted_intruders_are_counted_and_nothing_else(demo_pair: DemoPaths, cache: Cache) -> None:
    lora = solved(demo_pair.base, demo_pair.lora, cache)
    counts = {name: lora.count(name, Definition()) for name in lora.default_names}
    planted = {f"model.layers.{name}.weight": len(strengths) for name, strengths in PLANTED.items()}
    assert {name: count for name, count in counts.items() if count} == planted
    totals = lora.totals(Definition())
    assert (totals.intruders, totals.carriers, totals.undecided) == (sum(planted.values()), len(planted), 0)
    assert totals.answered == totals.matrices == 28
    strongest = lora.strongest(Definition())
    assert strongest is not None
    assert strongest.name in planted
    assert lora.totals(Definition(eps=0.0)).intruders == 0
    assert lora.totals(Definition(eps=1.0)).intruders > 100
    full = solved(demo_pair.base, demo_pair.full, cache)
    assert full.totals(Definition()).intruders == 0
    assert full.totals(Definition(side=Side.RIGHT)).intruders == 0


def test_a_second_session_knows_the_answers_without_the_engine(
    demo_pair: DemoPaths, cache: Cache, silent: SilentEngine
) -> None:
    first = solved(demo_pair.base, demo_pair.lora, cache)
    second = Session(first.pairing, silent, Cache(cache.root))
    assert len(second.prime(5)) == 5
    while not second.primed:
        second.prime(5)
    assert second.totals(Definition()) == first.totals(Definition())
    second.scan()
    assert silent.submitted == []
    result = second.result(Q)
    assert result is not None
    assert result.shape == (192, 192)
    for entry in (cache.root / "results").glob("??/*"):
        entry.unlink()
    assert second.result(V) is None  # evicted since: it can be asked for again
    assert second.state(V) is State.FAILED
    assert "ask for it again" in second.reason(V)


def test_identical_and_non_finite_matrices(demo_pair: DemoPaths, cache: Cache, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned"
    shutil.copytree(demo_pair.base, tuned)
    for file in tuned.glob("*.safetensors"):
        tensors = dict(load_file(file))
        if Q in tensors:
            tensors[Q] = tensors[Q].copy()
            tensors[Q][3, 4] = np.nan
            save_file(tensors, file, metadata={"format": "pt"})
    session = solved(demo_pair.base, tuned, cache)
    assert session.state(V) is State.UNCHANGED
    result = session.result(V)
    assert result is not None
    assert result.unchanged
    assert session.state(Q) is State.FAILED
    assert "1 " in session.reason(Q)
    assert "finite" in session.reason(Q).lower()
