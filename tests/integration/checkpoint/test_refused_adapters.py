"""Every kind of adapter that the installed PEFT knows: read, or refused with its name and a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftType, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors.torch import load_file, save_file
from tests.support.adapters import check_against_merge, write_adapter
from tests.support.writers import make_llama

from intruder_tui.checkpoint import CheckpointError, open_pairing
from intruder_tui.checkpoint.adapter_config import AdapterOptions
from intruder_tui.checkpoint.adapter_kinds import HOSTED

Q: dict[str, Any] = {"target_modules": ["q_proj"]}
PROMPT: dict[str, Any] = {"num_virtual_tokens": 2, "task_type": "CAUSAL_LM"}
WRITTEN: dict[str, tuple[dict[str, Any], str]] = {
    "VERA": (Q, "shares vectors or projections"),
    "PVERA": (Q, "shares vectors or projections"),
    "VBLORA": ({**Q, "vector_length": 8, "num_vectors": 16}, "shares vectors or projections"),
    "TINYLORA": (Q, "shares vectors or projections"),
    "UNILORA": (Q, "shares vectors or projections"),
    "RANDLORA": (Q, "shares vectors or projections"),
    "POLY": (Q, "chooses its update per token"),
    "LILY": (Q, "chooses its update per token"),
    "SHADOW": (Q, "runs a network beside the model"),
    "LN_TUNING": ({"target_modules": ["input_layernorm"]}, "trains norms only"),
    "PROMPT_TUNING": (PROMPT, "leaves the weight matrices alone"),
    "PREFIX_TUNING": (PROMPT, "leaves the weight matrices alone"),
    "P_TUNING": (PROMPT, "leaves the weight matrices alone"),
    "BEFT": (Q, "peft_type BEFT is not read: merge it"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", WRITTEN)
def test_what_peft_writes_and_is_not_read_is_refused_by_name(models: Path, tmp_path: Path, kind: str) -> None:
    fields, said = WRITTEN[kind]
    config = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(kind)](**fields)
    get_peft_model(make_llama(), config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        open_pairing(str(models / "llama"), str(tmp_path))
    assert f"adapter_config.json: {'' if 'peft_type' in said else kind + ' '}{said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_kind_that_peft_knows_is_taken_for_another(models: Path, tmp_path: Path) -> None:
    write_adapter(make_llama(), tmp_path, **Q)
    path = tmp_path / "adapter_config.json"
    text = path.read_text()
    for kind in PeftType:
        if kind.value in HOSTED | {"LORA", "TRAINABLE_TOKENS"}:
            continue
        path.write_text(text.replace('"peft_type": "LORA"', f'"peft_type": "{kind.value}"'))
        with pytest.raises(CheckpointError, match=rf"\b{kind.value}\b"):
            open_pairing(str(models / "llama"), str(tmp_path))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"alora_invocation_tokens": [1, 2], "task_type": "CAUSAL_LM"}, "activated LoRA"),
        ({"use_qalora": True, "qalora_group_size": 8}, "QALoRA"),
        ({"init_lora_weights": "loftq"}, "LoftQ"),
    ],
)
def test_variants_of_another_formula_are_refused_by_name(
    models: Path, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    tuned = get_peft_model(make_llama(), LoraConfig(r=4, **Q))
    for name, value in fields.items():
        setattr(tuned.peft_config["default"], name, value)
    tuned.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=said):
        open_pairing(str(models / "llama"), str(tmp_path))


@pytest.mark.filterwarnings("ignore")
def test_one_of_several_adapters_and_a_pickled_one_are_read(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(make_llama(), tmp_path / "first", **Q)
    tuned.add_adapter("beta", LoraConfig(r=2, lora_alpha=5, target_modules=["v_proj", "q_proj"]))
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if ".beta." in name:
                parameter.normal_(std=0.1)
    tuned.save_pretrained(tmp_path / "several", selected_adapters=["default", "beta"])
    tuned.set_adapter("beta")
    tuned.save_pretrained(tmp_path / "pickled", selected_adapters=["beta"], safe_serialization=False)
    assert (tmp_path / "pickled" / "beta" / "adapter_model.bin").exists()
    merged = tuned.merge_and_unload(adapter_names=["beta"]).state_dict()
    for directory in (tmp_path / "several" / "beta", tmp_path / "pickled" / "beta"):
        pairing = open_pairing(str(models / "llama"), str(directory))
        assert check_against_merge(pairing, merged) == 4


@pytest.mark.filterwarnings("ignore")
def test_the_state_dict_of_a_peft_model_that_torch_saved_asks_for_alpha(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(make_llama(), tmp_path / "adapter", **Q)
    torch.save({"model": tuned.state_dict(), "step": 3}, tmp_path / "state.pt")
    arguments = str(models / "llama"), str(tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="--lora-alpha"):
        open_pairing(*arguments)
    pairing = open_pairing(*arguments, AdapterOptions(lora_alpha=6.0))
    # The base's own layers are in the file too, so that nothing counts as left alone.
    assert check_against_merge(pairing, tuned.merge_and_unload().state_dict()) == 14


def test_factors_that_were_not_gathered_are_said_to_be(models: Path, tmp_path: Path) -> None:
    write_adapter(make_llama(), tmp_path, **Q)
    path = tmp_path / "adapter_model.safetensors"
    save_file({name: torch.empty(0) for name in load_file(path)}, path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    reasons = [row.reason for row in pairing.rows if "q_proj" in row.name]
    assert len(reasons) == 2
    assert all("without gathering" in reason for reason in reasons)
