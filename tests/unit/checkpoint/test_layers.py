"""Roles by name and shape, quantised formats by name, orientation by evidence."""

from __future__ import annotations

import pytest

from intruder_tui.checkpoint.layers import Role, layer_of
from intruder_tui.checkpoint.orientation import Orientation
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor

STAMP = FileStamp(0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "shape", "role"),
    [
        ("model.layers.0.self_attn.q_proj.weight", (8, 8), Role.LINEAR),
        ("model.layers.0.mlp.experts.3.w1.weight", (8, 8), Role.LINEAR),
        ("encoder.layer.0.output.dense.weight", (8, 8), Role.LINEAR),
        ("lm_head.dense.weight", (8, 8), Role.LINEAR),
        ("visual.attn.in_proj_weight", (24, 8), Role.LINEAR),
        ("rnn.weight_ih_l0", (8, 8), Role.LINEAR),
        ("score.weight", (1, 8), Role.LINEAR),
        ("model.embed_tokens.weight", (64, 8), Role.EMBEDDING),
        ("transformer.wpe.weight", (64, 8), Role.EMBEDDING),
        ("bert.embeddings.token_type_embeddings.weight", (2, 8), Role.EMBEDDING),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", (32, 8), Role.EMBEDDING),
        ("lm_head.weight", (64, 8), Role.HEAD),
        ("lm_head.decoder.weight", (64, 8), Role.HEAD),
        ("cls.predictions.decoder.weight", (64, 8), Role.HEAD),
        ("output.weight", (64, 8), Role.HEAD),
        ("embed_out.weight", (64, 8), Role.HEAD),
        ("model.norm.weight", (8,), Role.NORM),
        ("transformer.h.0.ln_1.weight", (8,), Role.NORM),
        ("transformer.ln_f.weight", (8,), Role.NORM),
        ("embeddings.LayerNorm.gamma", (8,), Role.NORM),
        ("model.layers.0.q_proj.bias", (8,), Role.BIAS),
        ("transformer.h.0.attn.bias", (1, 1, 8, 8), Role.BUFFER),
        ("rotary_emb.inv_freq", (8,), Role.BUFFER),
        ("embeddings.position_ids", (1, 512), Role.BUFFER),
        ("bn.num_batches_tracked", (), Role.BUFFER),
        ("layers.0.q_proj.weight_scale_inv", (4, 4), Role.QUANTISATION),
        ("layers.0.q_proj.weight.quant_state.bitsandbytes__nf4", (80,), Role.QUANTISATION),
        ("layers.0.q_proj.scales", (4, 4), Role.QUANTISATION),
        ("encoder.conv1.weight", (8, 4, 3), Role.CONVOLUTION),
        ("patch_embed.proj.weight", (8, 3, 4, 4), Role.CONVOLUTION),
        ("mlp.experts.gate_up_proj", (4, 8, 8), Role.EXPERTS),
        ("layers.0.block_sparse_moe.input_linear.weight", (4, 48, 16), Role.EXPERTS),
        ("layers.0.moe.gate_linear.weight", (4, 48, 16), Role.EXPERTS),
        ("layers.0.mlp.output_linear.weight", (4, 16, 24), Role.EXPERTS),
        ("layers.0.mlp.mixing.weight", (4, 48, 16), Role.UNKNOWN_LAYOUT),
        ("converter.weight", (4, 48, 16), Role.UNKNOWN_LAYOUT),
        ("decoder.proj_in.weight", (8, 8, 1, 1), Role.CONVOLUTION),
        ("patch_embed.proj.weight", (8, 3, 2, 4, 4), Role.CONVOLUTION),
        ("up_blocks.0.upsamplers.0.conv.weight", (8, 8, 3, 3), Role.CONVOLUTION),
        ("mask_decoder.upscale_conv1.weight", (8, 4, 2, 2), Role.TRANSPOSED_CONVOLUTION),
        ("up.conv_transpose.weight", (8, 8, 2, 2), Role.TRANSPOSED_CONVOLUTION),
        ("vocoder.upsampler.0.weight", (8, 4, 8), Role.TRANSPOSED_CONVOLUTION),
        ("proj_out.weight", (64, 8), Role.HEAD),
        ("model.proj_out.weight", (64, 8), Role.HEAD),
        ("blocks.0.attn.proj_out.weight", (8, 8), Role.LINEAR),
        ("shared.weight", (64, 8), Role.EMBEDDING),
        ("model.encoder.shared.weight", (64, 8), Role.EMBEDDING),
        ("layers.0.mlp.shared.weight", (8, 8), Role.LINEAR),
        ("mixer.A_log", (8, 4), Role.OTHER),
        ("cls_token", (1, 1, 8), Role.OTHER),
        ("alpha", (), Role.OTHER),
        ("", (2, 2), Role.OTHER),
    ],
)
def test_roles(name: str, shape: tuple[int, ...], role: Role) -> None:
    layer = layer_of(name, shape)
    assert layer.role is role
    assert bool(layer.reason) == (role is not Role.LINEAR)


def orientation(shapes: dict[str, tuple[int, ...]], model_type: str = "") -> Orientation:
    tensors = {name: StoredTensor("/x", name, "F32", shape, STAMP) for name, shape in shapes.items()}
    return Orientation(tensors, model_type)


def test_a_bias_counts_the_outputs() -> None:
    found = orientation(
        {"a.c_fc.weight": (8, 32), "a.c_fc.bias": (32,), "b.fc.weight": (32, 8), "b.fc.bias": (32,)}
    )
    assert found.transposed("a.c_fc.weight") is True
    assert found.transposed("b.fc.weight") is False
    assert found.transposed("elsewhere.weight") is None


def test_square_weights_inherit_from_their_namesakes() -> None:
    shapes = {
        "attn.c_proj.weight": (8, 8),
        "attn.c_proj.bias": (8,),
        "mlp.c_proj.weight": (32, 8),
        "mlp.c_proj.bias": (8,),
    }
    assert orientation(shapes).transposed("attn.c_proj.weight") is True
    contradictory = {**shapes, "x.c_proj.weight": (32, 8), "x.c_proj.bias": (32,)}
    assert orientation(contradictory).transposed("attn.c_proj.weight") is None


def test_the_model_type_decides_where_no_bias_does() -> None:
    shapes = {"h.0.attn.c_attn.weight": (8, 24), "lm_head.weight": (64, 8)}
    assert orientation(shapes, "gpt2").transposed("h.0.attn.c_attn.weight") is True
    assert orientation(shapes, "gpt2").transposed("lm_head.weight") is False
    assert orientation(shapes, "gpt_bigcode").transposed("h.0.attn.c_attn.weight") is False
    assert orientation(shapes, "custom").transposed("h.0.attn.c_attn.weight", hint=True) is True
