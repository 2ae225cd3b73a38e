"""Dequantising against each scheme's own library, and against its rounding where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.support.rawfile import write_tensors

from intruder_tui.checkpoint.packed import Packed
from intruder_tui.checkpoint.quantised import fold
from intruder_tui.checkpoint.recipes import Dequantised, Stored
from intruder_tui.checkpoint.safetensors_file import read_header
from intruder_tui.engine.assemble import ReadError, assemble

CPU = torch.device("cpu")
Tensors = dict[str, torch.Tensor]


def weight(rows: int = 192, columns: int = 320) -> torch.Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(1)) * 0.02


def folded(path: Path, tensors: Tensors, **quantization: Any) -> dict[str, Packed]:
    header = read_header(write_tensors(path / "x.safetensors", tensors))
    return dict(fold(header.tensors, {"quantization_config": quantization}).weights)


def made(recipe: Dequantised | Stored) -> torch.Tensor:
    tensor, hashes = assemble(recipe, CPU)
    assert isinstance(tensor, torch.Tensor)
    assert all(len(content) == 64 for content in hashes.values())
    return tensor


def only(packed: dict[str, Packed], name: str = "q.weight") -> torch.Tensor:
    assert list(packed) == [name]
    assert packed[name].reason == ""
    return made(packed[name].recipes[0])


def noise(true: torch.Tensor, got: torch.Tensor) -> float:
    """Percent of the norm."""
    return float((true - got).norm() / true.norm()) * 100


@pytest.mark.parametrize("shape", [(256, 384), (576, 300), (100, 130)])
def test_fp8_blocks_by_the_configs_size_with_cut_off_blocks(tmp_path: Path, shape: tuple[int, int]) -> None:
    true = weight(*shape)
    grid = [-(-size // 128) for size in shape]
    scale = torch.empty(grid)
    values = torch.empty(shape, dtype=torch.float8_e4m3fn)
    for i in range(grid[0]):
        for j in range(grid[1]):
            tile = (slice(i * 128, (i + 1) * 128), slice(j * 128, (j + 1) * 128))
            scale[i, j] = true[tile].abs().max() / 448 * (1 + i + j)
            values[tile] = (true[tile] / scale[i, j]).to(torch.float8_e4m3fn)
    packed = folded(tmp_path, {"q.weight": values, "q.weight_scale_inv": scale}, weight_block_size=[128, 128])
    assert noise(true, only(packed)) < 5
    assert packed["q.weight"].shape == shape


def test_fp8_blocks_equal_transformers(tmp_path: Path) -> None:
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    values = weight(256, 384).mul(1000).to(torch.float8_e4m3fn)
    scale = torch.rand(2, 3) + 0.1
    got = only(folded(tmp_path, {"q.weight": values, "q.weight_scale_inv": scale}))
    oracle = Fp8Dequantize.__new__(Fp8Dequantize)._dequantize_one(values, scale, output_dtype=torch.float32)
    assert torch.equal(got, oracle)


@pytest.mark.parametrize("scale_shape", [(), (1,), (192, 1), (192,)])
@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2, torch.int8])
def test_per_tensor_and_per_row(tmp_path: Path, scale_shape: tuple[int, ...], dtype: torch.dtype) -> None:
    true = weight()
    largest = 127.0 if dtype is torch.int8 else torch.finfo(dtype).max
    per_row = 192 in scale_shape
    scale = (true.abs().amax(1) if per_row else true.abs().max().reshape(1)) / largest
    values = (true / scale[:, None]).round() if dtype is torch.int8 else true / scale[:, None]
    tensors = {"q.weight": values.to(dtype), "q.weight_scale": scale.reshape(scale_shape)}
    packed = folded(tmp_path, tensors)
    got = only(packed)
    assert torch.allclose(got, values.to(dtype).float() * scale[:, None], rtol=1e-6, atol=0)
    assert noise(true, got) < 2 * packed["q.weight"].noise


def test_exponents_as_scales(tmp_path: Path) -> None:
    values = weight(4, 64).mul(100).to(torch.float8_e4m3fn)
    exponents = torch.tensor([[120, 127], [128, 130], [127, 127], [125, 129]], dtype=torch.uint8)
    scale = torch.exp2(exponents.float() - 127).repeat_interleave(32, dim=1)
    tensors = {"q.weight": values, "q.weight_scale": exponents}
    got = only(folded(tmp_path, tensors, config_groups={"g": {"weights": {"group_size": 32}}}))
    assert torch.equal(got, values.float() * scale)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", [(192, 320), (33, 65)])
def test_four_bits_equal_bitsandbytes(
    tmp_path: Path, kind: str, nested: bool, shape: tuple[int, int]
) -> None:
    from bitsandbytes import functional

    true = weight(*shape)
    codes, state = functional.quantize_4bit(true, quant_type=kind, compress_statistics=nested)
    constants = {f"q.weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    packed = folded(tmp_path, {"q.weight": codes, **constants})
    got = only(packed)
    oracle = functional.dequantize_4bit(codes, state)
    assert torch.allclose(got, oracle, rtol=1e-5, atol=1e-8)
    assert noise(true, got) == pytest.approx(packed["q.weight"].noise, rel=0.25)
    assert kind in packed["q.weight"].scheme


def test_int8_equals_bitsandbytes(tmp_path: Path) -> None:
    from bitsandbytes import functional

    true = weight()
    codes, scale, _ = functional.int8_vectorwise_quant(true.half())
    tensors = {"q.weight": codes, "q.SCB": scale, "q.weight_format": torch.zeros((), dtype=torch.uint8)}
    packed = folded(tmp_path, tensors)
    got = only(packed)
    assert torch.allclose(got, functional.int8_vectorwise_dequant(codes, scale), rtol=1e-5, atol=1e-8)
    assert noise(true, got) == pytest.approx(packed["q.weight"].noise, rel=0.5)


def test_mxfp4_equals_transformers(tmp_path: Path) -> None:
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    generator = torch.Generator().manual_seed(2)
    blocks = torch.randint(0, 256, (3, 24, 5, 16), generator=generator, dtype=torch.uint8)
    scales = torch.randint(110, 135, (3, 24, 5), generator=generator, dtype=torch.uint8)
    tensors = {"experts.down_proj_blocks": blocks, "experts.down_proj_scales": scales}
    packed = folded(tmp_path, tensors)["experts.down_proj"]
    oracle = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    assert packed.shape == (3, 24, 160)
    for index, recipe in enumerate(packed.recipes):
        assert torch.equal(made(recipe), oracle[index].T)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("group", [32, None])
def test_packed_integers_equal_compressed_tensors(tmp_path: Path, bits: int, group: int | None) -> None:
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    generator = torch.Generator().manual_seed(3)
    half = 2 ** (bits - 1)
    values = torch.randint(-half, half, (24, 100 if group is None else 96), generator=generator).to(
        torch.int8
    )
    scale = torch.rand(24, values.shape[1] // (group or values.shape[1]), generator=generator)
    tensors = {
        "q.weight_packed": pack_to_int32(values, bits),
        "q.weight_scale": scale,
        "q.weight_shape": torch.tensor(values.shape),
    }
    got = only(folded(tmp_path, tensors))
    wide = scale.repeat_interleave(values.shape[1] // scale.shape[1], dim=1)
    assert torch.equal(got, values.float() * wide)


def test_the_width_of_packed_integers_is_the_configs(tmp_path: Path) -> None:
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32

    values = torch.tensor([[-8, 7, 3, -1], [0, 1, -2, 5]], dtype=torch.int8)
    tensors = {
        "q.weight_packed": pack_to_int32(values, 4),
        "q.weight_scale": torch.tensor([[0.5], [2.0]]),
        "q.weight_shape": torch.tensor(values.shape),
    }

    def read(*widths: int) -> Packed:
        groups = {f"group_{width}": {"weights": {"num_bits": width}} for width in widths}
        return folded(tmp_path, tensors, config_groups=groups)["q.weight"]

    assert torch.equal(made(read(4).recipes[0]), values.float() * tensors["q.weight_scale"])
    assert "no num_bits in config.json, 2 x 1 words for 2 x 4 values" in read().reason
    assert "num_bits 4, 8, 2 x 1 words" in read(4, 8).reason
    assert "num_bits 3, 2 x 1 words" in read(3).reason


def test_constants_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    from bitsandbytes import functional

    codes, state = functional.quantize_4bit(weight(), quant_type="nf4")
    constants = {f"q.weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    constants["q.weight.absmax"] = constants["q.weight.absmax"][:-1]
    with pytest.raises(ReadError, match="scales for"):
        only(folded(tmp_path, {"q.weight": codes, **constants}))
