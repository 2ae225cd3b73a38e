"""The order of jobs."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.checkpoint.recipes import FileStamp, Stored, StoredTensor
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.engine.queue import JobQueue
from intruder_tui.studies.answers import StudyKind


def job(name: str) -> Job:
    tensor = StoredTensor("/none", name, "F32", (2, 2), FileStamp(0, 0, 0, 0, 0))
    return Job(MatrixPair(name, (2, 2), Stored(tensor), Stored(tensor, transposed=True), ("F32", "F32")))


def study(name: str) -> Study:
    return Study(job(name).pair, StudyKind.VECTORS)


def drain(queue: JobQueue) -> str:
    names = []
    while (taken := queue.take()) is not None:
        names.append(taken.name)
    return "".join(names)


def test_urgent_newest_first_then_the_others_in_order() -> None:
    queue = JobQueue()
    for name in "abc":
        queue.put(job(name), urgent=False)
    queue.put(job("x"), urgent=True)
    queue.put(job("y"), urgent=True)
    queue.put(job("b"), urgent=True)
    queue.put(job("x"), urgent=False)  # already urgent: stays so
    assert len(queue) == 5
    assert drain(queue) == "byxac"


def test_an_urgent_job_asked_for_again_moves_to_the_front() -> None:
    queue = JobQueue()
    for name in "xyx":
        queue.put(job(name), urgent=True)
    assert drain(queue) == "xy"


def test_an_urgent_study_waits_for_the_urgent_jobs_only() -> None:
    queue = JobQueue()
    for name in "abc":
        queue.put(job(name), urgent=False)
    queue.put(job("x"), urgent=True)
    for name in "stu":
        queue.put(study(name), urgent=name != "u")
    queue.put(study("s"), urgent=False)  # already urgent: stays so
    queue.put(job("y"), urgent=True)
    assert len(queue) == 8
    assert [left.name for left in deepcopy(queue).clear()] == list("yxtsabcu")
    queue.held = True
    assert drain(queue) == "yxts"
    assert queue.remove(study("u"))


def test_remove_and_clear() -> None:
    queue = JobQueue()
    queue.put(job("a"), urgent=False)
    queue.put(job("x"), urgent=True)
    queue.put(job("y"), urgent=True)
    assert queue.remove(job("x"))
    assert not queue.remove(job("x"))
    assert [left.name for left in queue.clear()] == ["y", "a"]
    assert queue.take() is None


def test_a_held_queue_gives_out_only_what_is_urgent() -> None:
    queue = JobQueue()
    queue.put(job("a"), urgent=False)
    queue.put(job("x"), urgent=True)
    queue.held = True
    assert drain(queue) == "x"
    assert len(queue) == 1
    queue.held = False
    assert drain(queue) == "a"


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())))
def test_every_job_stands_once(puts: list[tuple[str, bool]]) -> None:
    queue = JobQueue()
    for name, urgent in puts:
        queue.put(job(name), urgent=urgent)
    assert sorted(drain(queue)) == sorted({name for name, _ in puts})
