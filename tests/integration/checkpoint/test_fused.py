"""Weights that one side fuses and the other keeps apart, and that can't be taken apart: the rows say why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.support.adapters import refused, write_adapter
from tests.support.writers import make_gpt2, make_llama

from intruder_tui.checkpoint import Pairing, RowKind, open_pairing

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 64}


def make_gpt_neox() -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    return GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, intermediate_size=48))


def make_falcon() -> Any:
    from transformers import FalconConfig, FalconForCausalLM

    return FalconForCausalLM(FalconConfig(**SIZES, new_decoder_architecture=True, num_kv_heads=2))


def make_bloom() -> Any:
    from transformers import BloomConfig, BloomForCausalLM

    return BloomForCausalLM(BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=64))


def reasons(pairing: Pairing, ending: str) -> set[str]:
    return {
        row.reason
        for row in pairing.rows
        if row.kind is RowKind.UNPAIRED and row.name.endswith(f"{ending}.weight")
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_gpt_neox, "its rows interleaved by head (gpt_neox)"),
        (make_bloom, "its rows interleaved by head (bloom)"),
        (make_falcon, "its rows interleaved by group of heads (falcon)"),
        (make_gpt2, "one beside the other in its columns (it is stored [in, out])"),
    ],
)
def test_a_fused_qkv_that_is_not_taken_apart_says_why(
    models: Path, tmp_path: Path, make: Any, said: str
) -> None:
    make().save_pretrained(tmp_path)
    fused = "c_attn" if make is make_gpt2 else "query_key_value"
    whole = f"query, key and value in one weight, {said}: not compared with q_proj, k_proj, v_proj"
    part = f"the other side has query, key and value in one weight, {fused}, {said}"
    pairing = open_pairing(str(tmp_path), str(models / "llama"))
    assert reasons(pairing, fused) == {f"only in the base; {whole}"}
    assert reasons(pairing, "k_proj") == {f"only in the tuned model; {part}"}
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert reasons(pairing, fused) == {f"only in the tuned model; {whole}"}
    assert reasons(pairing, "k_proj") == {f"only in the base; {part}"}


def test_rows_that_do_not_add_up_are_not_taken_apart(models: Path, tmp_path: Path) -> None:
    state = make_llama().state_dict()
    for layer in (0, 1):
        parts = [state.pop(f"model.layers.{layer}.self_attn.{part}_proj.weight") for part in "qkv"]
        state[f"model.layers.{layer}.self_attn.qkv_proj.weight"] = torch.cat([*parts, parts[0]])
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"model_type": "phi3"}')
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    (reason,) = reasons(pairing, "qkv_proj")
    assert "whose rows are not those of the parts one after the other" in reason
    assert len(pairing.pairs) == 8


def test_codegens_own_order_is_not_taken_for_a_plain_one(tmp_path: Path) -> None:
    from transformers import CodeGenConfig, CodeGenForCausalLM

    config = CodeGenConfig(n_embd=32, n_layer=1, n_head=4, vocab_size=64, n_positions=16, rotary_dim=4)
    fused = CodeGenForCausalLM(config).state_dict()
    apart = dict(fused)
    name = "transformer.h.0.attn.qkv_proj.weight"
    for part, rows in zip("qkv", apart.pop(name).chunk(3), strict=True):
        apart[name.replace("qkv", part)] = rows.clone()
    save_file(fused, tmp_path / "fused.safetensors")
    save_file(apart, tmp_path / "apart.safetensors")
    pairing = open_pairing(str(tmp_path / "fused.safetensors"), str(tmp_path / "apart.safetensors"))
    assert "transformer.h.0.attn.q_proj.weight" not in {pair.name for pair in pairing.pairs}
    (reason,) = reasons(pairing, "qkv_proj")
    assert "its rows in an order that is not known: not compared with q_proj, k_proj, v_proj" in reason


def test_an_adapter_of_what_the_base_fuses_leaves_nothing_called_unchanged(
    models: Path, tmp_path: Path
) -> None:
    make_gpt_neox().save_pretrained(tmp_path / "base")
    write_adapter(make_llama(), tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    pairing = open_pairing(str(tmp_path / "base"), str(tmp_path / "adapter"))
    (reason,) = reasons(pairing, "v_proj")
    assert "the other side has query, key and value in one weight, query_key_value" in reason
    fused = {name: why for name, why in refused(pairing).items() if name.endswith("value.weight")}
    assert len(fused) == 2
    assert all("not compared with q_proj, v_proj" in why for why in fused.values())


def test_baichuans_pack_is_plain(tmp_path: Path) -> None:
    state = make_llama().state_dict()
    packed = dict(state)
    for layer in (0, 1):
        parts = [packed.pop(f"model.layers.{layer}.self_attn.{part}_proj.weight") for part in "qkv"]
        packed[f"model.layers.{layer}.self_attn.W_pack.weight"] = torch.cat(parts)
    save_file(packed, tmp_path / "base.safetensors")
    save_file(state, tmp_path / "tuned.safetensors")
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "tuned.safetensors"))
    assert len(pairing.pairs) == 14
    assert not [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]
