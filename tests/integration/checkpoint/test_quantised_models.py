"""Quantised models as bitsandbytes and compressed-tensors write them whole, against what these read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.support.writers import make_llama

from intruder_tui.checkpoint import MatrixPair, Pairing, RowKind, open_pairing
from intruder_tui.engine.assemble import assemble

CPU = torch.device("cpu")
GROUP = 16
DEQUANTISED = {"FP8": "F8_E4M3", "FP8_DYNAMIC": "F8_E4M3", "FP8_BLOCK": "F8_E4M3", "W8A8": "I8"}
DEQUANTISED |= {"W4A16": "int4", "W8A16": "int8"}
REFUSED = {"W4A16_ASYM": "zero points", "NVFP4A16": "NVFP4 (compressed", "MXFP4A16": "MXFP4 (compressed"}


MODELOPT = {"quantization_config": {"quant_method": "modelopt"}}


def made(pair: MatrixPair, side: str = "tuned") -> torch.Tensor:
    weight, _ = assemble(pair.tuned if side == "tuned" else pair.base, CPU)
    assert isinstance(weight, torch.Tensor)
    return weight


def opened(models: Path, directory: Path) -> Pairing:
    pairing = open_pairing(str(models / "llama"), str(directory))
    assert not [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    return pairing


def check_noise(pair: MatrixPair) -> None:
    """Near the original, but for the rounding that the row says."""
    base, tuned = made(pair, "base"), made(pair)
    error = float((tuned - base).norm() / base.norm())
    assert 1e-4 < error < 0.2
    assert any("its rounding alone is about" in note for note in pair.notes)


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        ({"load_in_8bit": True}, "int8 (bitsandbytes)"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, "fp4 (bitsandbytes)"),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4 (bitsandbytes)"),
    ],
)
def test_a_model_that_bitsandbytes_quantised(
    models: Path, tmp_path: Path, options: dict[str, Any], scheme: str
) -> None:
    from bitsandbytes import functional
    from transformers import BitsAndBytesConfig, LlamaForCausalLM

    config = BitsAndBytesConfig(**options)
    model = LlamaForCausalLM.from_pretrained(models / "llama", quantization_config=config, device_map="cpu")
    model.save_pretrained(tmp_path)
    pairs = opened(models, tmp_path).pairs
    assert len(pairs) == 14
    assert {pair.dtypes for pair in pairs} == {("F32", scheme)}
    for pair in pairs:
        layer = model.get_submodule(pair.name.removesuffix(".weight"))
        weight: Any = layer.weight
        if "int8" in scheme:
            oracle = functional.int8_vectorwise_dequant(weight.data, layer.state_dict()["SCB"])
        else:
            oracle = functional.dequantize_4bit(weight.data, weight.quant_state).float()
        torch.testing.assert_close(made(pair), oracle, rtol=1e-2, atol=1e-6)
        check_noise(pair)


def calibrate(module: Any) -> None:
    """The scales of a weight by its smallest and largest values, as the library's observers find them."""
    from compressed_tensors.quantization.utils import calculate_qparams

    scheme, weight, scale = module.quantization_scheme.weights, module.weight.data, module.weight_scale
    more: dict[str, Any] = {}
    if hasattr(module, "weight_global_scale"):
        module.weight_global_scale.data.fill_(1.0)
        more = {"global_scale": module.weight_global_scale.data}
    if scheme.strategy in ("group", "tensor_group"):
        grouped = weight.unflatten(1, (-1, scheme.group_size))
        low, high = grouped.amin(-1), grouped.amax(-1)
    elif scheme.strategy == "channel":
        low, high = weight.amin(1, keepdim=True), weight.amax(1, keepdim=True)
    else:
        low, high = (one.expand(scale.shape) for one in (weight.min(), weight.max()))
    found, zero = calculate_qparams(low, high, scheme, **more)
    scale.data.copy_(found.reshape(scale.shape))
    if hasattr(module, "weight_zero_point"):
        module.weight_zero_point.data.copy_(zero.reshape(module.weight_zero_point.shape))


def compressed(directory: Path, preset: str) -> dict[str, torch.Tensor]:
    """Write a model of a preset of compressed-tensors; gives the weights the library reads back from it."""
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationConfig,
        apply_quantization_config,
        preset_name_to_scheme,
    )

    model = make_llama()
    scheme = preset_name_to_scheme(preset, ["Linear"])
    assert scheme.weights is not None
    if scheme.weights.group_size == 128:
        scheme.weights.group_size = GROUP
    # MXFP4 groups by 32, and down_proj has 48 columns.
    ignored = ["re:.*down_proj"] if preset == "MXFP4A16" else []
    config = QuantizationConfig(config_groups={"g": scheme}, ignore=["lm_head", *ignored])
    apply_quantization_config(model, config)
    layers = {
        name: module for name, module in model.named_modules() if getattr(module, "quantization_scheme", None)
    }
    for module in layers.values():
        calibrate(module)
    compressor = ModelCompressor.from_pretrained_model(model)
    assert compressor is not None
    compressor.compress_model(model)
    model.save_pretrained(directory)
    compressor.update_config(directory)
    compressor.decompress_model(model)
    return {f"{name}.weight": module.weight.detach().float() for name, module in layers.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preset", DEQUANTISED)
def test_a_model_that_compressed_tensors_wrote(models: Path, tmp_path: Path, preset: str) -> None:
    oracle = compressed(tmp_path, preset)
    pairs = {pair.name: pair for pair in opened(models, tmp_path).pairs}
    assert set(pairs) == set(oracle)
    assert len(pairs) == 14
    for name, pair in pairs.items():
        assert DEQUANTISED[preset] in pair.dtypes[1]
        torch.testing.assert_close(made(pair), oracle[name], rtol=1e-5, atol=1e-8)
        check_noise(pair)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("preset", REFUSED)
def test_what_is_not_dequantised_of_compressed_tensors_is_named(
    models: Path, tmp_path: Path, preset: str
) -> None:
    compressed(tmp_path, preset)
    pairing = opened(models, tmp_path)
    reasons = {row.reason for row in pairing.rows if row.kind is RowKind.REFUSED}
    assert all("down_proj" in pair.name for pair in pairing.pairs)
    (reason,) = reasons
    assert REFUSED[preset] in reason


def test_modelopts_four_bit_floats_are_named(tmp_path: Path) -> None:
    save_file({"q_proj.weight": torch.randn(8, 32)}, tmp_path / "base.safetensors")
    packed = {
        "q_proj.weight": torch.zeros(8, 16, dtype=torch.uint8),
        "q_proj.weight_scale": torch.ones(8, 2).to(torch.float8_e4m3fn),
        "q_proj.weight_scale_2": torch.ones(()),
        "q_proj.input_scale": torch.ones(()),
    }
    save_file(packed, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(MODELOPT))
    (row,) = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path)).rows
    assert row.kind is RowKind.REFUSED
    assert "NVFP4" in row.reason
