"""A base that was factorised once serves its other tuned checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tests.support.inline import computed

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.engine.jobs import Job
from intruder_tui.results import MatrixResult, Tier

SHAPES = {"model.layers.0.mlp.up_proj.weight": (700, 540), "model.layers.0.mlp.down_proj.weight": (540, 700)}


class Checkpoints:
    """A base and two fine-tunes of it, each with a foreign direction in its top vectors."""

    def __init__(self, directory: Path) -> None:
        rng = np.random.default_rng(7)
        self._directory = directory
        self.weights: dict[str, dict[str, NDArray[np.float32]]] = {"base": {}, "one": {}, "two": {}}
        for name, (out, inp) in SHAPES.items():
            left, _ = np.linalg.qr(rng.standard_normal((out, min(out, inp))))
            right, _ = np.linalg.qr(rng.standard_normal((inp, min(out, inp))))
            sigma = np.linspace(2.0, 0.1, min(out, inp)) + np.exp(-np.arange(min(out, inp)) / 3)
            base = (left * sigma) @ right.T
            for which in self.weights:
                tuned = base.copy()
                if which != "base":
                    u, v = rng.standard_normal(out), rng.standard_normal(inp)
                    tuned += 2.5 * np.outer(u / np.linalg.norm(u), v / np.linalg.norm(v))
                    tuned += 0.002 * rng.standard_normal(base.shape)
                self.weights[which][name] = tuned.astype(np.float32)
        for which, tensors in self.weights.items():
            save_file(tensors, directory / f"{which}.safetensors")

    def pairs(self, tuned: str) -> list[MatrixPair]:
        base, other = (str(self._directory / f"{name}.safetensors") for name in ("base", tuned))
        return open_pairing(base, other).pairs


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))


def run(cache: Cache, job: Job) -> MatrixResult:
    result = cache.load(computed(cache, job))
    assert result is not None
    return result


def test_the_second_tuned_checkpoint_is_compared_from_the_kept_factors(
    checkpoints: Checkpoints, cache: Cache
) -> None:
    for one, two in zip(checkpoints.pairs("one"), checkpoints.pairs("two"), strict=True):
        assert run(cache, Job(one)).tier is Tier.EXACT
        narrow = run(cache, Job.verdict(two, 10, 0.5))
        assert narrow.tier is Tier.CERTIFICATE
        assert len(narrow.sigma_base) == 540  # only the base's factors know them
        base, tuned = (checkpoints.weights[which][one.name].astype(np.float64) for which in ("base", "two"))
        u0, _, v0 = np.linalg.svd(base, full_matrices=False)
        u1, _, v1 = np.linalg.svd(tuned, full_matrices=False)
        for side, best in (
            (narrow.left, np.abs(u0.T @ u1[:, :10]).max(axis=0)),
            (narrow.right, np.abs(v0 @ v1[:10].T).max(axis=0)),
        ):
            assert (side.lower <= best + 1e-7).all()
            assert (best - 1e-7 <= side.upper).all()
            assert (side.upper - side.lower).max() < 0.01
            assert side.block.shape == (10, 10)
    assert cache.usage().factors == 2


def test_without_factors_a_verdict_is_a_certificate(checkpoints: Checkpoints, cache: Cache) -> None:
    result = run(cache, Job.verdict(checkpoints.pairs("two")[0], 10, 0.5))
    assert result.tier is Tier.CERTIFICATE
    assert result.sigma_base.size == 0
    assert cache.usage().factors == 0


@pytest.mark.parametrize("damage", ["truncate", "flip", "foreign"])
def test_damaged_factors_are_a_miss(checkpoints: Checkpoints, cache: Cache, damage: str) -> None:
    run(cache, Job(checkpoints.pairs("one")[0]))
    (entry,) = (cache.root / "factors").glob("??/*")
    content = bytearray(entry.read_bytes())
    if damage == "truncate":
        content = content[:1000]
    elif damage == "flip":
        content[len(content) // 2] ^= 4
    else:
        content = bytearray(b"\x02\0\0\0\0\0\0\0{}")
    entry.write_bytes(content)
    assert run(cache, Job.verdict(checkpoints.pairs("two")[0], 10, 0.5)).sigma_base.size == 0


def test_a_budget_of_nothing_keeps_nothing(checkpoints: Checkpoints, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "small", factors_budget=0)
    run(cache, Job(checkpoints.pairs("one")[0]))
    assert cache.usage().factors == 0
