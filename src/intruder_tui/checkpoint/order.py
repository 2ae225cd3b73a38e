"""The order of the layer tree: embeddings, then layers by number and by the flow of data, heads last."""

from __future__ import annotations

import re
from functools import lru_cache

from intruder_tui.checkpoint.names import components

_RUN = re.compile(r"(\d+)", re.ASCII)
_UNKNOWN = 50

_FLOW = (
    # what comes first in a model
    *("shared", "wte", "embed_tokens", "word_embeddings", "tok_embeddings", "embed_in", "embeddings"),
    *("wpe", "position_embeddings", "embed_positions", "token_type_embeddings", "rotary_emb"),
    *("patch_embed", "vision_tower", "vision_model", "encoder"),
    # what comes first in a layer
    *("input_layernorm", "ln_1", "attention_norm", "self_attn_layer_norm"),
    *("self_attn", "self_attention", "attention", "attn", "self"),
    *("query_key_value", "qkv_proj", "c_attn", "query", "q_proj", "wq", "key", "k_proj", "wk"),
    *("value", "v_proj", "wv", "wi", "wi_0", "wi_1", "o_proj", "out_proj", "wo"),
    *("post_attention_layernorm", "encoder_attn", "ln_2", "ffn_norm"),
    *("feed_forward", "intermediate", "mlp", "block_sparse_moe", "gate", "router"),
    *("gate_proj", "gate_up_proj", "w1", "up_proj", "w3", "fc1", "fc_in", "c_fc"),
    *("dense_h_to_4h", "down_proj", "w2", "fc2", "fc_out", "c_proj", "dense_4h_to_h"),
    *("experts", "shared_experts", "shared_expert"),
)
_LAST = (
    *("output", "final_layer_norm", "final_layernorm", "norm", "ln_f", "layer_norm", "pooler"),
    *("lm_head", "embed_out", "score", "classifier"),
)
_RANKS = {name: rank for rank, name in reversed(list(enumerate(_FLOW, -len(_FLOW))))} | {
    name: _UNKNOWN + rank for rank, name in enumerate(_LAST, 1)
}
_LEAVES = {"weight": 0, "bias": 1}

Part = tuple[int, tuple[tuple[int, int, str], ...]]


def natural_key(name: str) -> tuple[tuple[Part, ...], str]:
    """A sort key: numbers by value ("layers.2" before "layers.10"), known modules by their place in a model.

    Equal keys mean equal names.
    """
    parts = components(name)
    last = len(parts) - 1
    return tuple(_part(part, index == last) for index, part in enumerate(parts)), name


@lru_cache(maxsize=4096)
def _part(part: str, leaf: bool) -> Part:
    rank = _LEAVES.get(part, 2) if leaf else _RANKS.get(part, 0)
    return rank, tuple(_run(run) for run in _RUN.split(part))


def _run(run: str) -> tuple[int, int, str]:
    """Digits compare by value without becoming integers: a name may have a million of them."""
    if run.isascii() and run.isdigit():
        digits = run.lstrip("0")
        return 0, len(digits), digits
    return 1, 0, run
