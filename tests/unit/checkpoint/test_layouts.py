"""Which files of a directory are its weights, and which checkpoints of a run are a series."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.support.sparse import write_model, write_sparse

from intruder_tui.checkpoint import CheckpointError, expand_series, open_pairing
from intruder_tui.checkpoint.layouts import weights_of
from intruder_tui.checkpoint.locate import Kind, locate

SHAPES = {f"layers.{n}.up_proj.weight": (4, 3) for n in range(4)}


@pytest.mark.parametrize(
    ("names", "chosen", "mentioned"),
    [
        (["model.safetensors", "model.safetensors.index.json"], "model.safetensors", 1),
        (["model.safetensors", "pytorch_model.bin"], "model.safetensors", 0),
        (["model.safetensors.index.json", "pytorch_model.bin"], "model.safetensors.index.json", 0),
        (["pytorch_model.bin", "pytorch_model.bin.index.json"], "pytorch_model.bin", 1),
        (["pytorch_model.bin.index.json"], "pytorch_model.bin.index.json", 0),
        (["diffusion_pytorch_model.safetensors"], "diffusion_pytorch_model.safetensors", 0),
        (["diffusion_pytorch_model.bin"], "diffusion_pytorch_model.bin", 0),
        (["model.fp16.safetensors"], "model.fp16.safetensors", 1),
        (["model.fp16.safetensors", "model.safetensors"], "model.safetensors", 0),
        (["model.safetensors.index.fp16.json"], "model.safetensors.index.fp16.json", 1),
        (["pytorch_model.fp16.bin", "model.bf16.safetensors"], "model.bf16.safetensors", 2),
    ],
)
def test_transformers_precedence(names: list[str], chosen: str, mentioned: int) -> None:
    layout = weights_of(frozenset([*names, "training_args.bin", "optimizer.pt", "model.onnx"]))
    assert layout is not None
    assert layout.name == chosen
    assert len(layout.notes) == mentioned


@pytest.mark.parametrize(
    "name",
    [
        *("training_args.bin", "optimizer.bin", "rng_state.pth", "model-00001-of-00002.safetensors"),
        *("model.safetensors.tmp", ".tmpabc", "xmodel.safetensors", "model..safetensors"),
    ],
)
def test_nothing_else_is_weights(name: str) -> None:
    assert weights_of(frozenset([name])) is None


def test_sharded_bin_files_and_variants_are_opened(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    weight_map = {}
    for number, name in enumerate(SHAPES):
        shard = f"pytorch_model-{number + 1:05}-of-00004.bin"
        torch.save({name: torch.zeros(4, 3)}, tmp_path / "bin" / shard)
        weight_map[name] = shard
    index = tmp_path / "bin" / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    write_model(tmp_path / "variant", SHAPES, shards=2)
    for file in sorted((tmp_path / "variant").iterdir()):
        file.rename(file.with_name(file.name.replace("model-", "model.fp16-").replace(".json", ".fp16.json")))
    renamed = tmp_path / "variant" / "model.safetensors.index.fp16.json"
    renamed.write_text(renamed.read_text().replace("model-", "model.fp16-"))
    pairing = open_pairing(str(tmp_path / "bin"), str(tmp_path / "variant"))
    assert len(pairing.pairs) == 4
    assert locate(str(index)).kind is Kind.SHARDED
    assert any("the variant fp16" in note for note in pairing.tuned.notes)


def test_a_bin_index_cannot_name_a_trainers_pickle(tmp_path: Path) -> None:
    for name in ("training_args.bin", "optimizer.bin", "../x.bin", "x.safetensors"):
        (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(CheckpointError, match=r"not the plain name of a \.bin file"):
            locate(str(tmp_path))


def test_a_run_is_a_series_by_step_with_its_final_save_last(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for step in (1000, 500, 20):
        write_model(run / f"checkpoint-{step}", SHAPES)
    steps = [str(run / f"checkpoint-{step}") for step in (20, 500, 1000)]
    assert expand_series(str(run)) == steps
    write_sparse(run / "model.safetensors", SHAPES)
    assert expand_series(str(run)) == [*steps, str(run)]
    assert all(len(open_pairing(steps[0], one).pairs) == 4 for one in expand_series(str(run)))


def test_anything_else_is_a_series_of_one(tmp_path: Path) -> None:
    model = str(write_model(tmp_path / "x", SHAPES))
    for argument in (model, str(tmp_path / "absent"), "org/name", "\0"):
        assert expand_series(argument) == [argument]
