"""LoRA on stacks of experts that PEFT writes, over bases that store them fused, transposed, or one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.support.adapters import check_against_merge, merged_by_us, refused, write_adapter
from tests.support.writers import make_gpt2, make_mixtral
from transformers import GptOssConfig, GptOssForCausalLM

from intruder_tui.checkpoint import Pairing, RowKind, open_pairing

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
    # PEFT says so of patterns that do name a parameter, and uses them.
    pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern keys:RuntimeWarning"),
]

EXPERTS = "model.layers.0.mlp.experts"
BOTH = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]


def make_gpt_oss(intermediate: int = 48) -> Any:
    torch.manual_seed(6)
    config = GptOssConfig(
        hidden_size=32,
        intermediate_size=intermediate,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=64,
        num_local_experts=3,
        num_experts_per_tok=2,
        layer_types=["full_attention"],
    )
    model = GptOssForCausalLM(config)
    for name, parameter in model.named_parameters():
        if "experts" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def changed(pairing: Pairing) -> dict[str, Any]:
    assert not refused(pairing)
    assert not [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    return {pair.name: pair for pair in pairing.pairs if not pair.untouched}


def close(ours: torch.Tensor, oracle: torch.Tensor) -> None:
    torch.testing.assert_close(ours, oracle, rtol=0, atol=float(2**-21 * oracle.abs().max()))


@pytest.mark.parametrize("parameters", [BOTH, BOTH[::-1], BOTH[:1], BOTH[1:]])
@pytest.mark.parametrize("stored", ["one by one", "fused"])
def test_mixtral_experts_equal_pefts_merge(tmp_path: Path, parameters: list[str], stored: str) -> None:
    model = make_mixtral()
    if stored == "fused":
        save_file(model.state_dict(), tmp_path / "base.safetensors")
    else:
        model.save_pretrained(tmp_path / "base")
    ranks = {"down_proj": 2} if len(parameters) > 1 else {}
    tuned = write_adapter(
        model,
        tmp_path / "adapter",
        target_modules=["q_proj"],
        target_parameters=parameters,
        rank_pattern=ranks,
        alpha_pattern={"gate_up_proj": 3},
    )
    base = tmp_path / ("base" if stored == "one by one" else "base.safetensors")
    pairs = changed(open_pairing(str(base), str(tmp_path / "adapter")))
    merged = tuned.merge_and_unload().state_dict()
    up, down = merged[f"{EXPERTS}.gate_up_proj"], merged[f"{EXPERTS}.down_proj"]
    expected: dict[str, torch.Tensor] = {}
    for index in range(3):
        if BOTH[0] in parameters and stored == "fused":
            expected[f"{EXPERTS}.gate_up_proj.{index}"] = up[index]
        elif BOTH[0] in parameters:
            apart = f"model.layers.0.block_sparse_moe.experts.{index}"
            expected |= {f"{apart}.w1.weight": up[index][:48], f"{apart}.w3.weight": up[index][48:]}
        if BOTH[1] in parameters:
            name = (
                "mlp.experts.down_proj.{}" if stored == "fused" else "block_sparse_moe.experts.{}.w2.weight"
            )
            expected[f"model.layers.0.{name.format(index)}"] = down[index]
    expected["model.layers.0.self_attn.q_proj.weight"] = merged["model.layers.0.self_attn.q_proj.weight"]
    assert set(pairs) == set(expected)
    for name, oracle in expected.items():
        close(merged_by_us(pairs[name]), oracle)
    assert {pair.adapter_rank for name, pair in pairs.items() if "q_proj" not in name} <= {2, 4}


@pytest.mark.parametrize("intermediate", [48, 32])
@pytest.mark.parametrize("parameters", [BOTH, BOTH[1:]])
def test_transposed_experts_equal_pefts_merge(
    tmp_path: Path, intermediate: int, parameters: list[str]
) -> None:
    model = make_gpt_oss(intermediate)
    model.save_pretrained(tmp_path / "base")
    tuned = write_adapter(model, tmp_path / "adapter", target_modules=[], target_parameters=parameters)
    pairs = changed(open_pairing(str(tmp_path / "base"), str(tmp_path / "adapter")))
    merged = tuned.merge_and_unload().state_dict()
    assert len(pairs) == 3 * len(parameters)
    for name, pair in pairs.items():
        stack, _, index = name.rpartition(".")
        # Stored [experts, in, out], shown [out, in].
        close(merged_by_us(pair), merged[stack][int(index)].T)


def test_a_router_is_a_plain_matrix(tmp_path: Path) -> None:
    model = make_mixtral()
    model.save_pretrained(tmp_path / "base")
    tuned = write_adapter(
        model,
        tmp_path / "adapter",
        target_modules=[],
        target_parameters=["mlp.gate.weight"],
        rank_pattern={"gate.weight": 2},
    )
    pairs = changed(open_pairing(str(tmp_path / "base"), str(tmp_path / "adapter")))
    (name, pair) = next(iter(pairs.items()))
    assert (name, pair.adapter_rank) == ("model.layers.0.block_sparse_moe.gate.weight", 2)
    close(merged_by_us(pair), tuned.merge_and_unload().state_dict()["model.layers.0.mlp.gate.weight"])


@pytest.mark.parametrize("parameter", ["attn.c_proj.weight", "attn.c_attn.weight", "mlp.c_fc.weight"])
def test_a_bare_weight_stored_in_by_out_equals_pefts_merge(
    models: Path, tmp_path: Path, parameter: str
) -> None:
    tuned = write_adapter(make_gpt2(), tmp_path, target_modules=[], target_parameters=[parameter])
    pairing = open_pairing(str(models / "gpt2"), str(tmp_path))
    assert not refused(pairing)
    assert len(changed(pairing)) == 2
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 2


def test_experts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = make_mixtral()
    save_file(model.state_dict(), tmp_path / "base.safetensors")
    write_adapter(model, tmp_path / "adapter", target_modules=[], target_parameters=BOTH[1:])
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    factors = load_file(path)
    a = next(key for key in factors if "lora_A" in key)
    save_file({**factors, a: factors[a][:, :40].contiguous()}, path)
    rows = refused(open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter")))
    assert rows == {
        f"{EXPERTS}.down_proj": "an expert of the base is 32 x 48, the adapter's update is 32 x 40"
    }


def test_lora_on_experts_one_by_one_fits_a_fused_base(tmp_path: Path) -> None:
    model = make_mixtral()
    state = model.state_dict()
    save_file(state, tmp_path / "base.safetensors")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    shapes = {"gate_proj": (48, 32), "up_proj": (48, 32), "down_proj": (32, 48)}
    factors: dict[str, torch.Tensor] = {}
    for index in range(3):
        for leaf, (rows, columns) in shapes.items():
            prefix = f"base_model.model.{EXPERTS}.{index}.{leaf}.lora_"
            factors |= {
                f"{prefix}A.weight": torch.randn(2, columns),
                f"{prefix}B.weight": torch.randn(rows, 2),
            }
    save_file(factors, adapter / "adapter_model.safetensors")
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2, "lora_alpha": 2}))
    pairs = changed(open_pairing(str(tmp_path / "base.safetensors"), str(adapter)))
    assert len(pairs) == 9
    for name, pair in pairs.items():
        index, leaf = name.split(".")[-3:-1]
        fused = state[f"{EXPERTS}.{'down_proj' if leaf == 'down_proj' else 'gate_up_proj'}"][int(index)]
        rows = {"gate_proj": slice(0, 48), "up_proj": slice(48, 96)}.get(leaf, slice(None))
        prefix = f"base_model.model.{EXPERTS}.{index}.{leaf}.lora_"
        close(merged_by_us(pair), fused[rows] + factors[f"{prefix}B.weight"] @ factors[f"{prefix}A.weight"])


class Parallel(torch.nn.Module):
    """What GraniteMoe's stacks are: one parameter of that name, [experts, out, in]."""

    def __init__(self, experts: int, columns: int, rows: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(experts, rows, columns))


class Experts(torch.nn.Module):
    """A block of them."""

    def __init__(self) -> None:
        super().__init__()
        self.block_sparse_moe = torch.nn.Module()
        self.block_sparse_moe.input_linear = Parallel(3, 32, 48)
        self.block_sparse_moe.output_linear = Parallel(3, 24, 32)


def test_stacks_that_are_called_weight_equal_pefts_merge(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Experts()
    save_file({name: one.clone() for name, one in model.state_dict().items()}, tmp_path / "base.safetensors")
    tuned = write_adapter(
        model,
        tmp_path / "adapter",
        target_modules=[],
        target_parameters=["input_linear.weight", "output_linear.weight"],
        rank_pattern={"output_linear.weight": 2},
    )
    pairing = open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter"))
    assert not refused(pairing)
    merged = tuned.merge_and_unload().state_dict()
    assert len(pairing.pairs) == 6
    for pair in pairing.pairs:
        name, _, index = pair.name.rpartition(".")
        torch.testing.assert_close(merged_by_us(pair), merged[name][int(index)], rtol=0, atol=2e-6)
        assert pair.adapter_rank == (2 if "output" in name else 4)


def test_granites_experts_pair_under_their_name_in_memory(tmp_path: Path) -> None:
    from transformers import GraniteMoeConfig, GraniteMoeForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 24, "vocab_size": 64, "num_hidden_layers": 1}
    config = GraniteMoeConfig(
        **sizes, num_attention_heads=4, num_key_value_heads=2, num_local_experts=3, num_experts_per_tok=2
    )
    model = GraniteMoeForCausalLM(config)
    model.save_pretrained(tmp_path / "base")
    torch.save(model.state_dict(), tmp_path / "memory.pt")
    whole = open_pairing(str(tmp_path / "base"), str(tmp_path / "memory.pt"))
    assert {row.kind for row in whole.rows} == {RowKind.MATRIX, RowKind.SKIPPED}
    assert len(whole.pairs) == 4 + 1 + 3 + 3
    tuned = write_adapter(
        model,
        tmp_path / "adapter",
        target_modules=[],
        target_parameters=["experts.gate_up_proj", "experts.down_proj"],
    )
    pairing = open_pairing(str(tmp_path / "base"), str(tmp_path / "adapter"))
    assert not [row for row in pairing.rows if row.kind in (RowKind.REFUSED, RowKind.UNPAIRED)]
    merged = tuned.merge_and_unload().state_dict()
    changed = [pair for pair in pairing.pairs if not pair.untouched]
    assert len(changed) == 6
    for pair in changed:
        stack, _, index = pair.name.rpartition(".")
        leaf = "gate_up_proj" if "input_linear" in stack else "down_proj"
        oracle = merged[f"model.layers.0.block_sparse_moe.experts.{leaf}"][int(index)]
        torch.testing.assert_close(merged_by_us(pair), oracle, rtol=0, atol=2e-6)
