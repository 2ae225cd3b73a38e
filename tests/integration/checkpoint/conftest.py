"""Tiny models written by transformers, once a run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.support.writers import make_gpt2, make_llama, roberta_config
from transformers import RobertaForSequenceClassification, RobertaModel


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
