"""PyTorch files: every form torch.save writes, and every trick that must neither run, hang nor allocate."""

from __future__ import annotations

import argparse
import collections
import io
import os
import pickle
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.memory import run_measured
from tests.support.refusals import refusal
from torch import nn

from intruder_tui.checkpoint import CheckpointError, open_pairing, torch_pickle
from intruder_tui.checkpoint.weight_file import read_weight_header
from intruder_tui.engine.assemble import read_tensor

W = torch.arange(12, dtype=torch.float32).reshape(3, 4)


def saved(path: Path, value: Any) -> Path:
    torch.save(value, path)
    return path


def check_like_torch(path: Path, key: str = "") -> dict[str, torch.Tensor]:
    """Ours against torch.load: the same names, shapes, dtypes and numbers."""
    ours = read_weight_header(path)
    loaded = torch.load(path, weights_only=True, mmap=True)
    for part in key.split(".") if key else ():
        loaded = loaded[part]
    theirs = {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    assert {*ours.tensors, *ours.aliases} == set(theirs)
    for name, tensor in theirs.items():
        stored = ours.tensors[ours.aliases.get(name, name)]
        assert stored.shape == tuple(tensor.shape)
        if tensor.dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            got, _ = read_tensor(stored)
            assert got.dtype == tensor.dtype
            assert torch.equal(got, tensor)
    return theirs


WRITTEN: dict[str, tuple[Callable[[], Any], str]] = {
    "dict": (lambda: {"a": W, "b": W.double()}, ""),
    "ordered": (lambda: collections.OrderedDict(a=W, b=W.half()), ""),
    "module's": (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).state_dict(), ""),
    "parameters": (lambda: {"a": nn.Parameter(W)}, ""),
    "views": (
        lambda: {"a": W.t(), "b": W[1:], "c": W[:, 1:3], "d": W[1], "e": W[::2, ::2], "f": W[2, 3]},
        "",
    ),
    "shared": (lambda: {"a": W, "b": W, "c": W.view(4, 3)}, ""),
    "dtypes": (
        lambda: {
            str(dtype): torch.ones(2, 3).to(dtype)
            for dtype in (
                torch.bfloat16,
                torch.int8,
                torch.uint8,
                torch.bool,
                torch.int64,
                torch.float8_e4m3fn,
            )
        },
        "",
    ),
    "empty and scalar": (lambda: {"a": torch.empty(0, 3), "b": torch.tensor(2.0)}, ""),
    "nested": (lambda: {"model": {"a": W}, "optimizer": {"state": {}}, "step": 3}, "model"),
    "state_dict": (lambda: {"state_dict": {"a": W}, "lr": [1e-3, None, "x", (1, 2.5)]}, "state_dict"),
    "twice nested": (lambda: {"model": {"module": {"a": W}}}, "model.module"),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_what_torch_saves_is_listed_and_read_as_torch_loads_it(tmp_path: Path, case: str) -> None:
    make, key = WRITTEN[case]
    assert check_like_torch(saved(tmp_path / "x.pt", make()), key)


def test_a_lightning_checkpoint_that_torch_refuses_is_read(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "x.ckpt",
        {
            "state_dict": {"net.a": W},
            "hyper_parameters": argparse.Namespace(lr=1.0),
            "callbacks": {(1, 2): 3},
        },
    )
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    header = read_weight_header(path)
    assert torch.equal(read_tensor(header.tensors["net.a"])[0], W)
    assert header.notes == ("read from its 'state_dict'",)


class Evil:
    """Unpickled, it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.target),)


def test_no_code_of_a_file_is_ever_run(tmp_path: Path) -> None:
    target = tmp_path / "created"
    path = saved(tmp_path / "x.pt", {"a": W, "evil": Evil(target), Evil(target).target.name: Evil(target)})
    assert set(read_weight_header(path).tensors) == {"a"}
    assert refusal(lambda: read_weight_header(saved(tmp_path / "y.pt", Evil(target))))
    assert not target.exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear, not a state dict"),
        (W, "a single tensor"),
        ([W, W], "a pickled list without a state dict"),
        ({"step": 3}, "a pickled dict without a state dict"),
        ({1: W}, "a pickled dict without a state dict"),
        (3, "without a state dict"),
    ],
)
def test_what_is_no_state_dict_is_refused_by_name(tmp_path: Path, value: Any, said: str) -> None:
    assert said in (refusal(lambda: read_weight_header(saved(tmp_path / "x.pt", value))) or "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_and_legacy_files_are_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    assert "TorchScript" in (refusal(lambda: read_weight_header(tmp_path / "script.pt")) or "")
    torch.save({"a": W}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"before 1\.6, not read: rewrite it with"):
        open_pairing(str(tmp_path / "old.pt"), str(tmp_path / "old.pt"))


def rezip(
    source: Path,
    target: Path,
    change: Callable[[zipfile.ZipInfo, bytes], list[tuple[str, bytes]]],
    **how: Any,
) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **how) as new:
        for entry in old.infolist():
            for name, data in change(entry, old.read(entry)):
                new.writestr(name, data)
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_made_to_mislead_are_refused(tmp_path: Path) -> None:
    good = saved(tmp_path / "good.pt", {"a": W, "b": W + 1})

    def same(entry: zipfile.ZipInfo, data: bytes) -> list[tuple[str, bytes]]:
        return [(entry.filename, data)]

    def is_data(entry: zipfile.ZipInfo) -> bool:
        return "/data/" in entry.filename

    attacks: dict[str, tuple[Path, str]] = {
        "deflated": (
            rezip(good, tmp_path / "1.pt", same, compression=zipfile.ZIP_DEFLATED),
            "compressed member",
        ),
        "twice": (rezip(good, tmp_path / "2.pt", lambda e, d: same(e, d) * 2), "the same name stands twice"),
        "two pickles": (
            rezip(good, tmp_path / "3.pt", lambda e, d: [*same(e, d), (f"x/{e.filename}", d)]),
            "2 data.pkl",
        ),
        "short storage": (
            rezip(good, tmp_path / "4.pt", lambda e, d: [(e.filename, d[:-4] if is_data(e) else d)]),
            "needs a storage of 48 bytes, and there are only 44",
        ),
        "no storage": (
            rezip(good, tmp_path / "5.pt", lambda e, d: [] if is_data(e) else same(e, d)),
            "there are no bytes of it",
        ),
        "big-endian": (
            rezip(
                good,
                tmp_path / "6.pt",
                lambda e, d: [(e.filename, b"big" if "byteorder" in e.filename else d)],
            ),
            "big-endian",
        ),
        "npz": (
            rezip(good, tmp_path / "7.pt", lambda e, d: [(Path(e.filename).name + ".npy", d)]),
            "no PyTorch file",
        ),
    }
    for case, (path, said) in attacks.items():
        assert said in (refusal(lambda path=path: read_weight_header(path)) or ""), case
    cut = tmp_path / "cut.pt"
    cut.write_bytes(good.read_bytes()[:-30])
    assert refusal(lambda: read_weight_header(cut))


def archive(path: Path, data: bytes, storages: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("x/data.pkl", data)
        for name, content in storages.items():
            new.writestr(f"x/data/{name}", content)
    return path


def tensor_pickle(elements: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A state dict of one tensor of any claimed layout, as torch's pickler would write it."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> Any:
            return value if isinstance(value, tuple) and value[:1] == ("storage",) else None

    class Rebuilt:
        def __reduce__(self) -> Any:
            storage = ("storage", torch.FloatStorage, "0", "cpu", elements)
            return torch._utils._rebuild_tensor_v2, (storage, offset, shape, strides, False, None)

    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"a": Rebuilt()})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ((1, 0, (10**6, 10**6), (0, 0)), "an expanded view"),
        ((4, 0, (3, 2), (1, 1)), "an expanded view"),
        ((4, 0, (4, 4), (4, 1)), "beyond its storage"),
        ((4, 3, (2,), (1,)), "beyond its storage"),
        ((4, -1, (2,), (1,)), "impossible layout"),
        ((4, 0, (2,), (-1,)), "impossible layout"),
        ((4, 0, (2**61,), (1,)), "impossible layout"),
        ((2**59, 0, (2**59,), (1,)), "needs a storage"),
        ((4, 0, (1,) * 40, (1,) * 40), "impossible layout"),
        ((4, 0, (2, 2), (1,)), "without a shape"),
    ],
)
def test_tensors_of_impossible_layout_are_refused(
    tmp_path: Path, layout: tuple[int, int, tuple[int, ...], tuple[int, ...]], said: str
) -> None:
    path = archive(tmp_path / "x.pt", tensor_pickle(*layout), {"0": bytes(16)})
    assert said in (refusal(lambda: read_weight_header(path)) or "")


BOMBS = {
    "memo": b"\x80\x02" + b"r\xff\xff\xff\x7f" * 1000 + b".",
    "long": b"\x80\x02\x8b\xff\xff\xff\x7f" + bytes(100),
    "bytes": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + bytes(10),
    "marks": b"\x80\x02" + b"(" * 3_000_000 + b".",
    "doubling": b"\x80\x02]q\x00" + b"h\x00h\x00\x86q\x00" * 100_000 + b".",
    "lists": b"\x80\x02" + b"]" * 1_000_000 + b".",
    "digits": b"\x80\x02L" + b"9" * 5_000_000 + b"L\n.",
    "nothing": b"",
    "garbage": bytes(range(256)) * 10,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_pickle_bombs_are_refused_within_time_and_memory(tmp_path: Path, bomb: str) -> None:
    path = archive(tmp_path / "x.pt", BOMBS[bomb], {})
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from intruder_tui.checkpoint import CheckpointError\n"
        "from intruder_tui.checkpoint.weight_file import read_weight_header\n"
        "started = time.perf_counter()\n"
        "try: read_weight_header(Path(sys.argv[1]))\n"
        "except CheckpointError as error: print(str(error)[:200], '|', time.perf_counter() - started)\n"
    )
    printed, megabytes = run_measured(code, str(path))
    said, _, seconds = printed.rpartition("|")
    assert said
    assert float(seconds) < 5
    assert megabytes < 250


def test_more_tensors_than_any_file_has_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_pickle, "MOST_OPCODES", 640)
    fits = saved(tmp_path / "a.pt", {f"layers.{n}.weight": torch.zeros(1) for n in range(19)})
    assert len(read_weight_header(fits).tensors) == 19
    beyond = saved(tmp_path / "b.pt", {f"layers.{n}.weight": torch.zeros(1) for n in range(22)})
    said = refusal(lambda: read_weight_header(beyond))
    assert said is not None
    assert "over 640 pickle opcodes, as of 20 tensors in one file: save it as safetensors" in said


def test_twenty_thousand_tensors_are_listed_quickly(tmp_path: Path) -> None:
    shared = torch.zeros(20_000)
    path = saved(tmp_path / "x.pt", {f"layers.{n}.weight": shared[n : n + 1] for n in range(20_000)})
    started = time.perf_counter()
    assert len(read_weight_header(path).tensors) == 20_000
    assert time.perf_counter() - started < 15


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_damage_ends_in_a_refusal_or_in_what_torch_loads(tmp_path: Path, data: st.DataObject) -> None:
    good = tmp_path / "good.pt"
    if not good.exists():
        saved(good, {"a": W, "state": {"b": W.t()}, "c": nn.Parameter(W[1:])})
    damaged = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.pt"
    path.write_bytes(bytes(damaged))
    refusal(lambda: read_weight_header(path))
