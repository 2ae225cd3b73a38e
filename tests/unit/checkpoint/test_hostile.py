"""Files made to hang, to exhaust memory or to lead astray: one line each, or what is really there."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import PROGRAM
from tests.support.refusals import refusal
from tests.support.sparse import llama, write_model, write_sparse

from intruder_tui.checkpoint import open_pairing

SMALL = llama(1, 8, 16, 10, 8)


def raw(path: Path, header: Any, size: int = 0, length: int | None = None) -> None:
    """A safetensors file of that header, true or not."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    announced = len(encoded) if length is None else length
    path.write_bytes(struct.pack("<Q", announced) + encoded)
    os.truncate(path, 8 + len(encoded) + size)


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def length_near_the_end_of_integers(path: Path) -> None:
    raw(path / "model.safetensors", {}, length=2**63 - 1)


def length_that_wraps(path: Path) -> None:
    raw(path / "model.safetensors", {}, length=2**64 - 8)


def shape_that_overflows(path: Path) -> None:
    raw(path / "model.safetensors", {"a.weight": entry([2**32, 2**32, 2**32], 0, 0)})


def offsets_that_overlap(path: Path) -> None:
    raw(path / "model.safetensors", {"a.weight": entry([2, 2], 0, 16), "b.weight": entry([2, 2], 8, 24)}, 24)


def offsets_that_run_backwards(path: Path) -> None:
    raw(path / "model.safetensors", {"a.weight": entry([2, 2], 16, 0)}, 16)


def offsets_beyond_the_file(path: Path) -> None:
    raw(path / "model.safetensors", {"a.weight": entry([2**30, 2**30], 0, 2**62)}, 16)


def shapes_that_are_no_integers(path: Path) -> None:
    raw(
        path / "model.safetensors",
        {"a.weight": {"dtype": "F32", "shape": [2.0, "2"], "data_offsets": [0, 16]}},
        16,
    )


def a_million_brackets(path: Path) -> None:
    raw(path / "model.safetensors", b"[" * 1_000_000)


def a_link_to_itself(path: Path) -> None:
    (path / "model.safetensors").symlink_to("model.safetensors")


def a_ring_of_links(path: Path) -> None:
    (path / "model.safetensors").symlink_to("other")
    (path / "other").symlink_to("model.safetensors")


def a_pipe_for_an_index(path: Path) -> None:
    os.mkfifo(path / "model.safetensors.index.json")


def a_pipe_for_a_shard(path: Path) -> None:
    os.mkfifo(path / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"a.weight": "model-00001-of-00001.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))


def an_index_that_climbs(path: Path) -> None:
    index = {"weight_map": {"a.weight": "../model.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))


def an_index_of_many_shards(path: Path) -> None:
    index = {"weight_map": {f"{n}.weight": f"model-{n}.safetensors" for n in range(60_000)}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))


def a_compressed_pickle(path: Path) -> None:
    with zipfile.ZipFile(path / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\0" * 50_000_000)


def a_pickle_with_an_endless_string(path: Path) -> None:
    with zipfile.ZipFile(path / "pytorch_model.bin", "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.")


def a_pickle_that_is_a_pipe(path: Path) -> None:
    os.mkfifo(path / "pytorch_model.bin")


def pickles_of_a_trainer_alone(path: Path) -> None:
    (path / "training_args.bin").write_bytes(b"\x80\x02cos\nsystem\n")


REFUSED: list[Callable[[Path], None]] = [
    length_near_the_end_of_integers,
    length_that_wraps,
    shape_that_overflows,
    offsets_that_overlap,
    offsets_that_run_backwards,
    offsets_beyond_the_file,
    shapes_that_are_no_integers,
    a_million_brackets,
    a_link_to_itself,
    a_ring_of_links,
    a_pipe_for_an_index,
    a_pipe_for_a_shard,
    an_index_that_climbs,
    an_index_of_many_shards,
    a_compressed_pickle,
    a_pickle_with_an_endless_string,
    a_pickle_that_is_a_pipe,
    pickles_of_a_trainer_alone,
]


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_it_is_refused_in_one_line_on_either_side(tmp_path: Path, make: Callable[[Path], None]) -> None:
    good = write_model(tmp_path / "good", SMALL)
    bad = tmp_path / "bad"
    bad.mkdir()
    make(bad)
    for arguments in ((good, bad), (bad, good)):
        said = refusal(lambda arguments=arguments: open_pairing(*map(str, arguments)))
        assert said is not None
        assert len(said) < 500


def test_shapes_with_a_zero_in_them_hold_nothing_however_large(tmp_path: Path) -> None:
    shapes = {"a.weight": [2**62, 0], "b.weight": [0, 2**31], "c.weight": [0]}
    raw(tmp_path / "x.safetensors", {name: entry(shape, 0, 0) for name, shape in shapes.items()})
    path = str(tmp_path / "x.safetensors")
    said = refusal(lambda: open_pairing(path, path))
    if said is None:
        rows = {row.name: row for row in open_pairing(path, path).rows}
        assert all(row.pair is None for row in rows.values())
        assert "no elements" in rows["b.weight"].reason


def test_a_config_that_is_a_pipe_or_a_ring_is_passed_over(tmp_path: Path) -> None:
    piped, ringed = (write_model(tmp_path / name, SMALL) for name in ("piped", "ringed"))
    for directory in (piped, ringed):
        (directory / "config.json").unlink()
    os.mkfifo(piped / "config.json")
    (ringed / "config.json").symlink_to("config.json")
    assert len(open_pairing(str(piped), str(ringed)).pairs) == 7


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": ["llama"], "tie_word_embeddings": "yes", "text_config": [1]},
        {
            "quantization_config": {
                "quant_method": {"a": 1},
                "weight_block_size": [0, -1],
                "config_groups": [3],
            }
        },
        {
            "quantization_config": {
                "config_groups": {"g": {"weights": {"group_size": 10**40, "num_bits": 1.5}}}
            }
        },
        {"_name_or_path": 7, "quantization_config": "fp8"},
    ],
)
def test_a_config_of_wrong_types_changes_nothing(tmp_path: Path, config: dict[str, Any]) -> None:
    base, tuned = (write_model(tmp_path / name, SMALL) for name in ("base", "tuned"))
    (tuned / "config.json").write_text(json.dumps(config))
    assert len(open_pairing(str(base), str(tuned)).pairs) == 7


NASTY = [
    "\x1b]0;owned\x07.weight",
    "\u202egpj.exe.weight",
    "a\nb.weight",
    "[/0].weight",
    "[link=x]y[/link].weight",
]


def test_no_name_reaches_a_terminal_raw(tmp_path: Path) -> None:
    base, tuned = tmp_path / "base.safetensors", tmp_path / "tuned.safetensors"
    write_sparse(base, dict.fromkeys(NASTY, (2, 2)))
    write_sparse(tuned, dict.fromkeys([f"module.{name}" for name in NASTY[:3]] + NASTY[3:], (2, 3)))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "list", base, tuned],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert all(line.isprintable() for line in done.stdout.splitlines())
    assert "[/0].weight" in done.stdout
    assert r"\u202egpj" in done.stdout


def adapter_of(directory: Path, count: int, kind: str, **config: Any) -> None:
    """An adapter of many modules, none of which the base has."""
    directory.mkdir()
    parts = ("lora_A.weight", "lora_B.weight") if kind == "LORA" else ("hada_w1_a", "hada_w1_b")
    shapes = {f"base_model.model.m.{n}.q.{part}": (2, 2) for n in range(count) for part in parts}
    write_sparse(directory / "adapter_model.safetensors", shapes)
    fields = {"peft_type": kind, "r": 2, "lora_alpha": 2, **config}
    (directory / "adapter_config.json").write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("kind", "config", "said"),
    [
        (
            "LORA",
            {"target_parameters": ["experts.down_proj"] * 100_000},
            "target_parameters has 100000 names",
        ),
        (
            "LORA",
            {"trainable_token_indices": {str(n): [n] for n in range(5_000)}},
            "tokens of 5000 embeddings",
        ),
        ("LOHA", {"rank_pattern": {f"(x|{n}).*": 2 for n in range(60_000)}}, "keys, which take over"),
        ("LORA", {"alpha_pattern": {f"(x|{n}).*": 2 for n in range(60_000)}}, "keys, which take over"),
        ("LORA", {"layer_replication": [[0, 900]] * 5}, "makes over 1000 layers"),
    ],
)
def test_long_lists_in_a_configuration_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, config: dict[str, Any], said: str
) -> None:
    from intruder_tui.checkpoint import patterns

    monkeypatch.setattr(patterns, "COMPILE_SECONDS", 0.2)
    base = write_model(tmp_path / "base", SMALL)
    adapter_of(tmp_path / "adapter", 200, kind, **config)
    refused = refusal(lambda: open_pairing(str(base), str(tmp_path / "adapter")))
    assert refused is not None
    assert said in refused
