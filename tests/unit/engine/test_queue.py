"""The order of jobs."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.checkpoint.recipes import Stored
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor
from intruder_tui.engine import batches as rule
from intruder_tui.engine.batches import SMALL
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.engine.queue import JobQueue
from intruder_tui.studies.answers import StudyKind

LARGE = (SMALL + 1, SMALL + 1)


def job(name: str, shape: tuple[int, int] = LARGE) -> Job:
    tensor = StoredTensor("/none", name, "F32", shape, FileStamp(0, 0, 0, 0, 0))
    return Job(MatrixPair(name, shape, Stored(tensor), Stored(tensor, transposed=True), ("F32", "F32")))


def study(name: str) -> Study:
    return Study(job(name).pair, StudyKind.VECTORS)


def batches(queue: JobQueue) -> list[str]:
    taken = []
    while jobs := queue.take():
        taken.append("".join(one.name for one in jobs))
    return taken


def drain(queue: JobQueue) -> str:
    return "".join(batches(queue))


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
    assert queue.take() == ()


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


def test_small_jobs_of_one_shape_go_together_unless_urgent() -> None:
    queue = JobQueue()
    for name, shape in zip("abcdefg", [(2, 3), LARGE, (2, 3), (3, 2), (2, 3), LARGE, (3, 2)], strict=True):
        queue.put(job(name, shape), urgent=False)
    queue.put(job("e", (2, 3)), urgent=True)
    queue.put(study("s"), urgent=False)
    assert batches(queue) == ["e", "ac", "b", "dg", "f", "s"]


def test_a_batch_has_room_for_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule, "MOST", 3)
    queue = JobQueue()
    for name in "abcdefg":
        queue.put(job(name, (2, 2)), urgent=False)
    assert batches(queue) == ["abc", "def", "g"]


def test_jobs_put_back_stand_first_and_may_be_told_to_go_alone() -> None:
    queue = JobQueue()
    for name in "abcdef":
        queue.put(job(name, (2, 2)), urgent=False)
    queue.put(study("s"), urgent=True)
    queue.put_back([job(name, (2, 2)) for name in "xy"], alone=True)
    queue.put_back([job("w", (2, 2))])
    assert batches(queue) == ["s", "wabcdef", "x", "y"]
    queue.put(job("x", (2, 2)), urgent=False)
    queue.put(job("a", (2, 2)), urgent=False)
    assert batches(queue) == ["x", "a"]


Puts = list[tuple[int, bool, int]]


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.integers(0, 2))), st.integers(1, 8))
def test_batches_change_no_order_within_a_shape(puts: Puts, cores: int) -> None:
    shapes = [(2, 3), (300, 400), LARGE]
    queue = JobQueue(cores)
    for name, urgent, kind in puts:
        queue.put(job(str(name), shapes[kind]), urgent=urgent)
    expected = deepcopy(queue).clear()
    taken = []
    while batch := queue.take():
        shape = batch[0].pair.shape
        assert batch[0] == next(one for one in expected if one not in taken)
        assert {one.pair.shape for one in batch} == {shape}
        assert len(batch) <= (rule.room(shape, cores) if shape != LARGE else 1)
        taken += batch
    for shape in shapes:
        assert [j for j in taken if j.pair.shape == shape] == [j for j in expected if j.pair.shape == shape]
