"""LoRA adapters as PEFT writes them, against PEFT's own merge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from tests.support.adapters import check_against_merge, merged_by_us, refused, write_adapter
from tests.support.writers import make_gpt2, make_llama

from intruder_tui.checkpoint import CheckpointError, RowKind, open_pairing

MERGEABLE: dict[str, dict[str, Any]] = {
    "plain": {"target_modules": ["q_proj", "v_proj"]},
    "rslora": {"target_modules": ["q_proj", "down_proj"], "use_rslora": True},
    "all-linear": {"target_modules": "all-linear"},
    "rank and alpha patterns": {
        "target_modules": "all-linear",
        "rank_pattern": {"q_proj": 2, "layers.1.mlp.up_proj": 7, r"layers\.[0-9]+\.self_attn\.k_proj": 3},
        "alpha_pattern": {"v_proj": 3, "^model.layers.0.mlp.gate_proj": 5, ".*down_proj": 11},
    },
    "patterns under rslora": {
        "target_modules": ["q_proj", "k_proj"],
        "rank_pattern": {"layers.0.self_attn.q_proj": 9},
        "use_rslora": True,
    },
    "some layers": {"target_modules": ["q_proj"], "layers_to_transform": [1]},
    "gaussian": {"target_modules": ["q_proj"], "init_lora_weights": "gaussian"},
}
GPT2: dict[str, dict[str, Any]] = {
    "gpt2 with a square c_proj": {"target_modules": ["c_attn", "c_proj"], "fan_in_fan_out": True},
    "gpt2 mlp": {"target_modules": ["c_fc"], "fan_in_fan_out": True, "use_rslora": True},
}


@pytest.mark.parametrize("kind", MERGEABLE)
def test_llama_adapters_equal_pefts_merge(models: Path, tmp_path: Path, kind: str) -> None:
    tuned = write_adapter(make_llama(), tmp_path, **MERGEABLE[kind])
    targets = len(tuned.targeted_module_names)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == targets > 0
    assert not [row for row in pairing.rows if row.kind in (RowKind.REFUSED, RowKind.UNPAIRED)]


@pytest.mark.parametrize("with_config", [True, False])
@pytest.mark.parametrize("kind", GPT2)
def test_gpt2_adapters_equal_pefts_merge(models: Path, tmp_path: Path, kind: str, with_config: bool) -> None:
    tuned = write_adapter(make_gpt2(), tmp_path / "adapter", **GPT2[kind])
    targets = len(tuned.targeted_module_names)
    base = models / "gpt2"
    if not with_config:
        base = tmp_path / "alone.safetensors"
        base.write_bytes((models / "gpt2" / "model.safetensors").read_bytes())
    pairing = open_pairing(str(base), str(tmp_path / "adapter"))
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == targets > 0
    assert all(pair.notes for pair in pairing.pairs)


def test_an_adapter_of_a_bare_model_fits_the_headed_base(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    tuned = write_adapter(model.model, tmp_path, target_modules=["q_proj"])
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    merged = {f"model.{name}": weight for name, weight in tuned.merge_and_unload().state_dict().items()}
    assert check_against_merge(pairing, merged) == 2


def test_ranks_dtypes_and_the_note_on_another_base(models: Path, tmp_path: Path) -> None:
    write_adapter(
        make_llama(), tmp_path, target_modules=["q_proj"], rank_pattern={"layers.0.self_attn.q_proj": 2}
    )
    path = tmp_path / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "base_model_name_or_path": "somebody/another-13b"}))
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert [pair.adapter_rank for pair in pairing.pairs if not pair.untouched] == [2, 4]
    assert pairing.pairs[0].dtypes == ("F32", "F32 + LoRA r 2")
    assert pairing.notes == ("the adapter names somebody/another-13b as its base, not llama",)
    path.write_text(json.dumps({**config, "base_model_name_or_path": "/elsewhere/llama"}))
    assert open_pairing(str(models / "llama"), str(tmp_path)).notes == ()


def test_full_tensors_beside_the_factors_replace_the_bases(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    tuned = write_adapter(model, tmp_path, target_modules=["q_proj"], modules_to_save=["lm_head", "o_proj"])
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "modules_to_save" in name:
                parameter.add_(1.0)
    tuned.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    rows = {row.name: row for row in pairing.rows}
    merged = tuned.merge_and_unload().state_dict()
    for name in ("lm_head.weight", "model.layers.1.self_attn.o_proj.weight"):
        pair = rows[name].pair
        assert pair is not None
        assert not pair.untouched
        assert torch.equal(merged_by_us(pair), merged[name])


def test_biases_trained_with_the_adapter_are_listed_not_lost(models: Path, tmp_path: Path) -> None:
    write_adapter(make_gpt2(), tmp_path, target_modules=["c_fc"], fan_in_fan_out=True, bias="all")
    pairing = open_pairing(str(models / "gpt2"), str(tmp_path))
    assert not [row for row in pairing.rows if row.kind in (RowKind.REFUSED, RowKind.UNPAIRED)]


def test_an_adapter_is_no_base_and_named_adapters_are_listed(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(make_llama(), tmp_path, target_modules=["q_proj"])
    with pytest.raises(CheckpointError, match="BASE must be a full checkpoint"):
        open_pairing(str(tmp_path), str(models / "llama"))
    tuned.add_adapter("alpha", LoraConfig(r=2, target_modules=["q_proj"]))
    tuned.add_adapter("beta", LoraConfig(r=2, target_modules=["q_proj"]))
    tuned.save_pretrained(tmp_path / "several", selected_adapters=["alpha", "beta"])
    with pytest.raises(CheckpointError, match="give one of them: adapters alpha, beta"):
        open_pairing(str(models / "llama"), str(tmp_path / "several"))


def test_a_rank_that_contradicts_the_factors_is_refused(models: Path, tmp_path: Path) -> None:
    write_adapter(make_llama(), tmp_path, target_modules=["q_proj"])
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "r": 16}))
    rows = refused(open_pairing(str(models / "llama"), str(tmp_path)))
    assert rows["model.layers.0.self_attn.q_proj.weight"] == (
        "adapter_config.json says r = 16, lora_A is 4 x 32 and lora_B 32 x 4"
    )
