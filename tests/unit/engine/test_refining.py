"""Bounds first, values behind them: what a session asks for, and when."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.engines import SilentEngine
from tests.support.results import empty_similarity

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.checkpoint.recipes import tensors
from intruder_tui.definition import Definition
from intruder_tui.demo import DemoPaths
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.engine.protocol import Broken, Dropped, Failed, Finished, Stage
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.results import MatrixResult, Similarity, Tier, Update

NAME = "model.layers.2.self_attn.q_proj.weight"


def result(tier: Tier, lower: list[float], upper: list[float]) -> MatrixResult:
    """A result with the given bounds on the left side."""
    count = len(lower)
    left = Similarity(
        np.array(lower, np.float32),
        np.array(upper, np.float32),
        np.full(count, -1, np.int32),
        np.empty((0, 0), np.float32),
    )
    none = np.empty(0, np.float32)
    update = Update(none, 1.0, 0.1, None, None, None, None, None)
    sigma = np.arange(count, 0, -1, dtype=np.float32)
    return MatrixResult((192, 192), False, none, sigma, left, empty_similarity(), update, 0.9, tier, "cpu")


BOUNDS = result(Tier.CERTIFICATE, [0.1, 0.9, 0.45], [0.2, 1.0, 0.6])
VALUES = result(Tier.EXACT, [0.15, 0.95, 0.55, 0.9], [0.15, 0.95, 0.55, 0.9])


class Asked:
    """A session at k = 3 over an engine that answers only when told."""

    def __init__(self, demo: DemoPaths, cache: Cache, eps: float) -> None:
        self.engine = SilentEngine()
        self.cache = cache
        pairing = open_pairing(str(demo.base), str(demo.lora))
        self.session = Session(pairing, self.engine, cache, Definition(k=3, eps=eps))
        pair = self.session.row(NAME).pair
        assert pair is not None
        self.job = Job.verdict(pair, 3, eps)
        for recipe in (pair.base, pair.tuned):
            for place, tensor in enumerate(tensors(recipe)):
                cache.remember(tensor, f"{place:064x}")

    def finish(self, job: Job, answer: MatrixResult) -> None:
        self.session.apply(Finished(job, self.cache.store(job, answer), 1.0))


@pytest.fixture
def asked(demo_pair: DemoPaths, cache: Cache) -> Asked:
    return Asked(demo_pair, cache, eps=0.3)


def depths(asked: Asked) -> list[Depth]:
    return [job.depth for job in asked.engine.jobs]


def test_bounds_that_decide_ask_for_nothing_more(asked: Asked) -> None:
    asked.session.request(NAME)
    asked.finish(asked.job, BOUNDS)
    assert asked.session.state(NAME) is State.DONE
    assert asked.session.count(NAME, asked.session.definition) == 1
    assert not asked.session.waiting(NAME)
    assert depths(asked) == [Depth.VERDICT]


def test_a_threshold_moved_into_the_bounds_queues_the_values_once(asked: Asked) -> None:
    asked.session.request(NAME)
    asked.finish(asked.job, BOUNDS)
    asked.session.definition = Definition(k=3, eps=0.5)
    asked.session.definition = Definition(k=3, eps=0.55)
    assert depths(asked) == [Depth.VERDICT, Depth.EXACT]
    assert asked.session.state(NAME) is State.DONE  # the bounds stay on the screen
    assert asked.session.refining(NAME)
    assert asked.session.totals(asked.session.definition).undecided == 1
    asked.session.apply(Stage(asked.job.exactly, "factorising"))
    assert asked.session.state(NAME) is State.DONE
    assert asked.session.stage(NAME) == "factorising"
    asked.finish(asked.job.exactly, VALUES)
    assert not asked.session.waiting(NAME)
    assert asked.session.totals(Definition(k=3, eps=0.5)).undecided == 0


def test_k_beyond_the_bounds_queues_the_values(asked: Asked) -> None:
    asked.session.request(NAME)
    asked.finish(asked.job, BOUNDS)
    asked.session.definition = Definition(k=4, eps=0.3)
    assert depths(asked) == [Depth.VERDICT, Depth.EXACT]


def test_an_undecided_answer_queues_its_values_at_once(demo_pair: DemoPaths, cache: Cache) -> None:
    asked = Asked(demo_pair, cache, eps=0.5)
    asked.session.request(NAME, urgent=False)
    asked.finish(asked.job, BOUNDS)
    assert asked.engine.submitted == [(NAME, False), (NAME, False)]
    assert depths(asked) == [Depth.VERDICT, Depth.EXACT]
    asked.session.refine(NAME)  # now a person looks at it
    assert asked.engine.submitted[-1] == (NAME, True)


def test_values_that_fail_leave_the_bounds(asked: Asked) -> None:
    asked.session.request(NAME)
    asked.finish(asked.job, BOUNDS)
    asked.session.refine(NAME)
    asked.session.apply(Failed(asked.job.exactly, "out of memory"))
    assert asked.session.state(NAME) is State.DONE
    assert asked.session.reason(NAME) == "out of memory"
    asked.session.refine(NAME)
    asked.session.apply(Dropped(asked.job.exactly))
    assert asked.session.state(NAME) is State.DONE
    assert not asked.session.waiting(NAME)
    asked.session.refine(NAME)
    asked.session.cancel(NAME)
    assert asked.engine.cancelled == [NAME]
    asked.session.apply(Broken("gone"))
    assert asked.session.state(NAME) is State.DONE


def test_values_in_the_cache_answer_a_verdict(asked: Asked) -> None:
    asked.cache.store(asked.job.exactly, VALUES)
    asked.session.request(NAME)
    assert asked.engine.jobs == []
    assert asked.session.count(NAME, asked.session.definition) == 1
    summary = asked.session.summary(NAME)
    assert summary is not None
    assert summary.tier is Tier.EXACT


def test_bounds_never_replace_values(asked: Asked) -> None:
    key = asked.cache.store(asked.job, BOUNDS)
    values = asked.cache.store(asked.job, VALUES)
    assert key != values
    assert asked.cache.find(asked.job) == values
    assert asked.cache.find(asked.job.exactly) == values
