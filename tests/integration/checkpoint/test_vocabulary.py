"""Adapters over a vocabulary that is larger or smaller than the base's: the rows both have, or a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import TrainableTokensConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tests.support.adapters import merged_by_us, refused, write_adapter
from tests.support.writers import make_llama

from intruder_tui.checkpoint import MatrixPair, Pairing, Row, open_pairing

pytestmark = pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`:UserWarning")

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
BASE = 64
SIZES = [70, 48]


def resized(rows: int) -> Any:
    """The base with another vocabulary, as a person resizes it for new tokens."""
    model = make_llama()
    torch.manual_seed(7)
    model.resize_token_embeddings(rows)
    return model


def row_of(pairing: Pairing, name: str) -> Row:
    return next(row for row in pairing.rows if row.name == name)


def compared(pairing: Pairing, name: str, rows: int) -> MatrixPair:
    """The pair of a resized weight, whose note has the numbers."""
    assert not refused(pairing)
    pair = row_of(pairing, name).pair
    assert pair is not None
    common = min(rows, BASE)
    assert pair.shape == (common, 32)
    said = f"the vocabulary was resized from {BASE} to {rows}: the first {common} rows are compared"
    assert any(said in note for note in pair.notes)
    return pair


def check(pair: MatrixPair, merged: torch.Tensor, base: torch.Tensor) -> None:
    rows = pair.shape[0]
    torch.testing.assert_close(merged_by_us(pair), merged[:rows], rtol=0, atol=2e-6)
    assert not torch.allclose(merged[:rows], base[:rows], atol=1e-3)


@pytest.mark.parametrize("rows", SIZES)
def test_saved_modules_are_compared_in_the_rows_both_have(models: Path, tmp_path: Path, rows: int) -> None:
    tuned = write_adapter(
        resized(rows), tmp_path, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]
    )
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "modules_to_save" in name:
                parameter.add_(0.1)
    tuned.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    merged = tuned.merge_and_unload().state_dict()
    for name in (EMBEDDING, HEAD):
        check(compared(pairing, name, rows), merged[name], make_llama().state_dict()[name])


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("saved", [True, False])
def test_lora_on_an_embedding_and_a_head(models: Path, tmp_path: Path, rows: int, saved: bool) -> None:
    tuned = write_adapter(resized(rows), tmp_path, target_modules=["embed_tokens", "lm_head", "q_proj"])
    tuned.save_pretrained(tmp_path, save_embedding_layers=saved)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    merged = tuned.merge_and_unload().state_dict()
    for name in (EMBEDDING, HEAD):
        check(compared(pairing, name, rows), merged[name], make_llama().state_dict()[name])


@pytest.mark.parametrize("rows", SIZES)
def test_dora_on_a_head_has_a_magnitude_a_row(models: Path, tmp_path: Path, rows: int) -> None:
    tuned = write_adapter(resized(rows), tmp_path, target_modules=["lm_head"], use_dora=True)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    merged = tuned.merge_and_unload().state_dict()
    check(compared(pairing, HEAD, rows), merged[HEAD], make_llama().state_dict()[HEAD])


def test_dora_on_an_embedding_needs_every_row(models: Path, tmp_path: Path) -> None:
    write_adapter(resized(70), tmp_path / "larger", target_modules=["embed_tokens"], use_dora=True)
    rows = refused(open_pairing(str(models / "llama"), str(tmp_path / "larger")))
    assert rows == {
        EMBEDDING: "DoRA's magnitudes are of columns of 70 rows, and the base has 64: "
        "give a base that was resized alike"
    }
    tuned = write_adapter(resized(48), tmp_path / "smaller", target_modules=["embed_tokens"], use_dora=True)
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "smaller"))
    merged = tuned.merge_and_unload().state_dict()
    check(compared(pairing, EMBEDDING, 48), merged[EMBEDDING], make_llama().state_dict()[EMBEDDING])


@pytest.mark.parametrize(("rows", "indices"), [(70, [1, 5, 66]), (70, [65, 3]), (48, [1, 5])])
def test_trained_tokens_beyond_the_bases_rows_are_left_out(
    models: Path, tmp_path: Path, rows: int, indices: list[int]
) -> None:
    tuned = write_adapter(
        resized(rows), tmp_path, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": indices}
    )
    with torch.no_grad():
        for name, parameter in tuned.named_parameters():
            if "trainable_tokens_delta" in name:
                parameter.normal_()
    tuned.save_pretrained(tmp_path, save_embedding_layers=True)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    pair = compared(pairing, EMBEDDING, rows)
    merged = tuned.merge_and_unload().state_dict()
    check(pair, merged[EMBEDDING], make_llama().state_dict()[EMBEDDING])
    assert any("1 trained token row (up to 6" in note for note in pair.notes) == (rows == 70)


def test_only_new_tokens_leave_the_rows_of_the_base_alone(models: Path, tmp_path: Path) -> None:
    tuned = get_peft_model(resized(70), TrainableTokensConfig(token_indices=[65, 69]))
    tuned.save_pretrained(tmp_path, save_embedding_layers=False)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    pair = row_of(pairing, EMBEDDING).pair
    assert pair is not None
    assert pair.untouched
    assert pair.notes == ("2 trained token rows (up to 69) beyond the base's 64 rows: left out",)


def test_rows_to_keep_that_do_not_lie_together_are_refused(models: Path, tmp_path: Path) -> None:
    tuned = get_peft_model(resized(70), TrainableTokensConfig(token_indices=[1, 65, 2]))
    tuned.save_pretrained(tmp_path, save_embedding_layers=False)
    assert refused(open_pairing(str(models / "llama"), str(tmp_path))) == {
        EMBEDDING: "token row 65 was trained, the base has 64 rows: give a base that was resized alike"
    }


def test_other_features_are_refused_with_the_numbers(models: Path, tmp_path: Path) -> None:
    write_adapter(resized(70), tmp_path, target_modules=["embed_tokens"])
    path = tmp_path / "adapter_model.safetensors"
    state = load_file(path)
    key = next(name for name in state if name.endswith("base_layer.weight"))
    save_file({**state, key: torch.zeros(70, 40)}, path, metadata={"format": "pt"})
    assert refused(open_pairing(str(models / "llama"), str(tmp_path))) == {
        EMBEDDING: "base is 64 x 32, the adapter's own copy of it 70 x 40"
    }


def test_a_base_that_was_resized_alike_has_every_row(models: Path, tmp_path: Path) -> None:
    tuned = write_adapter(resized(70), tmp_path / "adapter", target_modules=["embed_tokens"])
    tuned.unload().save_pretrained(tmp_path / "resized")
    pairing = open_pairing(str(tmp_path / "resized"), str(tmp_path / "adapter"))
    assert not refused(pairing)
    pair = row_of(pairing, EMBEDDING).pair
    assert pair is not None
    assert pair.shape == (70, 32)
