"""Adapters that PEFT writes, and what this package makes of them, for integration tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from intruder_tui.checkpoint import MatrixPair, Pairing, RowKind
from intruder_tui.engine.adapters import Against, LoraFactors
from intruder_tui.engine.assemble import assemble

CPU = torch.device("cpu")


def write_adapter(model: Any, directory: Path, **lora: Any) -> Any:
    """An adapter whose B is not zero; gives the PEFT model."""
    torch.manual_seed(5)
    tuned = get_peft_model(model, LoraConfig(**{"r": 4, "lora_alpha": 6, **lora}))
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    tuned.save_pretrained(directory)
    return tuned


def merged_by_us(pair: MatrixPair) -> torch.Tensor:
    base, _ = assemble(pair.base, CPU)
    assert isinstance(base, torch.Tensor)
    tuned, _ = assemble(pair.tuned, CPU, against=Against(pair.base, base))
    return base + tuned.dense(base.dtype) if isinstance(tuned, LoraFactors) else tuned


def check_against_merge(pairing: Pairing, merged: dict[str, torch.Tensor]) -> int:
    """Every matrix equals PEFT's; returns how many were adapted."""
    adapted = 0
    for pair in pairing.pairs:
        ours = merged_by_us(pair)
        oracle = merged[pair.name].T if pair.base.transposed else merged[pair.name]
        oracle = oracle.flatten(1)
        # One rounding of the product and one of the sum, float32.
        torch.testing.assert_close(ours, oracle, rtol=0, atol=float(2**-22 * oracle.abs().max()))
        adapted += not pair.untouched
    return adapted


def refused(pairing: Pairing) -> dict[str, str]:
    return {row.name: row.reason for row in pairing.rows if row.kind is RowKind.REFUSED}
