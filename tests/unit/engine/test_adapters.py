"""Adapter recipes executed, against the formulas in float64; and what their results are filed under."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import save_file

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dora,
    Expert,
    LoraUpdate,
    Recipe,
    Reinitialised,
    ReplacedRows,
    Stored,
    describe,
)
from intruder_tui.checkpoint.safetensors_file import read_header
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.engine.adapters import Against, LoraFactors
from intruder_tui.engine.assemble import ReadError, assemble
from intruder_tui.engine.compute import run_job
from intruder_tui.engine.jobs import Job

CPU = torch.device("cpu")
Array = NDArray[np.float64]
ROWS, COLUMNS, RANK = 12, 9, 3


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, StoredTensor]:
    torch.manual_seed(31)
    tensors = {
        "w": torch.randn(ROWS, COLUMNS),
        "copy": torch.empty(0),
        "other": torch.randn(ROWS, COLUMNS),
        "a": torch.randn(RANK, COLUMNS) * 0.1,
        "b": torch.randn(ROWS, RANK) * 0.1,
        "ea": torch.randn(RANK, ROWS) * 0.1,
        "eb": torch.randn(COLUMNS, RANK) * 0.1,
        "m": torch.rand(ROWS) + 0.5,
        "mc": torch.rand(COLUMNS) + 0.5,
        "rows": torch.randn(1, COLUMNS),
        "many": torch.randn(6, COLUMNS),
        "gains": torch.randn(RANK, 1),
        "stack_a": torch.randn(4 * RANK, COLUMNS),
        "stack_b": torch.randn(ROWS, RANK * 4),
    }
    tensors["copy"] = tensors["w"].clone()
    save_file(tensors, tmp_path / "all.safetensors")
    return dict(read_header(tmp_path / "all.safetensors").tensors)


def array(stored: StoredTensor) -> Array:
    made, _ = assemble(Stored(stored), CPU)
    assert isinstance(made, torch.Tensor)
    return made.double().numpy()


def tuned(recipe: Recipe, base: Stored) -> Array:
    """W1 as the comparison gets to know it."""
    weight, _ = assemble(base, CPU)
    assert isinstance(weight, torch.Tensor)
    made, _ = assemble(recipe, CPU, against=Against(base, weight))
    if isinstance(made, LoraFactors):
        return weight.double().numpy() + made.dense(torch.float64).numpy()
    assert made.dtype == torch.float32
    return made.double().numpy()


def test_each_recipe_is_its_formula(stored: dict[str, StoredTensor]) -> None:
    t = {name: array(one) for name, one in stored.items() if len(one.shape) == 2}
    base = Stored(stored["w"])
    update = LoraUpdate(stored["a"], stored["b"], 1.5)
    delta = 1.5 * t["b"] @ t["a"]
    flipped = LoraUpdate(stored["ea"], stored["eb"], 0.5, flipped=True)
    embedding = t["w"] + 0.5 * (t["eb"] @ t["ea"]).T
    parts = t["stack_b"].reshape(ROWS, RANK, 4), t["stack_a"].reshape(4, RANK, COLUMNS)
    expert_a = stored["stack_a"].part(2 * RANK * COLUMNS, (RANK, COLUMNS))
    expert = LoraUpdate(expert_a, stored["stack_b"], 2.0, expert=Expert(2, 4))
    some = np.r_[t["w"][:3], t["rows"], t["w"][4:]]
    most = np.r_[t["many"], t["w"][6:]]
    cases: list[tuple[Recipe, Array]] = [
        (Adapted(base, update), t["w"] + delta),
        (Adapted(base, flipped), embedding),
        (
            Adapted(base, replace(update, gains=stored["gains"])),
            t["w"] + 1.5 * t["b"] @ (t["a"] * t["gains"]),
        ),
        (Adapted(base, expert), t["w"] + 2.0 * parts[0][:, :, 2] @ parts[1][2]),
        (Adapted(Stored(stored["copy"]), update), t["w"] + delta),
        (Adapted(Stored(stored["other"]), update), t["other"] + delta),
        (ReplacedRows(base, stored["rows"], (3,)), some),
        (ReplacedRows(base, stored["many"], tuple(range(6))), most),
    ]
    for recipe, expected in cases:
        np.testing.assert_allclose(tuned(recipe, base), expected, atol=1e-6)


def test_dora_restores_the_magnitudes(stored: dict[str, StoredTensor]) -> None:
    base = Stored(stored["w"])
    w, a, b = (array(stored[name]) for name in ("w", "a", "b"))
    made = tuned(Dora(base, LoraUpdate(stored["a"], stored["b"], 1.5), stored["m"]), base)
    magnitudes = np.linalg.norm(made, axis=1)
    directions = w + 1.5 * b @ a
    expected = directions / np.linalg.norm(directions, axis=1, keepdims=True) * magnitudes[:, None]
    np.testing.assert_allclose(made, expected, atol=1e-6)
    np.testing.assert_allclose(magnitudes, vector(stored["m"]), rtol=1e-6)
    by_column = LoraUpdate(stored["ea"], stored["eb"], 0.5, flipped=True)
    made = tuned(Dora(base, by_column, stored["mc"], per_column=True), base)
    np.testing.assert_allclose(np.linalg.norm(made, axis=0), vector(stored["mc"]), rtol=1e-6)


def vector(stored: StoredTensor) -> Array:
    return array(stored.part(0, (1, stored.shape[0])))[0]


@pytest.mark.parametrize("transposed", [False, True])
def test_initialisations_are_taken_off(stored: dict[str, StoredTensor], transposed: bool) -> None:
    base = Stored(stored["w"], transposed)
    w = array(stored["w"]).T if transposed else array(stored["w"])
    a, b = (stored["ea"], stored["eb"]) if transposed else (stored["a"], stored["b"])
    update = LoraUpdate(a, b, 2.0)
    delta = 2.0 * array(b) @ array(a)
    u, s, v = np.linalg.svd(w, full_matrices=False)
    taken = (u[:, :RANK] * s[:RANK]) @ v[:RANK]
    np.testing.assert_allclose(
        tuned(Reinitialised(base, update, "pissa"), base), w - taken + delta, atol=1e-9
    )
    q, r = np.linalg.qr(w)
    taken = 2.0 * q[:, :RANK] @ r[:RANK]
    np.testing.assert_allclose(
        tuned(Reinitialised(base, update, "olora"), base), w - taken + delta, atol=1e-9
    )


def test_what_can_not_be_recomputed_is_an_error(tmp_path: Path) -> None:
    dependent = torch.ones(6, 5)
    save_file(
        {"w": torch.eye(6), "d": dependent, "a": torch.ones(2, 6), "b": torch.ones(6, 2)}, tmp_path / "x"
    )
    one = read_header(tmp_path / "x").tensors
    update = LoraUpdate(one["a"], one["b"], 1.0)
    with pytest.raises(ReadError, match="singular values 2 and 3 differ by only"):
        assemble(Reinitialised(Stored(one["w"]), update, "pissa"), CPU)
    with pytest.raises(ReadError, match="first 2 columns of this weight, which are linearly dependent"):
        assemble(Reinitialised(Stored(one["d"]), update, "olora"), CPU)
    weight, _ = assemble(Stored(one["w"]), CPU)
    assert isinstance(weight, torch.Tensor)
    with pytest.raises(ReadError, match="6 x 5"):
        assemble(Adapted(Stored(one["d"]), update), CPU, against=Against(Stored(one["w"]), weight))


@given(st.integers(1, 5), st.integers(0, 4), st.integers(1, 4), st.booleans())
@settings(max_examples=20, deadline=None)
def test_an_experts_share_is_pefts_einsum(
    tmp_path_factory: pytest.TempPathFactory, count: int, index: int, rank: int, cut: bool
) -> None:
    index %= count
    path = tmp_path_factory.mktemp("stack") / "x.safetensors"
    a, b = (
        torch.randn(count * rank, 5, dtype=torch.float64),
        torch.randn(8, rank * count, dtype=torch.float64),
    )
    save_file({"a": a, "b": b, "w": torch.zeros(4 if cut else 8, 5, dtype=torch.float64)}, path)
    one = read_header(path).tensors
    rows = (4, 8) if cut else None
    update = LoraUpdate(
        one["a"].part(index * rank * 5, (rank, 5)), one["b"], 0.5, expert=Expert(index, count), rows=rows
    )
    made, _ = assemble(Adapted(Stored(one["w"]), update), CPU)
    assert isinstance(made, LoraFactors)
    whole = torch.einsum("ore,eri->eoi", b.reshape(8, rank, count), a.reshape(count, rank, 5))[index] * 0.5
    torch.testing.assert_close(made.dense(torch.float64), whole[4:8] if cut else whole)
    assert made.dense(torch.float64).shape == update.shape


def test_results_are_filed_by_everything_that_decides_them(
    stored: dict[str, StoredTensor], tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    base = Stored(stored["w"])
    update = LoraUpdate(stored["a"], stored["b"], 1.5)
    recipes: list[Recipe] = [
        Adapted(base, update),
        Adapted(base, replace(update, scaling=1.0)),
        Adapted(Stored(stored["other"]), update),
        Dora(base, update, stored["m"]),
        Reinitialised(base, update, "pissa"),
        Reinitialised(base, update, "olora"),
        ReplacedRows(base, stored["rows"], (3,)),
        ReplacedRows(base, stored["rows"], (4,)),
    ]
    keys = set()
    for recipe in recipes:
        job = Job(MatrixPair("w", (ROWS, COLUMNS), base, recipe, ("F32", "F32 + LoRA")))
        key = run_job(job, cache, CPU, lambda stage: None)
        assert cache.find(job) == key
        keys.add(key)
    assert len(keys) == len(recipes)
    described = describe(recipes[3], lambda tensor: tensor.name)
    assert described["magnitude"] == "m"
