"""LoRA factors without a PEFT directory around them: kohya's and diffusers' files, pickles, state_dicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from tests.support.adapters import check_against_merge, merged_by_us, refused, write_adapter
from tests.support.writers import make_llama

from intruder_tui.checkpoint import CheckpointError, Pairing, RowKind, open_pairing
from intruder_tui.checkpoint.adapter_config import AdapterOptions

Tensors = dict[str, torch.Tensor]


def random_factors(rank: int, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rank, columns) * 0.1, torch.randn(rows, rank) * 0.1


@pytest.fixture
def unet(tmp_path: Path) -> tuple[Path, Tensors]:
    """A directory named as a diffusers component, with a linear layer, a convolution and a projection."""
    torch.manual_seed(21)
    tensors = {
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight": torch.randn(12, 8),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0.weight": torch.randn(8, 12),
        "down_blocks.0.attentions.0.proj_in.weight": torch.randn(8, 8, 1, 1),
        "down_blocks.0.resnets.0.conv1.weight": torch.randn(8, 4, 3, 3),
        "conv_in.weight": torch.randn(4, 4, 3, 3),
    }
    directory = tmp_path / "pipeline" / "unet"
    directory.mkdir(parents=True)
    save_file(tensors, directory / "diffusion_pytorch_model.safetensors")
    return directory, tensors


def check_changes(pairing: Pairing, base: Tensors, deltas: Tensors) -> None:
    """Those weights changed by these differences, and no other."""
    changed = {row.pair.name: row.pair for row in pairing.rows if row.pair and not row.pair.untouched}
    assert set(changed) == set(deltas)
    for name, delta in deltas.items():
        expected = (base[name] + delta.reshape(base[name].shape)).flatten(1)
        torch.testing.assert_close(merged_by_us(changed[name]), expected, rtol=0, atol=1e-6)


def test_a_kohya_file_is_placed_through_the_bases_names(tmp_path: Path, unet: tuple[Path, Tensors]) -> None:
    directory, base = unet
    stored: Tensors = {}
    deltas: Tensors = {}
    for name, alpha in zip(list(base)[:4], (2.0, 3.0, 1.0, 4.0), strict=True):
        shape = base[name].shape
        a, b = random_factors(4, shape[0], shape[1:].numel())
        flat = "lora_unet_" + name.removesuffix(".weight").replace(".", "_")
        ones = (1,) * (len(shape) - 2)
        stored[f"{flat}.lora_down.weight"] = a.reshape(4, *shape[1:])
        stored[f"{flat}.lora_up.weight"] = b.reshape(shape[0], 4, *ones)
        stored[f"{flat}.alpha"] = torch.tensor(alpha, dtype=torch.bfloat16 if alpha == 2 else torch.float16)
        deltas[name] = alpha / 4 * b @ a
    stored["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.randn(4, 8)
    stored["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight"] = torch.randn(9, 4)
    stored["lora_te_text_model_encoder_layers_0_mlp_fc1.alpha"] = torch.tensor(1.0)
    save_file(stored, tmp_path / "style.safetensors")
    pairing = open_pairing(str(directory), str(tmp_path / "style.safetensors"))
    check_changes(pairing, base, deltas)
    stray = [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    assert [row.name for row in stray] == ["lora_te_text_model_encoder_layers_0_mlp_fc1.weight"]
    rules = {row.pair.rule for row in pairing.rows if row.pair and not row.pair.untouched}
    assert all(rule.startswith("flattened to lora_unet_down_blocks_0") for rule in rules)


def kohya(flat: str, **more: torch.Tensor) -> Tensors:
    a, b = random_factors(2, 12, 8)
    found = {f"{flat}.lora_down.weight": a, f"{flat}.lora_up.weight": b}
    return found | {f"{flat}.{part}": tensor for part, tensor in more.items()}


QUERY = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


def test_kohyas_scaling_is_never_assumed(tmp_path: Path, unet: tuple[Path, Tensors]) -> None:
    directory, base = unet
    path = tmp_path / "style.safetensors"
    tensors = kohya(QUERY)
    save_file(tensors, path)
    assert "no alpha in the file" in next(iter(refused(open_pairing(str(directory), str(path))).values()))
    product = tensors[f"{QUERY}.lora_up.weight"] @ tensors[f"{QUERY}.lora_down.weight"]
    name = next(iter(base))
    said = open_pairing(str(directory), str(path), AdapterOptions(lora_alpha=1.0))
    check_changes(said, base, {name: 0.5 * product})
    save_file(tensors, path, {"ss_network_dim": "2", "ss_network_alpha": "6"})
    check_changes(open_pairing(str(directory), str(path)), base, {name: 3 * product})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"dora_scale": torch.ones(12, 1)}, "DoRA scale"),
        ({"lora_mid.weight": torch.ones(2, 2)}, "lora_mid"),
        ({"hada_w1_a": torch.ones(2, 2)}, "LoHa"),
    ],
)
def test_kohyas_other_formulas_are_refused(
    tmp_path: Path, unet: tuple[Path, Tensors], more: Tensors, said: str
) -> None:
    path = tmp_path / "style.safetensors"
    save_file(kohya(QUERY, alpha=torch.tensor(1.0), **more), path)
    assert said in next(iter(refused(open_pairing(str(unet[0]), str(path))).values()))


def test_two_modules_that_fit_one_weight_are_not_chosen_between(tmp_path: Path) -> None:
    save_file({"text_model.layers.0.fc1.weight": torch.randn(12, 8)}, tmp_path / "base.safetensors")
    both = [f"lora_te{number}_text_model_layers_0_fc1" for number in (1, 2)]
    stored = {key: one for flat in both for key, one in kohya(flat, alpha=torch.tensor(1.0)).items()}
    save_file(stored, tmp_path / "style.safetensors")
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "style.safetensors"))
    reasons = [row.reason for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    assert len(reasons) == 2
    assert all("both fit this weight" in reason for reason in reasons)
    for flat in both[1:]:
        stored[f"{flat}.lora_up.weight"] = torch.randn(16, 2)
    save_file(stored, tmp_path / "style.safetensors")
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "style.safetensors"))
    assert [pair.adapter_rank for pair in pairing.pairs] == [2]


@pytest.mark.parametrize("alpha", [float("nan"), 0.0, -1.0, float("inf")])
def test_an_alpha_that_makes_no_sense_is_refused(
    tmp_path: Path, unet: tuple[Path, Tensors], alpha: float
) -> None:
    save_file(kohya(QUERY, alpha=torch.tensor(alpha)), tmp_path / "style.safetensors")
    with pytest.raises(CheckpointError, match="alpha is"):
        open_pairing(str(unet[0]), str(tmp_path / "style.safetensors"))


FORMS: dict[str, Callable[[str], tuple[str, str]]] = {
    "peft": lambda module: (f"{module}.lora_A.weight", f"{module}.lora_B.weight"),
    "factors": lambda module: (f"{module}.lora.down.weight", f"{module}.lora.up.weight"),
    "processor": lambda module: (
        f"{module.rpartition('.')[0]}.processor.{module.rpartition('.')[2]}_lora.down.weight",
        f"{module.rpartition('.')[0]}.processor.{module.rpartition('.')[2]}_lora.up.weight",
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("with_config", [True, False])
def test_a_diffusers_file_changes_its_component(
    tmp_path: Path, unet: tuple[Path, Tensors], form: str, with_config: bool
) -> None:
    directory, base = unet
    name = next(iter(base))
    a, b = random_factors(2, 12, 8)
    down, up = FORMS[form](f"unet.{name.removesuffix('.weight')}")
    stored = {down: a, up: b, "text_encoder.layers.0.fc.lora_A.weight": torch.randn(2, 4)}
    stored["text_encoder.layers.0.fc.lora_B.weight"] = torch.randn(4, 2)
    config = {"unet.r": 2, "unet.lora_alpha": 5, "unet.use_rslora": False}
    metadata = {"lora_adapter_metadata": json.dumps(config), "format": "pt"} if with_config else None
    save_file(stored, tmp_path / "pytorch_lora_weights.safetensors", metadata)
    pairing = open_pairing(str(directory), str(tmp_path))
    check_changes(pairing, base, {name: (2.5 if with_config else 1.0) * b @ a})
    assert any("alpha = r" in note for note in pairing.tuned.notes)
    stray = [row.name for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    assert stray == ["text_encoder.layers.0.fc.weight"]


def test_a_diffusers_configuration_must_fit_the_factors(tmp_path: Path, unet: tuple[Path, Tensors]) -> None:
    name = next(iter(unet[1])).removesuffix(".weight")
    a, b = random_factors(2, 12, 8)
    stored = {f"unet.{name}.lora_A.weight": a, f"unet.{name}.lora_B.weight": b}
    path = tmp_path / "pytorch_lora_weights.safetensors"
    for config, said in (
        ({"unet.r": 4}, "r = 4"),
        ({"unet.r": 2, "unet.use_dora": True}, "disagree on DoRA"),
    ):
        save_file(stored, path, {"lora_adapter_metadata": json.dumps(config)})
        assert said in next(iter(refused(open_pairing(str(unet[0]), str(path))).values()))
    save_file(stored, path, {"lora_adapter_metadata": json.dumps({"unet.use_qalora": True})})
    with pytest.raises(CheckpointError, match="QALoRA"):
        open_pairing(str(unet[0]), str(path))


def test_an_adapter_saved_as_a_pickle_is_read(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(make_llama(), tmp_path, target_modules=["q_proj", "up_proj"])
    torch.save(load_file(tmp_path / "adapter_model.safetensors"), tmp_path / "adapter_model.bin")
    (tmp_path / "adapter_model.safetensors").unlink()
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 4


def test_an_adapter_of_transformers_own_is_read(models: Path, tmp_path: Path) -> None:
    model: Any = make_llama()
    model.add_adapter(LoraConfig(r=4, lora_alpha=6, target_modules=["q_proj"]))
    torch.manual_seed(7)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    factors = load_file(tmp_path / "adapter_model.safetensors")
    base = load_file(models / "llama" / "model.safetensors")
    changed = {pair.name: pair for pair in pairing.pairs if not pair.untouched}
    assert len(changed) == 2
    for name, pair in changed.items():
        a, b = (
            next(
                one
                for key, one in factors.items()
                if name.removesuffix("weight") in key and f"lora_{f}" in key
            )
            for f in "AB"
        )
        torch.testing.assert_close(merged_by_us(pair), base[name] + 1.5 * b @ a, rtol=0, atol=1e-6)


def test_a_state_dict_with_factors_asks_for_alpha(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(
        make_llama(), tmp_path / "adapter", target_modules=["q_proj"], modules_to_save=["up_proj"]
    )
    state = {name: tensor.contiguous() for name, tensor in tuned.state_dict().items()}
    save_file(state, tmp_path / "state.safetensors")
    with pytest.raises(CheckpointError, match="--lora-alpha"):
        open_pairing(str(models / "llama"), str(tmp_path / "state.safetensors"))
    said = AdapterOptions(lora_alpha=6.0)
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "state.safetensors"), said)
    merged = tuned.merge_and_unload().state_dict()
    for pair in pairing.pairs:
        torch.testing.assert_close(merged_by_us(pair), merged[pair.name], rtol=0, atol=1e-6)
    assert not [row for row in pairing.rows if row.kind in (RowKind.REFUSED, RowKind.UNPAIRED)]


def test_bare_factors_take_the_alpha_that_is_said(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(make_llama(), tmp_path / "adapter", target_modules=["q_proj"])
    path = tmp_path / "adapter_model.safetensors"
    path.write_bytes((tmp_path / "adapter" / path.name).read_bytes())
    said = AdapterOptions(lora_alpha=6.0)
    pairing = open_pairing(str(models / "llama"), str(path), said)
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 2
