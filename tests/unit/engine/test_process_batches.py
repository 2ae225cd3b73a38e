"""Small matrices in a real worker: together, and what an end of their worker means for each."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence

import pytest
import torch
from safetensors.torch import save_file
from tests.support.running import Running
from tests.support.weights import gaussian

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Dropped, Event, Failed, Finished, Ready, Stage
from intruder_tui.engine.together import TOGETHER

COUNT = 6
NOT_FINITE = 2


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> list[Job]:
    """Verdicts on matrices of one shape, one of which holds a NaN."""
    folder = tmp_path_factory.mktemp("small")
    names = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(COUNT)]
    base = {name: gaussian(24, 40, i).float() for i, name in enumerate(names)}
    tuned = {name: base[name] + 0.1 * gaussian(24, 40, 50 + i).float() for i, name in enumerate(names)}
    tuned[names[NOT_FINITE]][0, 0] = torch.nan
    save_file(base, folder / "base.safetensors")
    save_file(tuned, folder / "tuned.safetensors")
    pairing = open_pairing(str(folder / "base.safetensors"), str(folder / "tuned.safetensors"))
    return [Job.verdict(pair, 10, 0.5) for pair in pairing.pairs]


@pytest.fixture
def running(cache: Cache) -> Iterator[Running]:
    made = Running(cache)
    yield made
    made.engine.close()


def stopped_at(running: Running, jobs: Sequence[Job]) -> int:
    """A worker that was given these as a batch and does not answer; its process."""
    running.until(lambda event: isinstance(event, Ready))
    pid = running.engine.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    running.engine.hold(True)
    for job in jobs:
        running.engine.submit(job)
    running.engine.hold(False)
    time.sleep(0.5)
    return pid


def answers(running: Running, count: int) -> tuple[list[Event], dict[Job, Finished | Failed]]:
    """Everything that is said up to the last of so many answers."""
    seen: list[Event] = []
    found: dict[Job, Finished | Failed] = {}
    while len(found) < count:
        seen += running.until(lambda event: isinstance(event, Finished | Failed))
        answer = seen[-1]
        assert isinstance(answer, Finished | Failed)
        assert isinstance(answer.job, Job)
        found[answer.job] = answer
    return seen, found


def kinds(jobs: Sequence[Job], found: dict[Job, Finished | Failed]) -> list[type]:
    return [type(found[job]) for job in jobs]


def interrupted(jobs: Sequence[Job], seen: Sequence[Event]) -> list[Job]:
    return [job for job in jobs if Stage(job, "") in seen]


def test_small_matrices_travel_together_and_one_fails_by_itself(
    running: Running, jobs: list[Job], cache: Cache
) -> None:
    for job in jobs:
        running.engine.submit(job)
    seen, found = answers(running, COUNT)
    assert {event.job for event in seen if isinstance(event, Stage) and event.stage == TOGETHER} == set(jobs)
    assert kinds(jobs, found) == [Finished, Finished, Failed, Finished, Finished, Finished]
    failed = found[jobs[NOT_FINITE]]
    assert isinstance(failed, Failed)
    assert failed.reason == "tuned has 1 of 960 values that are not finite"
    assert all(cache.find(job) for job in jobs if job != failed.job)


def test_cancelling_one_of_a_batch_leaves_the_others(running: Running, jobs: list[Job]) -> None:
    stopped = stopped_at(running, jobs)
    taken_back, others = jobs[1], [jobs[0], *jobs[3:]]
    running.engine.cancel(jobs[NOT_FINITE])
    running.engine.cancel(taken_back)
    running.engine.submit(jobs[3])
    seen, found = answers(running, len(others))
    assert [event.job for event in seen if isinstance(event, Dropped)] == [jobs[NOT_FINITE], taken_back]
    assert interrupted(jobs, seen) == [job for job in jobs if job != jobs[NOT_FINITE]]
    assert kinds(others, found) == [Finished] * len(others)
    assert list(found) == others  # in the order in which they stood
    assert running.engine.worker_pid not in (None, stopped)


def test_cancelling_every_job_of_a_batch_costs_one_worker(running: Running, jobs: list[Job]) -> None:
    stopped = stopped_at(running, jobs)
    running.engine.cancel(jobs[0])
    while (second := running.engine.worker_pid) in (stopped, None):
        time.sleep(0.01)
    for job in jobs[1:]:
        running.engine.cancel(job)
    running.until(lambda event: event == Dropped(jobs[-1]))
    running.engine.submit(jobs[0])
    _, found = answers(running, 1)
    assert kinds(jobs[:1], found) == [Finished]
    assert running.engine.worker_pid == second


def test_a_worker_killed_in_a_batch_costs_no_answer(running: Running, jobs: list[Job]) -> None:
    others = [job for job in jobs if job != jobs[NOT_FINITE]]
    stopped = stopped_at(running, others)
    running.engine.submit(others[1])  # it is in hand
    os.kill(stopped, signal.SIGKILL)
    seen, found = answers(running, len(others))
    assert interrupted(jobs, seen) == others
    assert kinds(others, found) == [Finished] * len(others)
    assert not any(isinstance(event, Stage) and event.stage == TOGETHER for event in seen)
    assert list(found) == others
