"""Reading weights: bytes, orientation, hashes, and files that change under the reader."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from intruder_tui.checkpoint.recipes import Adapted, LoraUpdate, Stored
from intruder_tui.checkpoint.safetensors_file import read_header
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.engine import assemble as module
from intruder_tui.engine.adapters import LoraFactors
from intruder_tui.engine.assemble import ReadError, assemble, read_tensor

CPU = torch.device("cpu")


def saved(path: Path, **tensors: torch.Tensor) -> dict[str, StoredTensor]:
    save_file(tensors, path)
    # Old enough that a later write shows even where the clock of the file system is coarse.
    os.utime(path, (0, 0))
    return dict(read_header(path).tensors)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 100)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (7,), (5, 9), (1, 400), (400, 1), (3, 0), (2, 3, 4)])
@pytest.mark.usefixtures("small_blocks")
def test_what_is_read_is_what_was_saved(tmp_path: Path, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape, dtype=torch.float64).to(dtype)
    tensor, _ = read_tensor(saved(tmp_path / "x.safetensors", other=torch.ones(3), w=weight)["w"])
    assert tensor.dtype == dtype
    assert torch.equal(tensor, weight)


def test_the_hash_is_of_the_content_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.arange(600, dtype=torch.float32).reshape(20, 30)
    _, content = read_tensor(saved(tmp_path / "a.safetensors", w=weight)["w"])
    monkeypatch.setattr(module, "BLOCK_BYTES", 130)
    _, elsewhere = read_tensor(
        saved(tmp_path / "b.safetensors", pad=torch.ones(5), renamed=weight)["renamed"]
    )
    assert content == elsewhere
    others = {
        "one bit": weight + torch.nn.functional.one_hot(torch.tensor(7), 600).reshape(20, 30) * 1e-3,
        "shape": weight.reshape(30, 20),
        "dtype": weight.view(torch.bfloat16),
        "zero's sign": torch.where(weight == 0, -0.0, weight),
    }
    hashes = {
        read_tensor(saved(tmp_path / f"{n}.safetensors", w=o.contiguous())["w"])[1] for n, o in others.items()
    }
    assert len(hashes | {content}) == len(others) + 1


@pytest.mark.usefixtures("small_blocks")
def test_the_hash_does_not_hang_on_how_the_bytes_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.randn(70, 33)
    save_file({"w": weight}, tmp_path / "x.safetensors")
    stored = read_header(tmp_path / "x.safetensors").tensors["w"]
    monkeypatch.setattr(module, "LEAF_BYTES", 1000)
    data = weight.numpy().tobytes()
    expected = hashlib.sha256(b"F32 70 x 33\n")
    for start in range(0, len(data), 1000):
        expected.update(hashlib.sha256(data[start : start + 1000]).digest())
    for block in (1, 7, 999, 1000, 1001, 4096, 10**6):
        monkeypatch.setattr(module, "BLOCK_BYTES", block)
        assert read_tensor(stored)[1] == expected.hexdigest()


def test_progress_rises_to_the_whole(tmp_path: Path, small_blocks: None) -> None:
    told: list[tuple[int, int]] = []
    stored = saved(tmp_path / "x.safetensors", w=torch.zeros(13, 7))["w"]
    read_tensor(stored, lambda done, total: told.append((done, total)))
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1] == (13 * 7 * 4, 13 * 7 * 4)


def test_reading_can_be_stopped_between_blocks(tmp_path: Path, small_blocks: None) -> None:
    stored = saved(tmp_path / "x.safetensors", w=torch.zeros(50, 50))["w"]

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_tensor(stored, stop)


def test_recipes_give_out_by_in(tmp_path: Path) -> None:
    weight, a, b = torch.randn(4, 6), torch.randn(2, 4), torch.randn(6, 2)
    stored = saved(tmp_path / "x.safetensors", w=weight, a=a, b=b)
    base = Stored(stored["w"], transposed=True)
    oriented, hashes = assemble(base, CPU)
    assert isinstance(oriented, torch.Tensor)
    assert torch.equal(oriented, weight.T)
    assert oriented.is_contiguous()
    assert set(hashes) == {stored["w"]}
    factors, hashes = assemble(Adapted(base, LoraUpdate(stored["a"], stored["b"], 1.5)), CPU)
    assert isinstance(factors, LoraFactors)
    assert torch.equal(factors.a, a)
    assert torch.equal(factors.b, b)
    assert factors.scaling == 1.5
    assert set(hashes) == {stored["a"], stored["b"]}


def test_a_file_that_changed_is_an_error_not_a_result(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    stored = saved(path, w=torch.zeros(4, 4))["w"]
    save_file({"w": torch.ones(4, 4)}, path)
    with pytest.raises(ReadError, match="changed since it was opened"):
        read_tensor(stored)
    path.unlink()
    with pytest.raises(ReadError, match="no such file"):
        read_tensor(stored)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("damage", ["rewritten", "truncated", "replaced"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "x.safetensors"
    stored = saved(path, w=torch.zeros(40, 40))["w"]

    def change(done: int, total: int) -> None:
        if damage == "truncated":
            os.truncate(path, path.stat().st_size // 2)
        elif damage == "replaced":
            save_file({"w": torch.ones(40, 40)}, path)
        else:
            with path.open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                file.write(b"x")

    with pytest.raises(ReadError) as caught:
        read_tensor(stored, change)
    assert "changed" in str(caught.value)
    assert str(caught.value).isprintable()


def test_integers_are_never_read_as_weights(tmp_path: Path) -> None:
    stored = saved(tmp_path / "x.safetensors", w=torch.ones(3, 3, dtype=torch.int8))["w"]
    with pytest.raises(ReadError, match="I8 is not a plain floating-point dtype"):
        read_tensor(stored)


def test_a_stored_tensor_that_lies_about_its_shape_is_an_error(tmp_path: Path) -> None:
    stored = saved(tmp_path / "x.safetensors", w=torch.ones(3, 3))["w"]
    with pytest.raises(ReadError, match="not where its header said"):
        read_tensor(dataclasses.replace(stored, shape=(9, 9)))
