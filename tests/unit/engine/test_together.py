"""Batches in the worker: the answers of one by one, and whatever goes wrong with one is its own affair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.support.inline import computed
from tests.support.weights import gaussian, power_law

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.engine.protocol import Event, Failed, Finished, Stage
from intruder_tui.engine.together import TOGETHER
from intruder_tui.engine.worker import answer_all
from intruder_tui.results import MatrixResult
from intruder_tui.spectral import Comparison, compare_together

CPU = torch.device("cpu")
COUNT = 5
NAME = "model.layers.{}.mlp.up_proj.weight"
NOT_FINITE, CUT_OFF, CACHED, UNCHANGED = 1, 2, 3, 4


@pytest.fixture
def batch(tmp_path: Path) -> list[Job]:
    """Jobs on matrices of one shape: one with NaN, one whose file is cut off, one without a change."""
    base = {NAME.format(i): power_law(24, 40, 0.5, seed=i).float() for i in range(COUNT)}
    tuned = {
        name: weight + 0.02 * gaussian(24, 40, i).float() for i, (name, weight) in enumerate(base.items())
    }
    tuned[NAME.format(NOT_FINITE)][3, 5] = torch.nan
    tuned[NAME.format(UNCHANGED)] = base[NAME.format(UNCHANGED)]
    save_file(base, tmp_path / "base.safetensors")
    jobs = []
    for i, (name, weight) in enumerate(tuned.items()):
        save_file({name: weight}, tmp_path / f"{i}.safetensors")
        pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / f"{i}.safetensors"))
        jobs.append(Job.verdict(pairing.pairs[0], 10, 0.5) if i % 2 else Job(pairing.pairs[0]))
    cut = tmp_path / f"{CUT_OFF}.safetensors"
    cut.write_bytes(cut.read_bytes()[:-100])
    return jobs


def answered(jobs: list[Job], cache: Cache) -> tuple[list[Event], dict[Any, Finished | Failed]]:
    events: list[Event] = []
    answer_all(tuple(jobs), cache, CPU, events.append)
    answers = [event for event in events if isinstance(event, Finished | Failed)]
    assert len(answers) == len(jobs)
    return events, {event.job: event for event in answers}


def assert_same(cache: Cache, key: str, alone: Cache) -> None:
    """The same result but for rounding: values are kept in float32, bounds rounded outwards."""
    found, expected = cache.load(key), alone.load(key)
    assert found is not None
    assert expected is not None
    for name in ("shape", "unchanged", "tier", "device", "notes"):
        assert getattr(found, name) == getattr(expected, name)
    for ours, theirs in zip(_numbers(found), _numbers(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def _numbers(result: MatrixResult) -> list[Any]:
    sides = [(side.lower, side.upper, side.index, side.block) for side in (result.left, result.right)]
    update = result.update
    measured = [update.frobenius, update.relative_norm, update.effective_rank or 0.0]
    return [result.sigma_base, result.sigma_tuned, update.sigma, measured, *sides[0], *sides[1]]


def test_a_batch_gives_the_answers_of_one_by_one(batch: list[Job], cache: Cache, tmp_path: Path) -> None:
    alone = Cache(tmp_path / "alone")
    kept = computed(cache, batch[CACHED])
    assert {job.depth for job in batch} == set(Depth)
    events, answers = answered(batch, cache)
    for i, job in enumerate(batch):
        event, stages = answers[job], [e.stage for e in events if isinstance(e, Stage) and e.job == job]
        if i == NOT_FINITE:
            assert event == Failed(job, "tuned has 1 of 960 values that are not finite")
        elif i == CUT_OFF:
            assert isinstance(event, Failed)
            assert f"{CUT_OFF}.safetensors" in event.reason
        elif i == CACHED:
            assert isinstance(event, Finished)
            assert event.key == kept
            assert stages == []
        else:
            assert isinstance(event, Finished)
            assert stages == ["reading", TOGETHER]
            assert event.key == computed(alone, job) == cache.find(job)
            assert_same(cache, event.key, alone)


def test_the_seconds_of_a_batch_are_shared(
    batch: list[Job], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr("intruder_tui.engine.together.monotonic", lambda: float(next(ticks)))
    _, answers = answered([batch[0], batch[CACHED]], cache)
    assert [event.seconds for event in answers.values() if isinstance(event, Finished)] == [2.5, 2.5]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("cusolver")])
def test_what_a_batch_dies_of_is_answered_one_by_one(
    batch: list[Job], cache: Cache, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(pairs: Any) -> list[Comparison]:
        raise error

    monkeypatch.setattr("intruder_tui.engine.together.compare_together", full)
    events, answers = answered(batch, cache)
    assert [isinstance(answers[job], Finished) for job in batch] == [True, False, False, True, True]
    assert Stage(batch[0], "factorising base") in events


def test_a_result_that_cannot_be_stored_has_that_reason(
    batch: list[Job], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def counted(pairs: Any) -> list[Any]:
        given.append(len(pairs))
        return compare_together(pairs)

    def refused(job: Job, result: MatrixResult) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("intruder_tui.engine.together.compare_together", counted)
    monkeypatch.setattr(cache, "store", refused)
    _, answers = answered([batch[0], batch[CACHED]], cache)
    assert given == [2]
    assert all("No space left" in event.reason for event in answers.values() if isinstance(event, Failed))
    assert {type(event) for event in answers.values()} == {Failed}
