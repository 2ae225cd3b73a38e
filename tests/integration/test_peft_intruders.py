"""Counts against PEFT's own intruder detection, from files that transformers and PEFT wrote."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.intruders import reduce_intruder_dimension
from tests.support.inline import solved
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from intruder_tui.cache import Cache
from intruder_tui.definition import Definition, Side


def llama() -> Any:
    config = LlamaConfig(
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=96,
    )
    return LlamaForCausalLM(config)


def gpt2() -> Any:
    return GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=96, n_positions=32))


def write_pair(directory: Path, model: Any, **lora: Any) -> Any:
    """Save the model, then an adapter on it whose layers are updated by very different amounts."""
    model.save_pretrained(directory / "base")
    tuned = get_peft_model(model, LoraConfig(r=6, lora_alpha=9, **lora))
    strengths = (0.0005, 0.01, 0.1, 0.4)
    factors = [(n, p) for n, p in tuned.named_parameters() if "lora_B" in n]
    for place, (_, parameter) in enumerate(factors):
        torch.nn.init.normal_(parameter, std=strengths[place % len(strengths)])
    tuned.save_pretrained(directory / "adapter")
    return tuned


def our_counts(directory: Path, side: Side) -> dict[str, int]:
    session = solved(directory / "base", directory / "adapter", Cache(directory / "cache"))
    counts = {name: session.count(name, Definition(side=side)) for name in session.default_names}
    return {
        name.removesuffix(".weight"): count
        for name, count in counts.items()
        if count is not None and (pair := session.row(name).pair) is not None and not pair.untouched
    }


def peft_counts(tuned: Any) -> dict[str, int]:
    lines: list[str] = []
    reduce_intruder_dimension(tuned, logging_sink=lines.append)
    counts = {}
    for line in lines:
        found = re.fullmatch(r"(\S+): (?:No intruders|Intruders: (\d+))", line)
        if found:
            counts[found[1].removeprefix("base_model.model.")] = int(found[2] or 0)
    return counts


@pytest.mark.parametrize("rslora", [False, True])
def test_llama_counts_are_peft_s(tmp_path: Path, rslora: bool) -> None:
    torch.manual_seed(3)
    tuned = write_pair(tmp_path, llama(), target_modules="all-linear", use_rslora=rslora)
    theirs = peft_counts(tuned)
    ours = our_counts(tmp_path, Side.LEFT)
    assert len(ours) == 14
    assert {name: theirs[name] for name in ours} == ours
    assert 0 in ours.values()
    assert max(ours.values()) >= 2


def test_gpt2_counts_are_peft_s_on_the_other_side(tmp_path: Path) -> None:
    """PEFT decomposes GPT-2's weights as stored, [in, out]: its left vectors are the input side."""
    torch.manual_seed(4)
    tuned = write_pair(tmp_path, gpt2(), target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)
    theirs = peft_counts(tuned)
    ours = our_counts(tmp_path, Side.RIGHT)
    assert {name.removeprefix("transformer."): n for name, n in theirs.items()} == {
        name.removeprefix("transformer."): n for name, n in ours.items()
    }
    assert max(ours.values()) >= 2
