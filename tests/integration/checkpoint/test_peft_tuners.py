"""PEFT's tuners other than LoRA, file by file against PEFT's merge of the whole model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from peft import PeftConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.support.adapters import merged_by_us, refused
from tests.support.writers import make_gpt2, make_llama

from intruder_tui.checkpoint import CheckpointError, RowKind, adapter_tuners, open_pairing
from intruder_tui.checkpoint.recipes import describe, tensors
from intruder_tui.engine import peft_host
from intruder_tui.engine.assemble import ReadError

Q, DOWN = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"
TUNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "AdaLoRA": ("AdaLoraConfig", {"init_r": 4, "target_r": 2, "total_step": 10, "lora_alpha": 6}),
    "LoHa": (
        "LoHaConfig",
        {"r": 3, "alpha": 5, "rank_pattern": {"down_proj": 2}, "alpha_pattern": {"q_proj": 3}},
    ),
    "LoKr": ("LoKrConfig", {"r": 2, "alpha": 3}),
    "LoKr, decomposed": ("LoKrConfig", {"r": 2, "alpha": 3, "decompose_both": True, "decompose_factor": 4}),
    "IA3": ("IA3Config", {"feedforward_modules": ["down_proj"]}),
    "OFT": ("OFTConfig", {"oft_block_size": 4}),
    "BOFT": ("BOFTConfig", {"boft_block_size": 4}),
    "HRA": ("HRAConfig", {"r": 2}),
    "FourierFT": ("FourierFTConfig", {"n_frequency": 20}),
    "C3A": ("C3AConfig", {"block_size": 8}),
    "SHiRA": ("ShiraConfig", {"r": 2}),
    "MiSS": ("MissConfig", {"r": 2}),
    "DeLoRA": ("DeloraConfig", {"r": 2}),
    "HiRA": ("HiraConfig", {"r": 2}),
    "GraLoRA": ("GraloraConfig", {"r": 4}),
    "RoAd": ("RoadConfig", {"group_size": 16}),
    "WaveFT": ("WaveFTConfig", {"n_frequency": 20}),
    "PSOFT": ("PsoftConfig", {"r": 4}),
    "OSF": ("OSFConfig", {}),
    "PEANuT": ("PeanutConfig", {"r": 4}),
    "DEFT": ("DeftConfig", {"r": 2}),
    "GLoRA": ("GloraConfig", {"r": 2}),
}


def write_tuner(model: Any, directory: Path, name: str, **more: Any) -> Any:
    """An adapter whose trained tensors are not what they began as; gives the PEFT model."""
    kind, fields = TUNERS[name]
    torch.manual_seed(9)
    config: PeftConfig = getattr(peft, kind)(**{"target_modules": ["q_proj", "down_proj"], **fields, **more})
    tuned = get_peft_model(model, config)
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    tuned.save_pretrained(directory)
    return tuned


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", TUNERS)
def test_a_tuner_equals_pefts_merge(models: Path, tmp_path: Path, name: str) -> None:
    tuned = write_tuner(make_llama(), tmp_path, name)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert not refused(pairing)
    assert not [row for row in pairing.rows if row.kind is RowKind.UNPAIRED]
    pairs = {pair.name: pair for pair in pairing.pairs if not pair.untouched}
    assert len(pairs) == 4
    merged = tuned.merge_and_unload().state_dict()
    base = make_llama().state_dict()
    for matrix in (Q, DOWN):
        ours, oracle = merged_by_us(pairs[matrix]), merged[matrix]
        assert not torch.allclose(oracle, base[matrix], atol=1e-5)
        torch.testing.assert_close(ours, oracle, rtol=0, atol=float(2**-20 * oracle.abs().max()))
    assert len(set(tensors(pairs[Q].tuned))) == len(list(tensors(pairs[Q].tuned)))
    json.dumps(describe(pairs[Q].tuned, lambda tensor: tensor.name))


def allocated(model: Any, directory: Path) -> Any:
    """An AdaLoRA adapter whose ranks were allocated by importance, as at the end of its training."""
    tuned = write_tuner(model, directory, "AdaLoRA", target_r=2, init_r=4, tfinal=1, total_step=3)
    tuner = tuned.base_model
    for parameter in tuned.parameters():
        parameter.grad = torch.randn_like(parameter)
    tuner.trainable_adapter_name = "default"
    tuner.rankallocator.set_total_step(3)
    for step in (0, 1, 2, 3):
        for parameter in tuned.parameters():
            parameter.grad = torch.randn_like(parameter)
        tuner.update_and_allocate(step)
    tuned.save_pretrained(directory)
    return tuned


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
def test_adalora_after_its_ranks_were_allocated(models: Path, tmp_path: Path) -> None:
    tuned = allocated(make_llama(), tmp_path)
    ranks = json.loads((tmp_path / "adapter_config.json").read_text())["rank_pattern"]
    assert ranks
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    merged = tuned.merge_and_unload().state_dict()
    expected = {f"{name.removesuffix('lora_E')}weight": sum(kept) for name, kept in ranks.items()}
    assert len(set(expected.values())) > 1
    for pair in pairing.pairs:
        torch.testing.assert_close(merged_by_us(pair), merged[pair.name], rtol=0, atol=1e-6)
        assert pair.untouched or pair.adapter_rank == expected[pair.name.removeprefix("")]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_peft_the_row_says_what_to_install(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tuner(make_llama(), tmp_path, "LoHa")
    pair = next(
        pair for pair in open_pairing(str(models / "llama"), str(tmp_path)).pairs if not pair.untouched
    )
    with monkeypatch.context() as patched:
        patched.setattr(adapter_tuners, "find_spec", lambda name: None)
        rows = refused(open_pairing(str(models / "llama"), str(tmp_path)))
    assert len(rows) == 4
    assert "LoHa is read through PEFT" in rows[Q]
    assert "pip install 'intruder-tui[peft]'" in rows[Q]

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(peft_host.importlib, "import_module", missing)
    with pytest.raises(ReadError, match=r"intruder-tui\[peft\]"):
        merged_by_us(pair)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_peft_does_not_take_is_one_line(models: Path, tmp_path: Path) -> None:
    write_tuner(make_llama(), tmp_path, "LoHa")
    path = tmp_path / "adapter_config.json"
    config = json.loads(path.read_text())

    def said(**change: Any) -> str:
        path.write_text(json.dumps({**config, **change}))
        pairing = open_pairing(str(models / "llama"), str(tmp_path))
        if rows := refused(pairing):
            return rows[Q]
        pair = next(pair for pair in pairing.pairs if pair.name == Q)
        with pytest.raises(ReadError) as caught:
            merged_by_us(pair)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "has no from_the_future" in said(from_the_future=1)
    assert "size mismatch" in said(r=7, rank_pattern={})
    assert "at most 65536" in said(r=10**9, rank_pattern={})
    with pytest.raises(CheckpointError, match="repeats a group"):
        said(rank_pattern={"(a+)+$": 1})
    with pytest.raises(CheckpointError, match="alpha_pattern is not an object"):
        said(alpha_pattern=[3])
    assert "not those of PEFT" in said(peft_type="LOKR", rank_pattern={}, alpha_pattern={})


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("name", "field", "value", "most"),
    [
        ("GraLoRA", "hybrid_r", 10**7, 32),
        ("FourierFT", "n_frequency", 10**12, 1024),
        ("OFT", "oft_block_size", 10**9, 32),
        ("SHiRA", "r", 60_000, 32),
        ("OFT", "num_cayley_neumann_terms", 10**9, 1000),
    ],
)
def test_numbers_larger_than_the_weight_are_refused_before_peft_allocates(
    models: Path, tmp_path: Path, name: str, field: str, value: int, most: int
) -> None:
    write_tuner(make_llama(), tmp_path, name)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    rows = refused(open_pairing(str(models / "llama"), str(tmp_path)))
    assert f"{field} = {value}; at most {most}" in rows[Q]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["AdaLoRA", "IA3", "FourierFT", "HiRA", "GraLoRA", "DEFT", "WaveFT"])
def test_a_tuner_on_gpt2s_orientation_equals_pefts_merge(models: Path, tmp_path: Path, name: str) -> None:
    more: dict[str, Any] = {"target_modules": ["c_attn", "mlp.c_proj"], "fan_in_fan_out": True}
    more |= {"feedforward_modules": ["mlp.c_proj"]} if name == "IA3" else {}
    tuned = write_tuner(make_gpt2(), tmp_path, name, **more)
    pairing = open_pairing(str(models / "gpt2"), str(tmp_path))
    assert not refused(pairing)
    pairs = [pair for pair in pairing.pairs if not pair.untouched]
    assert len(pairs) == 4
    merged = tuned.merge_and_unload().state_dict()
    base = make_gpt2().state_dict()
    for pair in pairs:
        oracle = merged[pair.name].T
        assert not torch.allclose(oracle, base[pair.name].T, atol=1e-5)
        torch.testing.assert_close(
            merged_by_us(pair), oracle, rtol=0, atol=float(2**-20 * oracle.abs().max())
        )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_tuner_that_peft_has_no_conv1d_for_is_refused(models: Path, tmp_path: Path) -> None:
    write_tuner(make_llama(), tmp_path, "LoHa")
    weights = load_file(tmp_path / "adapter_model.safetensors")
    moved = {
        name.replace("model.layers.0.self_attn.q_proj", "transformer.h.0.attn.c_attn"): tensor
        for name, tensor in weights.items()
        if "layers.0.self_attn.q_proj" in name
    }
    save_file(moved, tmp_path / "adapter_model.safetensors")
    (reason,) = refused(open_pairing(str(models / "gpt2"), str(tmp_path))).values()
    assert reason == "LoHa on a weight stored [in, out], which PEFT itself does not take"


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("DeLoRA", {"lambda_pattern": {"q_proj": 3}, "rank_pattern": {"layers.1.mlp.down_proj": 4}}),
        ("FourierFT", {"n_frequency_pattern": {"down_proj": 30, "layers.1.self_attn.q_proj": 7}}),
        ("C3A", {"block_size_pattern": {"q_proj": 16}}),
        ("WaveFT", {"n_frequency_pattern": {"(q|k)_proj": 11}}),
        ("WaveFT", {"proportional_parameters": True}),
        ("HiRA", {"rank_pattern": {"q_proj": 5}}),
        ("OSF", {"effective_rank": 0.75}),
    ],
)
def test_what_a_pattern_says_of_a_module_is_what_peft_takes(
    models: Path, tmp_path: Path, name: str, pattern: dict[str, Any]
) -> None:
    tuned = write_tuner(make_llama(), tmp_path, name, **pattern)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert not refused(pairing)
    merged = tuned.merge_and_unload().state_dict()
    for pair in pairing.pairs:
        oracle = merged[pair.name]
        torch.testing.assert_close(
            merged_by_us(pair), oracle, rtol=0, atol=float(2**-20 * oracle.abs().max())
        )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("OSF", {"rank_pattern": {"q_proj": 5}}, "adapter_config.json sets rank_pattern, which is not read"),
        ("OSF", {"effective_rank": 10**9}, "effective_rank = 1000000000; at most 32"),
        ("OSF", {"effective_rank": float("nan")}, "effective_rank = nan; at most 32"),
        ("OSF", {"target_svd_config": {"a": {"b": [1, 10**12]}}}, "target_svd_config = 1000000000000"),
        ("FourierFT", {"n_frequency_pattern": {"q_proj|k_proj": 5}}, "has a choice in a key, q_proj|k_proj"),
        ("FourierFT", {"n_frequency_pattern": {"q_proj": 10**9}}, "n_frequency = 1000000000; at most 1024"),
        ("PSOFT", {"psoft_svd": "lowrank"}, "PSOFT by a randomised decomposition"),
        ("MiSS", {"mystery_pattern": {"q_proj": 1}}, "adapter_config.json sets mystery_pattern"),
    ],
)
def test_what_can_not_be_taken_from_a_configuration_is_one_line(
    models: Path, tmp_path: Path, name: str, change: dict[str, Any], said: str
) -> None:
    write_tuner(make_llama(), tmp_path, name)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    rows = refused(open_pairing(str(models / "llama"), str(tmp_path)))
    assert said in rows[Q]
