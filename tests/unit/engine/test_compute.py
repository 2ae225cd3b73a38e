"""A job's way to its verdicts: kept factors first, the certificate for what they leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.support.weights import with_spectrum
from torch import Tensor

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.definition import Definition
from intruder_tui.engine.compute import run_job
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Finished
from intruder_tui.engine.worker import answer
from intruder_tui.results import MatrixResult, Tier, Verdict

BULK = torch.linspace(1.5, 0.2, 530)
HEAD = torch.tensor([6.0, 5.0, 4.0, 3.0, 2.5])
TIED = torch.tensor([6.0, 6.0 * (1 - 2e-7), 4.0, 3.0, 2.5])
NAME = "model.layers.0.mlp.up_proj.weight"
CPU = torch.device("cpu")


def weight(head: Tensor) -> Tensor:
    return with_spectrum(580, 535, torch.cat((head, BULK)), 1).float()


def answered(folder: Path, tuned: Tensor) -> MatrixResult:
    """The verdict job's result, the base's factors being kept of an exact job on another tuned weight."""
    cache = Cache(folder / "cache")
    for name, content in (("base", weight(HEAD)), ("other", weight(HEAD * 1.1)), ("tuned", tuned)):
        (folder / name).mkdir()
        save_file({NAME: content}, folder / name / "model.safetensors")
    first = open_pairing(str(folder / "base"), str(folder / "other")).pairs[0]
    run_job(Job(first), cache, CPU, lambda _: None)
    pair = open_pairing(str(folder / "base"), str(folder / "tuned")).pairs[0]
    found = cache.load(run_job(Job.verdict(pair, 3, 0.5), cache, CPU, lambda _: None))
    assert found is not None
    return found


def test_a_tie_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    found = answered(tmp_path, weight(TIED))
    assert found.tier is Tier.CERTIFICATE
    for side in (found.left, found.right):
        verdicts = [str(v) for v in side.verdicts(Definition(k=3))]
        assert verdicts == [Verdict.UNDECIDED, Verdict.UNDECIDED, Verdict.MATCHED]
        assert float(side.upper[2] - side.lower[2]) < 1e-2
        assert side.index.tolist() == [-1, -1, 2]


def test_a_tuned_weight_of_zeros_is_answered(tmp_path: Path) -> None:
    found = answered(tmp_path, torch.zeros(580, 535))
    assert len(found.left.lower) == len(found.right.lower) == 0
    assert found.sigma_tuned.tolist() == [0.0] * 535
    assert any("tuned weight" in note for note in found.notes)


def test_a_copy_is_not_computed_again_and_a_damaged_answer_is(tmp_path: Path) -> None:
    cache, stages = Cache(tmp_path / "cache"), list[str]()
    for name, content in (("base", HEAD), ("tuned", TIED), ("copy", TIED)):
        (tmp_path / name).mkdir()
        save_file({NAME: weight(content)[:40, :50].contiguous()}, tmp_path / name / "model.safetensors")
    first, copy = (
        Job(open_pairing(str(tmp_path / "base"), str(tmp_path / name)).pairs[0]) for name in ("tuned", "copy")
    )
    key = run_job(first, cache, CPU, lambda _: None)
    assert run_job(copy, cache, CPU, stages.append) == key
    assert stages == ["reading"]
    for path in (tmp_path / "cache").rglob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-20] + bytes(20))
    assert run_job(first, cache, CPU, stages.append) == key
    assert "storing" in stages
    assert cache.load(key) is not None


def test_what_a_device_has_no_memory_for_is_computed_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("base", weight(HEAD)[:40, :50]), ("tuned", weight(TIED)[:40, :50])):
        (tmp_path / name).mkdir()
        save_file({NAME: content.contiguous()}, tmp_path / name / "model.safetensors")
    pair = open_pairing(str(tmp_path / "base"), str(tmp_path / "tuned")).pairs[0]

    def full(job: Job, cache: Cache, device: torch.device, *rest: Any) -> str:
        if device.type == "cuda":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run_job(job, cache, device, *rest)

    monkeypatch.setattr("intruder_tui.engine.worker.run_job", full)
    cache = Cache(tmp_path / "cache")
    said: list[Any] = []
    done = answer(Job(pair), cache, torch.device("cuda", 0), said.append)
    assert isinstance(done, Finished)
    found = cache.load(done.key)
    assert found is not None
    assert found.device == "cpu"
    assert found.notes[0] == "The memory of cuda:0 was too small; this was computed on the CPU."
    assert "starting again on the CPU" in " ".join(one.stage for one in said)
