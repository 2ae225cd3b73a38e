"""LoRA variants that PEFT writes, against PEFT's own merge, and by formula where its merge is no oracle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, TrainableTokensConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.support.adapters import check_against_merge, merged_by_us, refused, write_adapter
from tests.support.writers import make_gpt2, make_llama

from intruder_tui.checkpoint import CheckpointError, Pairing, RowKind, open_pairing
from intruder_tui.checkpoint.adapter_config import AdapterOptions
from intruder_tui.engine.adapters import LoraFactors
from intruder_tui.engine.assemble import assemble

pytestmark = pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`:UserWarning")

CPU = torch.device("cpu")
EMBEDDING = "model.embed_tokens.weight"

LLAMA: dict[str, dict[str, Any]] = {
    "dora": {"target_modules": "all-linear", "use_dora": True},
    "dora under rslora": {"target_modules": ["q_proj", "up_proj"], "use_dora": True, "use_rslora": True},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "dora on an embedding": {"target_modules": ["embed_tokens"], "use_dora": True},
    "embedding and head": {"target_modules": ["embed_tokens", "lm_head"]},
    "orthogonal": {"target_modules": ["q_proj"], "init_lora_weights": "orthogonal"},
    "mica": {"target_modules": ["q_proj"], "init_lora_weights": "mica"},
}


class Mixed(torch.nn.Module):
    """Convolutions, attention of torch's own kind, and a linear layer with a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = torch.nn.MultiheadAttention(16, 4)
        self.image = torch.nn.Conv2d(3, 8, 3)
        self.sound = torch.nn.Conv1d(4, 8, 5)
        self.linear = torch.nn.Linear(8, 5)


def analysed(pairing: Pairing) -> list[Any]:
    return [row.pair for row in pairing.rows if row.pair is not None]


def check_all(pairing: Pairing, merged: dict[str, torch.Tensor]) -> int:
    """Every pair, those skipped by default too, equals PEFT's merge; returns how many changed."""
    changed = 0
    for pair in analysed(pairing):
        ours, oracle = merged_by_us(pair), merged[pair.name]
        oracle = oracle.T if pair.base.transposed else oracle.reshape(ours.shape)
        torch.testing.assert_close(ours, oracle, rtol=0, atol=float(2**-21 * oracle.abs().max()))
        changed += not pair.untouched
    return changed


@pytest.mark.parametrize("kind", LLAMA)
def test_llama_variants_equal_pefts_merge(models: Path, tmp_path: Path, kind: str) -> None:
    tuned = write_adapter(make_llama(), tmp_path, **LLAMA[kind])
    targets = len(tuned.targeted_module_names)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert not refused(pairing)
    assert check_all(pairing, tuned.merge_and_unload().state_dict()) == targets > 0


def test_dora_on_gpt2s_own_orientation_equals_pefts_merge(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(
        make_gpt2(), tmp_path, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True, use_dora=True
    )
    pairing = open_pairing(str(models / "gpt2"), str(tmp_path))
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 4


@pytest.mark.parametrize("dora", [False, True])
def test_convolutions_equal_pefts_merge(tmp_path: Path, dora: bool) -> None:
    torch.manual_seed(11)
    model = Mixed()
    save_file(model.state_dict(), tmp_path / "base.safetensors")
    tuned = write_adapter(
        model, tmp_path / "adapter", target_modules=["image", "sound", "linear"], use_dora=dora
    )
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter"))
    assert not refused(pairing)
    assert check_all(pairing, tuned.merge_and_unload().state_dict()) == 3


def test_torchs_attention_equals_pefts_merge(tmp_path: Path) -> None:
    torch.manual_seed(12)
    model = Mixed()
    save_file(model.state_dict(), tmp_path / "base.safetensors")
    tuned = write_adapter(
        model, tmp_path / "adapter", target_modules=["attention"], rank_pattern={"attention": 3}
    )
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter"))
    before = load_file(tmp_path / "base.safetensors")
    factors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    merged = tuned.merge_and_unload().state_dict()
    # PEFT merges out_proj twice, as a layer and as a part of its attention: no oracle for that one.
    prefix = "base_model.model.attention.base_layer.out_proj.lora_"
    delta = 2.0 * factors[f"{prefix}B.weight"] @ factors[f"{prefix}A.weight"]
    merged["attention.out_proj.weight"] = before["attention.out_proj.weight"] + delta
    assert not refused(pairing)
    assert check_all(pairing, merged) == 2
    assert {pair.adapter_rank for pair in analysed(pairing)} == {3, None}


def test_trained_tokens_replace_their_rows(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(
        make_llama(),
        tmp_path,
        target_modules=["q_proj"],
        trainable_token_indices={"embed_tokens": [1, 60, 5], "lm_head": [2]},
    )
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "trainable_tokens_delta" in name:
                parameter.normal_()
    tuned.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert not refused(pairing)
    assert check_all(pairing, tuned.merge_and_unload().state_dict()) == 4
    pair = next(row.pair for row in pairing.rows if row.name == EMBEDDING)
    assert pair is not None
    factors, _ = assemble(pair.tuned, CPU)
    assert isinstance(factors, LoraFactors)
    assert factors.a.shape == (3, 32)


@pytest.mark.parametrize("count", [2, 40])
def test_the_trainable_tokens_tuner_equals_its_merge(models: Path, tmp_path: Path, count: int) -> None:
    tuned = get_peft_model(make_llama(), TrainableTokensConfig(token_indices=list(range(count))))
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "trainable_tokens_delta" in name:
                parameter.normal_()
    tuned.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert check_all(pairing, tuned.merge_and_unload().state_dict()) == 1


def test_the_adapters_own_copy_of_an_embedding_is_its_base(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    with torch.no_grad():
        model.model.embed_tokens.weight.add_(0.5)
    tuned = write_adapter(model, tmp_path, target_modules=["embed_tokens"])
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert check_all(pairing, tuned.merge_and_unload().state_dict()) == 1


@pytest.mark.parametrize("init", ["pissa", "olora"])
@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_what_the_initialisation_took_is_recomputed(
    models: Path, tmp_path: Path, init: str, model: str
) -> None:
    conv1d = model == "gpt2"
    made = make_gpt2() if conv1d else make_llama()
    targets = ["c_attn", "c_fc"] if conv1d else ["q_proj", "v_proj", "down_proj", "up_proj"]
    tuned = write_adapter(
        made, tmp_path, target_modules=targets, init_lora_weights=init, fan_in_fan_out=conv1d, lora_alpha=7
    )
    pairing = open_pairing(str(models / model), str(tmp_path))
    if init == "olora" and conv1d:
        assert "OLoRA on a weight stored [in, out]" in next(iter(refused(pairing).values()))
        return
    merged = tuned.merge_and_unload().state_dict()
    for pair in pairing.pairs:
        oracle = merged[pair.name].T if conv1d else merged[pair.name]
        # PEFT decomposes in float32: its error grows to 4.4e-6 with the number of threads.
        torch.testing.assert_close(merged_by_us(pair), oracle, rtol=0, atol=1e-5)
        tuned_side, _ = assemble(pair.tuned, CPU)
        assert pair.untouched or isinstance(tuned_side, LoraFactors)
    assert sum(not pair.untouched for pair in pairing.pairs) == 2 * len(targets)
    assert any("recomputed" in note for note in pairing.tuned.notes)


def test_a_residual_base_is_taken_at_its_word(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    tuned = write_adapter(
        model, tmp_path / "adapter", target_modules=["q_proj"], init_lora_weights="pissa_niter_4"
    )
    tuned.unload().save_pretrained(tmp_path / "residual")
    with pytest.raises(CheckpointError, match=r"PiSSA by a randomised decomposition .*--residual-base"):
        open_pairing(str(models / "llama"), str(tmp_path / "adapter"))
    said = AdapterOptions(residual_base=True)
    pairing = open_pairing(str(tmp_path / "residual"), str(tmp_path / "adapter"), said)
    tuned = write_adapter(
        make_llama(), tmp_path / "again", target_modules=["q_proj"], init_lora_weights="pissa_niter_4"
    )
    assert sum(not pair.untouched for pair in pairing.pairs) == 2
    assert any("residual" in note for note in pairing.tuned.notes)


def test_pissa_of_equal_singular_values_is_not_guessed(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.eye(8)}, tmp_path / "base.safetensors")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    factors = {"layer.lora_A.weight": torch.ones(2, 8), "layer.lora_B.weight": torch.ones(8, 2)}
    save_file(
        {f"base_model.model.{name}": tensor for name, tensor in factors.items()},
        adapter / "adapter_model.safetensors",
    )
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "init_lora_weights": "pissa"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(adapter))
    with pytest.raises(Exception, match=r"singular values 2 and 3 differ by only"):
        merged_by_us(pairing.pairs[0])


@pytest.mark.filterwarnings("ignore:PiSSA changes the base weights:UserWarning")
def test_a_pissa_adapter_converted_to_lora_is_plain(models: Path, tmp_path: Path) -> None:
    tuned = get_peft_model(
        make_llama(), LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights="pissa")
    )
    tuned.peft_config["default"].init_lora_weights = True
    tuned.save_pretrained(tmp_path / "initial")
    tuned.peft_config["default"].init_lora_weights = "pissa"
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "lora_" in name:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    tuned.save_pretrained(
        tmp_path / "adapter", path_initial_model_for_weight_conversion=str(tmp_path / "initial")
    )
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "adapter"))
    merged = tuned.merge_and_unload().state_dict()
    for pair in pairing.pairs:
        torch.testing.assert_close(merged_by_us(pair), merged[pair.name], rtol=0, atol=2e-6)
    assert [pair.adapter_rank for pair in pairing.pairs if not pair.untouched] == [4, 4]


def test_repeated_layers_have_a_row_each(models: Path, tmp_path: Path) -> None:
    # Repeats share their weight in PEFT, so that its merge adds both updates: no oracle here.
    write_adapter(make_llama(), tmp_path, target_modules=["q_proj"], layer_replication=[(0, 2), (1, 2)])
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    base = load_file(models / "llama" / "model.safetensors")
    factors = load_file(tmp_path / "adapter_model.safetensors")
    changed = {pair.name: pair for pair in pairing.pairs if not pair.untouched}
    assert len(changed) == 3
    for layer, source in enumerate([0, 1, 1]):
        prefix = f"base_model.model.model.layers.{layer}.self_attn.q_proj.lora_"
        delta = 1.5 * factors[f"{prefix}B.weight"] @ factors[f"{prefix}A.weight"]
        expected = base[f"model.layers.{source}.self_attn.q_proj.weight"] + delta
        ours = merged_by_us(changed[f"model.layers.{layer}.self_attn.q_proj.weight"])
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
def test_an_embedding_shared_with_the_head_gets_its_update_once(models: Path, tmp_path: Path) -> None:
    # PEFT merges both updates into the one shared tensor: no oracle here.
    write_adapter(make_llama(tied=True), tmp_path, target_modules=["embed_tokens"])
    pairing = open_pairing(str(models / "llama_tied"), str(tmp_path))
    base = load_file(models / "llama_tied" / "model.safetensors")[EMBEDDING]
    factors = load_file(tmp_path / "adapter_model.safetensors")
    prefix = "base_model.model.model.embed_tokens.lora_embedding_"
    pair = next(row.pair for row in pairing.rows if row.name == EMBEDDING)
    assert pair is not None
    expected = base + 1.5 * (factors[f"{prefix}B"] @ factors[f"{prefix}A"]).T
    torch.testing.assert_close(merged_by_us(pair), expected, rtol=0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Adapter 'default'. 1 LoRA tensor.s. have invalid shape")
@pytest.mark.parametrize("use_rslora", [False, True])
def test_biases_of_lora_b_do_not_disturb_the_weight(tmp_path: Path, use_rslora: bool) -> None:
    model = Mixed()
    save_file(model.state_dict(), tmp_path / "base.safetensors")
    tuned = write_adapter(
        model, tmp_path / "adapter", target_modules=["linear"], lora_bias=True, use_rslora=use_rslora
    )
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter"))
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 1
    assert not [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]


@pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`:UserWarning")
def test_a_head_that_the_base_ties_is_adapted_by_itself(models: Path, tmp_path: Path) -> None:
    # PEFT merges into the shared tensor and so changes the embedding too: no oracle here.
    write_adapter(make_llama(tied=True), tmp_path, target_modules=["lm_head"])
    pairing = open_pairing(str(models / "llama_tied"), str(tmp_path))
    base = load_file(models / "llama_tied" / "model.safetensors")[EMBEDDING]
    factors = load_file(tmp_path / "adapter_model.safetensors")
    prefix = "base_model.model.lm_head.lora_"
    changed = {pair.name: pair for pair in analysed(pairing) if not pair.untouched}
    assert set(changed) == {"lm_head.weight"}
    expected = base + 1.5 * factors[f"{prefix}B.weight"] @ factors[f"{prefix}A.weight"]
    torch.testing.assert_close(merged_by_us(changed["lm_head.weight"]), expected, rtol=0, atol=1e-6)


def test_lora_over_a_packed_base_is_added_to_what_it_stands_for(tmp_path: Path) -> None:
    torch.manual_seed(14)
    codes = torch.randn(256, 128).to(torch.float8_e4m3fn)
    scales = torch.rand(2, 1) + 0.5
    packed = {"layer.q_proj.weight": codes, "layer.q_proj.weight_scale_inv": scales}
    save_file(packed, tmp_path / "base.safetensors")
    a, b = torch.randn(2, 128), torch.randn(256, 2)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    prefix = "base_model.model.layer.q_proj.lora_"
    save_file({f"{prefix}A.weight": a, f"{prefix}B.weight": b}, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 1}))
    (pair,) = open_pairing(str(tmp_path / "base.safetensors"), str(adapter)).pairs
    expected = codes.float() * scales.repeat_interleave(128, 0) + 0.5 * b @ a
    torch.testing.assert_close(merged_by_us(pair), expected, rtol=0, atol=2e-6)
    assert any("rounding" in note for note in pair.notes)
