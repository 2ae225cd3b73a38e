"""What lies in a PyTorch file beside its plain tensors: named and left out, never mistaken for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.support.refusals import refusal

from intruder_tui.checkpoint import open_pairing
from intruder_tui.checkpoint.weight_file import read_weight_header

W = torch.arange(12, dtype=torch.float32).reshape(3, 4)


def quantised() -> Any:
    return torch._make_per_tensor_quantized_tensor(torch.ones(2, 2, dtype=torch.int8), 0.1, 0)


NO_PLAIN_TENSORS: dict[str, tuple[Callable[[], Any], str]] = {
    "sparse": (W.to_sparse, "a sparse tensor"),
    "compressed rows": (W.to_sparse_csr, "a sparse tensor"),
    "NumPy": (lambda: np.ones((3, 4), np.float32), "a NumPy array"),
    "quantised": (quantised, "a quantised tensor"),
    "meta": (lambda: torch.empty(3, 4, device="meta"), "a tensor without data"),
    "complex": (lambda: W.to(torch.complex64), "a tensor of a dtype that is not read"),
    "conjugated": (lambda: W.to(torch.complex64).conj(), "a tensor of a dtype that is not read"),
    "negated": (lambda: torch._neg_view(W), "a negated or conjugated view"),
}


@pytest.mark.filterwarnings(
    "ignore:Sparse CSR tensor support:UserWarning", "ignore:torch.quantize:UserWarning"
)
@pytest.mark.parametrize("case", NO_PLAIN_TENSORS)
def test_what_is_no_plain_tensor_is_named_and_left_out(tmp_path: Path, case: str) -> None:
    make, called = NO_PLAIN_TENSORS[case]
    torch.save({"state_dict": {"a.weight": W, "odd.weight": make()}, "lr": 0.1}, tmp_path / "x.pt")
    header = read_weight_header(tmp_path / "x.pt")
    assert list(header.tensors) == ["a.weight"]
    assert header.notes == (
        "read from its 'state_dict'",
        f"left out, since no plain tensor: odd.weight ({called})",
    )
    pairing = open_pairing(str(tmp_path / "x.pt"), str(tmp_path / "x.pt"))
    assert header.notes[1] in pairing.tuned.notes


def test_of_many_only_some_are_named(tmp_path: Path) -> None:
    arrays = {f"n{number}": np.ones(2) for number in range(50)}
    torch.save({"a.weight": W, **arrays}, tmp_path / "x.pt")
    (note,) = read_weight_header(tmp_path / "x.pt").notes
    assert note.endswith("n0 (a NumPy array), n1 (a NumPy array), n2 (a NumPy array) and 47 more")


@pytest.mark.parametrize("suffix", ["pt", "bin", "pth", "ckpt"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html><body>404", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"", "an empty file"),
        (b"PK\x03\x04" + bytes(60), "cut off"),
        (b"PK\x03\x04", "cut off"),
        (b"plain text", "not a safetensors or PyTorch file"),
    ],
)
def test_what_is_no_pytorch_file_is_called_what_it_is(
    tmp_path: Path, suffix: str, content: bytes, said: str
) -> None:
    alone = tmp_path / f"x.{suffix}"
    directory = tmp_path / "model"
    directory.mkdir()
    for path in (alone, directory / "pytorch_model.bin"):
        path.write_bytes(content)
    assert said in (refusal(lambda: open_pairing(str(alone), str(alone))) or "")
    assert refusal(lambda: open_pairing(str(directory), str(directory)))
