"""The supervised worker: answers, order, cancelling, death, and a prompt end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.running import Running

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.definition import Side
from intruder_tui.demo import DemoPaths
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.engine.protocol import Broken, Dropped, Failed, Finished, Ready, Stage
from intruder_tui.studies.answers import StudyKind


@pytest.fixture
def running(cache: Cache) -> Iterator[Running]:
    made = Running(cache)
    yield made
    made.engine.close()


@pytest.fixture(scope="module")
def slow_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A pair that keeps the worker busy for many seconds."""
    directory = tmp_path_factory.mktemp("slow")
    rng = np.random.default_rng(0)
    base = rng.standard_normal((3000, 3000), dtype=np.float32)
    for name, array in (
        ("base", base),
        ("tuned", base + 0.1 * rng.standard_normal(base.shape, dtype=np.float32)),
    ):
        save_file({"model.layers.0.self_attn.q_proj.weight": array}, directory / f"{name}.safetensors")
    pairing = open_pairing(str(directory / "base.safetensors"), str(directory / "tuned.safetensors"))
    return Job(pairing.pairs[0])


def jobs(demo: DemoPaths, tuned: str = "lora") -> list[Job]:
    pairing = open_pairing(str(demo.base), str(getattr(demo, tuned)))
    return [Job(pair) for pair in pairing.pairs if not pair.untouched]


def test_jobs_are_answered_through_the_cache(running: Running, cache: Cache, demo_pair: DemoPaths) -> None:
    for job in jobs(demo_pair)[:2]:
        running.engine.submit(job)
    events = running.until(lambda event: isinstance(event, Finished))
    assert isinstance(events[0], Ready)
    assert events[0].device == "cpu"
    assert any(isinstance(event, Stage) and event.stage == "reading" for event in events)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert cache.load(finished.key) is not None
    running.until(lambda event: isinstance(event, Finished) and event.job == jobs(demo_pair)[1])


def test_a_killed_worker_costs_one_job(running: Running, slow_job: Job, demo_pair: DemoPaths) -> None:
    running.engine.submit(slow_job)
    running.until(lambda event: isinstance(event, Stage) and event.stage != "reading")
    assert running.engine.worker_pid is not None
    os.kill(running.engine.worker_pid, signal.SIGKILL)
    other = jobs(demo_pair)[0]
    running.engine.submit(other)
    events = running.until(lambda event: isinstance(event, Finished))
    failed = next(event for event in events if isinstance(event, Failed))
    assert failed.job == slow_job
    assert "SIGKILL" in failed.reason
    assert isinstance(events[-1], Finished)
    assert events[-1].job == other


def test_a_worker_killed_while_it_starts_costs_nothing(running: Running, demo_pair: DemoPaths) -> None:
    job = jobs(demo_pair)[0]
    running.engine.submit(job)
    for _ in range(2):
        pid = running.engine.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while running.engine.worker_pid in (pid, None):
            time.sleep(0.01)
    assert running.until(lambda event: isinstance(event, Finished))[-1].job == job


def test_a_worker_that_never_starts_ends_the_engine(running: Running, demo_pair: DemoPaths) -> None:
    job = jobs(demo_pair)[0]
    running.engine.submit(job)
    seen: set[int | None] = {None}
    while len(seen) < 4:
        if (pid := running.engine.worker_pid) not in seen and pid is not None:
            seen.add(pid)
            os.kill(pid, signal.SIGKILL)
    broken = running.until(lambda event: isinstance(event, Broken))[-1]
    assert isinstance(broken, Broken)
    assert "could not start" in broken.reason
    assert "SIGKILL" in broken.reason


def test_a_held_engine_answers_only_what_is_urgent(running: Running, demo_pair: DemoPaths) -> None:
    background, wanted = jobs(demo_pair)[:2]
    running.engine.hold(True)
    running.engine.submit(background)
    running.engine.submit(wanted, urgent=True)
    first = running.until(lambda event: isinstance(event, Finished))[-1]
    assert isinstance(first, Finished)
    assert first.job == wanted
    running.engine.hold(False)
    running.until(lambda event: isinstance(event, Finished) and event.job == background)


def test_cancelling_the_running_job_frees_the_worker(
    running: Running, slow_job: Job, demo_pair: DemoPaths
) -> None:
    running.engine.submit(slow_job)
    queued, wanted = jobs(demo_pair)[:2]
    running.engine.submit(queued)
    running.until(lambda event: isinstance(event, Stage))
    running.engine.cancel(queued)
    running.engine.cancel(slow_job)
    running.engine.submit(wanted)
    events = running.until(lambda event: isinstance(event, Finished))
    assert [event.job for event in events if isinstance(event, Dropped)] == [queued, slow_job]
    assert isinstance(events[-1], Finished)
    assert events[-1].job == wanted


def test_a_verdict_does_not_wait_for_another_matrix_s_long_factorisation(
    running: Running, slow_job: Job, demo_pair: DemoPaths
) -> None:
    running.engine.submit(slow_job)
    running.until(lambda event: isinstance(event, Stage) and event.stage != "reading")
    time.sleep(2.2)
    wanted = Job.verdict(jobs(demo_pair)[0].pair, 10, 0.5)
    running.engine.submit(wanted, urgent=True)
    first = running.until(lambda event: isinstance(event, Finished | Failed))[-1]
    assert isinstance(first, Finished)
    assert first.job == wanted
    running.until(lambda event: isinstance(event, Stage) and event.job == slow_job)  # it begins again


def test_a_study_makes_way_once_and_goes_on_before_the_scan(
    running: Running, slow_job: Job, demo_pair: DemoPaths
) -> None:
    study = Study(slow_job.pair, StudyKind.COSINES, Side.LEFT)
    running.engine.submit(study, urgent=True)
    running.until(lambda event: isinstance(event, Stage) and event.stage != "reading")
    time.sleep(2.2)
    scanned, looked_at = (Job.verdict(one.pair, 10, 0.5) for one in jobs(demo_pair)[:2])
    wanted = looked_at.exactly  # the values of the matrix in front
    running.engine.submit(scanned)
    running.engine.submit(wanted, urgent=True)
    seen = running.until(lambda event: isinstance(event, Finished | Failed))
    assert Stage(study, "") in seen  # it stands in the queue again
    assert isinstance(seen[-1], Finished)
    assert seen[-1].job == wanted
    after = running.until(lambda event: isinstance(event, Stage))[-1]
    assert isinstance(after, Stage)
    assert after.job == study
    pid = running.engine.worker_pid
    time.sleep(2.2)
    running.engine.submit(looked_at, urgent=True)
    time.sleep(0.5)
    assert running.engine.worker_pid == pid  # nothing is begun a third time
    running.engine.cancel(study)
    seen = running.until(lambda event: isinstance(event, Finished))
    assert isinstance(seen[-1], Finished)
    assert seen[-1].job == looked_at


def test_closing_in_the_middle_of_a_job_is_prompt(cache: Cache, slow_job: Job) -> None:
    made = Running(cache)
    made.engine.submit(slow_job)
    made.until(lambda event: isinstance(event, Stage) and event.stage != "reading")
    pid = made.engine.worker_pid
    assert pid is not None
    started = time.monotonic()
    made.engine.close()
    made.engine.close()
    assert time.monotonic() - started < 5  # the job itself takes far longer on any machine
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_device_that_is_not_there_breaks_the_engine_with_its_name(
    cache: Cache, demo_pair: DemoPaths
) -> None:
    made = Running(cache, device="cuda:99")
    try:
        made.engine.submit(jobs(demo_pair)[0])
        broken = made.until(lambda event: isinstance(event, Broken))[-1]
        assert isinstance(broken, Broken)
        assert "cuda:99" in broken.reason
        made.engine.submit(jobs(demo_pair)[1])
        failed = made.until(lambda event: isinstance(event, Failed))[-1]
        assert isinstance(failed, Failed)
        assert "cuda:99" in failed.reason
    finally:
        made.engine.close()


def test_a_file_rewritten_after_opening_is_an_error_not_a_result(
    running: Running, demo_pair: DemoPaths, tmp_path: Path
) -> None:
    file = tmp_path / "tuned.safetensors"
    file.write_bytes((demo_pair.full / "model.safetensors").read_bytes())
    job = Job(open_pairing(str(demo_pair.base), str(file)).pairs[0])
    file.write_bytes(file.read_bytes())
    running.engine.submit(job)
    failed = running.until(lambda event: isinstance(event, Failed | Finished))[-1]
    assert isinstance(failed, Failed)
    assert "tuned.safetensors" in failed.reason
    assert "\n" not in failed.reason


def test_a_nice_worker_lets_the_interface_go_first(cache: Cache) -> None:
    made = Running(cache, niceness=3)
    try:
        made.until(lambda event: isinstance(event, Ready))
        worker = made.engine.worker_pid
        assert worker is not None
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, worker) == min(own + 3, 19)
    finally:
        made.engine.close()


def test_the_worker_dies_with_its_parent(cache: Cache) -> None:
    program = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from intruder_tui.cache import Cache\n"
        "from intruder_tui.engine.process import ProcessEngine\n"
        f"engine = ProcessEngine(Cache(Path({str(cache.root)!r})), 'cpu')\n"
        "ready = __import__('threading').Event()\n"
        "engine.start(lambda event: ready.set())\n"
        "ready.wait(90)\n"
        "print(engine.worker_pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    worker = int(parent.stdout)
    for _ in range(100):
        if not _alive(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} outlived its parent")


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
