"""Headers: the library's verdict on malformed ones, and refusals of our own before it is asked."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from tests.support.memory import run_measured
from tests.support.refusals import refusal
from tests.support.sparse import write_sparse

from intruder_tui.checkpoint import CheckpointError
from intruder_tui.checkpoint.safetensors_file import LARGEST_HEADER, read_header


def raw(path: Path, header: bytes, weights: int = 0) -> Path:
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + weights)
    return path


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32", **more: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


def accepts(path: Path) -> bool:
    """The library's own verdict."""
    try:
        with safe_open(path, framework="np") as file:
            return file.keys() is not None
    except (SafetensorError, OSError):
        return False


def we_accept(path: Path) -> bool:
    return refusal(lambda: read_header(path)) is None


def test_every_tensor_is_listed_with_its_stamp(tmp_path: Path) -> None:
    shapes = {"a": (2, 3), "scalar": (), "empty": (0, 4), "deep": (1, 2, 3, 4)}
    write_sparse(tmp_path / "x.safetensors", shapes, "BF16", {"format": "pt"})
    header = read_header(tmp_path / "x.safetensors")
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == shapes
    assert {tensor.dtype for tensor in header.tensors.values()} == {"BF16"}
    assert header.metadata == {"format": "pt"}
    status = (tmp_path / "x.safetensors").stat()
    stamp = header.tensors["a"].stamp
    assert (stamp.inode, stamp.size, stamp.mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns)


MALFORMED: dict[str, tuple[Any, int]] = {
    "trailing bytes": ({"a": entry([2], 0, 8)}, 12),
    "cut off": ({"a": entry([2], 0, 8)}, 4),
    "hole": ({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, 12),
    "overlap": ({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, 12),
    "begin after end": ({"a": entry([1], 4, 0)}, 4),
    "negative offset": ({"a": entry([1], -4, 0)}, 4),
    "negative shape": ({"a": entry([-1], 0, 4)}, 4),
    "shape and size differ": ({"a": entry([3], 0, 8)}, 8),
    "shape overflows": ({"a": entry([2**62, 8], 0, 8)}, 8),
    "offset overflows": ({"a": entry([1], 0, 2**64)}, 8),
    "unknown dtype": ({"a": entry([1], 0, 4, "F7")}, 4),
    "no dtype": ({"a": {"shape": [1], "data_offsets": [0, 4]}}, 4),
    "three offsets": ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, 4),
    "shape a number": ({"a": {"dtype": "F32", "shape": 1, "data_offsets": [0, 4]}}, 4),
    "shape fractional": ({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}}, 4),
    "entry a list": ({"a": [1]}, 0),
    "metadata not strings": ({"__metadata__": {"x": 1}, "a": entry([1], 0, 4)}, 4),
    "header a list": ([1], 0),
    "header a string": ("x", 0),
    "nan": ({"a": entry([1], 0, 4, x=float("nan"))}, 4),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_we_and_the_library_refuse_the_same_headers(tmp_path: Path, case: str) -> None:
    header, weights = MALFORMED[case]
    path = raw(tmp_path / "x.safetensors", json.dumps(header).encode(), weights)
    assert not accepts(path)
    assert not we_accept(path)


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"{}x", b"\xff\xfe{}", b'{"a":\x00}', b"[" * 100_000, b'{"a":' * 50_000, b'{"a": "\\ud800"}'],
)
def test_broken_json_is_one_line(tmp_path: Path, header: bytes) -> None:
    path = raw(tmp_path / "x.safetensors", header)
    assert not accepts(path)
    started = time.perf_counter()
    assert not we_accept(path)
    assert time.perf_counter() - started < 1


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_damage_to_a_header_ends_in_the_librarys_verdict_or_a_refusal(
    tmp_path: Path, data: st.DataObject
) -> None:
    good = json.dumps(
        {"a": entry([2, 3], 0, 24), "b": entry([4], 24, 40), "__metadata__": {"format": "pt"}}
    ).encode()
    damaged = bytearray(len(good).to_bytes(8, "little") + good + bytes(40))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 41))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(damaged))
    if we_accept(path):
        assert accepts(path)


def test_a_file_that_ends_too_early_is_called_cut_off(tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    write_sparse(whole, {"a": (20, 30), "b": (40,)}, "F32")
    size = whole.stat().st_size
    os.truncate(whole, size // 2)
    with pytest.raises(CheckpointError) as caught:
        read_header(whole)
    words = f"cut off: its tensors need {size} bytes, the file has {size // 2} (an interrupted download?)"
    assert str(caught.value) == f"{whole}: {words}"
    os.truncate(whole, size + 1)
    with pytest.raises(CheckpointError, match="malformed header: incomplete metadata"):
        read_header(whole)


def test_a_name_given_twice_is_refused_though_the_library_takes_it(tmp_path: Path) -> None:
    one = json.dumps(entry([1], 0, 4))
    path = raw(tmp_path / "x.safetensors", f'{{"a": {one}, "a": {one}}}'.encode(), 4)
    assert accepts(path)
    with pytest.raises(CheckpointError, match="twice"):
        read_header(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"abc", "too short"),
        (b"<!DOCTYPE html><html><body>404", "HTML page"),
        (b"\n  <html lang=en>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"PK\x03\x04" + bytes(60), "zip archive"),
        (b"GGUF" + bytes(60), "GGUF"),
        (b"\x89HDF\r\n" + bytes(60), "HDF5"),
        (b"\x80\x02}q" + bytes(60), "pickle"),
        (b'{"error": "not found"}', "JSON"),
        (b"\xff" * 64, "announces a header of"),
        ((10**6).to_bytes(8, "little") + b"{" + bytes(100), "announces a header of 1000000 bytes"),
    ],
)
def test_other_files_under_the_name_are_called_what_they_are(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_header(path)


def test_an_oversized_header_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes((LARGEST_HEADER + 1).to_bytes(8, "little") + b"{")
    os.truncate(path, LARGEST_HEADER * 2)
    with pytest.raises(CheckpointError, match=f"at most {LARGEST_HEADER}"):
        read_header(path)


def test_special_files_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    for name, said in (
        ("fifo", "named pipe"),
        ("zero", "character device"),
        (".", "a directory"),
        ("dangling", "symbolic link to a missing file"),
        ("loop", "symbolic links"),
        ("absent", "no such file"),
    ):
        with pytest.raises(CheckpointError, match=said):
            read_header(tmp_path / name)


def test_a_header_of_thousands_of_tensors_is_read(tmp_path: Path) -> None:
    shapes = {f"layers.{n}.experts.{n % 64}.w1.weight": (2, 2) for n in range(20_000)}
    write_sparse(tmp_path / "x.safetensors", shapes)
    assert len(read_header(tmp_path / "x.safetensors").tensors) == 20_000


def test_what_the_library_quotes_is_escaped(tmp_path: Path) -> None:
    path = raw(tmp_path / "x.safetensors", json.dumps({"\x1b[2J": entry([3], 0, 8, "\x1b[31m")}).encode(), 8)
    assert "\x1b" not in (refusal(lambda: read_header(path)) or "\x1b")


def test_a_header_bomb_is_refused_within_time_and_memory(tmp_path: Path) -> None:
    empty = ",".join(f'"{n}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for n in range(500_000))
    path = raw(tmp_path / "bomb.safetensors", f"{{{empty}}}".encode())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from intruder_tui.checkpoint import CheckpointError\n"
        "from intruder_tui.checkpoint.safetensors_file import read_header\n"
        "try: read_header(Path(sys.argv[1]))\n"
        "except CheckpointError as error: print(error)\n"
    )
    started = time.perf_counter()
    message, megabytes = run_measured(code, str(path))
    assert "JSON values; at most" in message
    assert megabytes < 150
    assert time.perf_counter() - started < 5
