"""What a tensor is, by name and shape: a linear layer's weight, or why it is not analysed by default."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.checkpoint.names import shape_text


class Role(StrEnum):
    """The part a tensor plays in its model."""

    LINEAR = "linear layer"
    EMBEDDING = "embedding"
    HEAD = "output head"
    NORM = "norm"
    BIAS = "bias"
    BUFFER = "buffer"
    QUANTISATION = "quantisation constants"
    CONVOLUTION = "convolution"
    TRANSPOSED_CONVOLUTION = "transposed convolution"
    EXPERTS = "stacked experts"
    UNKNOWN_LAYOUT = "unknown layout"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Layer:
    """A tensor's role, and why it is not analysed by default (empty for LINEAR)."""

    role: Role
    reason: str


_LINEAR = Layer(Role.LINEAR, "")

_EMBEDDINGS = frozenset(
    {
        *("embed_tokens", "embed_in", "embed_positions", "embedding", "embeddings", "wte", "wpe"),
        *("tok_embeddings", "tokens_embed", "positions_embed", "relative_attention_bias", "pos_embed"),
    }
)
_HEADS = frozenset({"lm_head", "embed_out", "output_projection", "vocab_projector"})
_TOP = frozenset({"", "model"})
_SHARED_PARENTS = frozenset({"", "model", "encoder", "decoder", "model.encoder", "model.decoder"})
_TIED_DECODER_PARENTS = frozenset({"lm_head", "predictions"})
_BUFFERS = frozenset(
    {
        *("inv_freq", "original_inv_freq", "position_ids", "token_type_ids", "num_batches_tracked"),
        *(
            "running_mean",
            "running_var",
            "masked_bias",
            "attn_bias",
            "causal_mask",
            "cos_cached",
            "sin_cached",
        ),
    }
)
_QUANTISATION = frozenset(
    {
        *(
            "weight_scale",
            "weight_scale_inv",
            "input_scale",
            "weight_zero_point",
            "weight_shape",
            "weight_g_idx",
        ),
        *("scales", "qzeros", "g_idx", "SCB", "weight_format", "absmax", "quant_map", "nested_absmax"),
        *(
            "nested_quant_map",
            "input_zero_point",
            "weight_global_scale",
            "input_global_scale",
            "_weight_scale",
        ),
    }
)
_EXPERT_LINEAR = re.compile(r"^(?:input|output)_linear$", re.ASCII)
"""What transformers' ParallelExperts are called."""
_CONVOLUTION = re.compile(
    r"conv(?!ert|ers)|patch_embed|patch_emb\b|downsampl|upsampl|shortcut|skip_connection|\bstem\b"
    r"|\b(?:in|out)_layers\b|\binput_blocks\b",
    re.IGNORECASE | re.ASCII,
)
_TRANSPOSED = re.compile(
    r"conv_?\d?d?_?trans|trans(?:posed?)?_?conv|upscale_?conv|conv_?up|up_?conv|deconv|conv_?t\d|^up\w*sampl",
    re.IGNORECASE | re.ASCII,
)
_NORM = re.compile(r"norm|^ln_?[0-9a-z]{0,8}$|^gamma$|^beta$", re.IGNORECASE | re.ASCII)


def layer_of(name: str, shape: tuple[int, ...]) -> Layer:
    """The role of a tensor. `shape` is as stored."""
    module, _, leaf = name.rpartition(".")
    role = _role(module, leaf, shape)
    if role is Role.LINEAR:
        return _LINEAR
    return Layer(role, _REASONS[role].format(shape=shape_text(shape), axes=len(shape)))


def _role(module: str, leaf: str, shape: tuple[int, ...]) -> Role:
    parent, _, last = module.rpartition(".")
    if leaf in _BUFFERS or leaf.endswith("_cached"):
        return Role.BUFFER
    if leaf in _QUANTISATION or last == "quant_state":
        return Role.QUANTISATION
    if leaf == "bias" or leaf.endswith("_bias"):
        # The hub's GPT-2 keeps its causal mask under the name attn.bias.
        return Role.BIAS if len(shape) <= 1 else Role.BUFFER
    if last in _HEADS or (last == "decoder" and parent.rpartition(".")[2] in _TIED_DECODER_PARENTS):
        return Role.HEAD
    if (last == "output" and not parent) or (last == "proj_out" and parent in _TOP and len(shape) <= 2):
        return Role.HEAD
    if last == "shared" and parent in _SHARED_PARENTS:
        return Role.EMBEDDING
    if last in _EMBEDDINGS or last.endswith(("_embedding", "_embeddings")) or leaf in _EMBEDDINGS:
        return Role.EMBEDDING
    if len(shape) != 2:
        return _role_by_axes(module, leaf, last, shape)
    if leaf == "weight" or leaf.endswith("_weight") or leaf.startswith(("weight_ih", "weight_hh")):
        return Role.LINEAR
    return Role.OTHER


def _role_by_axes(module: str, leaf: str, last: str, shape: tuple[int, ...]) -> Role:
    if len(shape) <= 1:
        return Role.NORM if _NORM.search(last) or _NORM.search(leaf) else Role.OTHER
    if len(shape) == 3 and _is_expert_stack(module.lower(), last):
        return Role.EXPERTS
    if leaf != "weight":
        return Role.OTHER
    # A list numbers its members: upsampler.0.
    named = next((part for part in reversed(module.split(".")) if not part.isdigit()), "")
    if _TRANSPOSED.search(named):
        return Role.TRANSPOSED_CONVOLUTION
    pointwise = len(shape) > 3 and math.prod(shape[2:]) == 1
    return Role.CONVOLUTION if pointwise or _CONVOLUTION.search(module) else Role.UNKNOWN_LAYOUT


def _is_expert_stack(module: str, last: str) -> bool:
    if "expert" in module or _EXPERT_LINEAR.search(last):
        return True
    return "moe" in module and "linear" in last.lower()


_COUNTED = "the count is of the linear layers inside the model, as in the paper"
_REASONS = {
    Role.EMBEDDING: f"embedding: {_COUNTED}",
    Role.HEAD: f"output head: {_COUNTED}",
    Role.NORM: "norm: not a matrix ({shape})",
    Role.BIAS: "bias: not a matrix ({shape})",
    Role.BUFFER: "buffer: not a trained weight ({shape})",
    Role.QUANTISATION: "constants of a quantised weight ({shape})",
    Role.CONVOLUTION: "{axes} axes ({shape}), as of a convolution",
    Role.TRANSPOSED_CONVOLUTION: "a transposed convolution ({shape}), stored [in, out, ...]: not analysed",
    Role.UNKNOWN_LAYOUT: "{axes} axes, unknown layout ({shape})",
    Role.EXPERTS: "a stack of expert matrices ({shape})",
    Role.OTHER: "not a linear layer's weight ({shape})",
}
