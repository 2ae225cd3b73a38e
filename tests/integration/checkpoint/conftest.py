"""Tiny models written by transformers, once a run. Importing transformers and PEFT costs seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
)

Make = Callable[[], Any]


def make_llama(tied: bool = False) -> Any:
    torch.manual_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=64,
            tie_word_embeddings=tied,
        )
    )


def make_gpt2() -> Any:
    torch.manual_seed(2)
    config = GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=64, n_positions=16, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(config)


def roberta_config() -> RobertaConfig:
    return RobertaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        vocab_size=64,
        max_position_embeddings=20,
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """llama, llama_tied, llama_sharded, gpt2, roberta (bare), roberta_classifier; treat as read-only."""
    root = tmp_path_factory.mktemp("models")
    llama = make_llama()
    llama.save_pretrained(root / "llama")
    llama.save_pretrained(root / "llama_sharded", max_shard_size="30KB")
    llama.model.save_pretrained(root / "llama_bare")
    make_llama(tied=True).save_pretrained(root / "llama_tied")
    gpt2 = make_gpt2()
    gpt2.save_pretrained(root / "gpt2")
    gpt2.transformer.save_pretrained(root / "gpt2_bare")
    torch.manual_seed(3)
    RobertaModel(roberta_config()).save_pretrained(root / "roberta")
    RobertaForSequenceClassification(roberta_config()).save_pretrained(root / "roberta_classifier")
    return root
