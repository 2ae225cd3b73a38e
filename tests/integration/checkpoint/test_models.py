"""Full checkpoints as transformers writes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.support.writers import make_gpt2, make_llama

from intruder_tui.checkpoint import CheckpointError, Pairing, RowKind, open_pairing
from intruder_tui.engine.assemble import assemble

CPU = torch.device("cpu")


def opened(base: Path, tuned: Path) -> Pairing:
    return open_pairing(str(base), str(tuned))


def kinds(pairing: Pairing, kind: RowKind) -> list[str]:
    return [row.name for row in pairing.rows if row.kind is kind]


def test_a_tied_llama_lists_its_twenty_tensors_in_the_order_of_the_model(models: Path) -> None:
    pairing = opened(models / "llama_tied", models / "llama_tied")
    layer = [
        *("input_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
        *("post_attention_layernorm", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
    ]
    assert [row.name for row in pairing.rows] == [
        "model.embed_tokens.weight",
        *(f"model.layers.{i}.{name}.weight" for i in (0, 1) for name in layer),
        "model.norm.weight",
    ]
    assert all(pair.untouched for pair in pairing.pairs)
    assert pairing.notes == ("BASE and TUNED are the same files",)


def test_only_linear_layers_are_analysed_and_embeddings_and_heads_stay_at_hand(models: Path) -> None:
    pairing = opened(models / "llama", models / "llama")
    assert len(pairing.pairs) == 14
    on_request = {row.name for row in pairing.rows if row.kind is RowKind.SKIPPED and row.pair is not None}
    assert on_request == {"model.embed_tokens.weight", "lm_head.weight"}


def test_shards_and_a_single_file_give_the_same_matrices(models: Path) -> None:
    pairing = opened(models / "llama", models / "llama_sharded")
    state = make_llama().state_dict()
    assert len(pairing.tuned.files) > 1
    for row in pairing.rows:
        if row.pair is None:
            continue
        base, base_hashes = assemble(row.pair.base, CPU)
        tuned, tuned_hashes = assemble(row.pair.tuned, CPU)
        assert isinstance(base, torch.Tensor)
        assert isinstance(tuned, torch.Tensor)
        assert torch.equal(base, state[row.name])
        assert torch.equal(base, tuned)
        assert list(base_hashes.values()) == list(tuned_hashes.values())


@pytest.mark.parametrize(("headed", "bare"), [("llama", "llama_bare"), ("gpt2", "gpt2_bare")])
def test_bare_and_headed_models_pair_whichever_comes_first(models: Path, headed: str, bare: str) -> None:
    prefix = {"llama": "model.", "gpt2": "transformer."}[headed]
    for first, second, rule in ((headed, bare, "base"), (bare, headed, "tuned")):
        pairing = opened(models / first, models / second)
        assert {pair.rule for pair in pairing.pairs} == {f"{rule} without '{prefix}'"}
        assert set(kinds(pairing, RowKind.UNPAIRED)) <= {"lm_head.weight"}


def test_a_classifier_is_not_taken_for_a_pooler(models: Path) -> None:
    pairing = opened(models / "roberta", models / "roberta_classifier")
    assert {pair.rule for pair in pairing.pairs} == {"tuned without 'roberta.'"}
    assert len(pairing.pairs) == 12
    assert set(kinds(pairing, RowKind.UNPAIRED)) == {
        *(f"pooler.dense.{part}" for part in ("weight", "bias")),
        *(f"classifier.{layer}.{part}" for layer in ("dense", "out_proj") for part in ("weight", "bias")),
    }


def test_conv1d_weights_come_out_by_in(models: Path) -> None:
    pairing = opened(models / "gpt2", models / "gpt2_bare")
    state = make_gpt2().state_dict()
    assert len(pairing.pairs) == 8
    for pair in pairing.pairs:
        weight, _ = assemble(pair.base, CPU)
        assert isinstance(weight, torch.Tensor)
        assert torch.equal(weight, state[pair.name].T)
        assert weight.is_contiguous()
        assert pair.shape == tuple(weight.shape)


def test_conv1d_is_known_without_a_config(models: Path, tmp_path: Path) -> None:
    file = Path(shutil.copy(models / "gpt2" / "model.safetensors", tmp_path / "gpt2.safetensors"))
    pairing = opened(file, file)
    shapes = {pair.name.removeprefix("transformer.h.0."): pair.shape for pair in pairing.pairs}
    assert shapes["attn.c_attn.weight"] == (96, 32)
    assert shapes["mlp.c_proj.weight"] == (32, 128)
    square = next(pair for pair in pairing.pairs if pair.name == "transformer.h.0.attn.c_proj.weight")
    assert square.base.transposed


def test_unrelated_models_share_nothing(models: Path) -> None:
    pairing = opened(models / "llama", models / "roberta")
    assert pairing.pairs == []
    assert pairing.notes == ("no weight has the same name on both sides: these look like different models",)


def test_a_resized_vocabulary_is_said_and_the_layers_still_pair(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    model.resize_token_embeddings(70)
    model.save_pretrained(tmp_path / "resized")
    pairing = opened(models / "llama", tmp_path / "resized")
    rows = {
        row.name: row.pair
        for row in pairing.rows
        if row.name in ("model.embed_tokens.weight", "lm_head.weight")
    }
    for name, pair in rows.items():
        assert pair is not None
        assert pair.shape == (64, 32)
        assert pair.notes == (
            "the vocabulary was resized from 64 to 70: the first 64 rows are compared, "
            "6 new rows of the tuned side are left out",
        )
        tuned, _ = assemble(pair.tuned, CPU)
        assert torch.equal(tuned, model.state_dict()[name][:64])
    assert len(rows) == 2
    assert len(pairing.pairs) == 14


def test_a_single_file_wins_over_a_stale_index(models: Path, tmp_path: Path) -> None:
    model = make_llama()
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    model.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors.index.json").touch()
    pairing = opened(models / "llama", tmp_path)
    assert [Path(file).name for file in pairing.tuned.files] == ["model.safetensors"]
    assert any("model.safetensors.index.json" in note for note in pairing.tuned.notes)


def test_a_missing_shard_costs_its_own_rows(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "llama_sharded", tmp_path / "partial")
    shard = sorted((tmp_path / "partial").glob("model-*"))[1]
    lost = set(load_file(shard))
    shard.unlink()
    pairing = opened(models / "llama", tmp_path / "partial")
    assert set(kinds(pairing, RowKind.REFUSED)) == lost
    assert all(shard.name in row.reason for row in pairing.rows if row.kind is RowKind.REFUSED)
    assert any(shard.name in note for note in pairing.tuned.notes)
    assert pairing.pairs


def test_a_training_output_directory_lists_its_checkpoints_by_step(models: Path, tmp_path: Path) -> None:
    for step in (1000, 500, 2500):
        shutil.copytree(models / "llama", tmp_path / "run" / f"checkpoint-{step}")
    with pytest.raises(CheckpointError, match=r"checkpoint-500, checkpoint-1000, checkpoint-2500$"):
        opened(models / "llama", tmp_path / "run")
    pairing = opened(models / "llama", tmp_path / "run" / "checkpoint-500")
    assert pairing.tuned.label == "run/checkpoint-500"
    shutil.copy(models / "llama" / "model.safetensors", tmp_path / "run")
    final = opened(models / "llama", tmp_path / "run")
    assert [Path(file).parent.name for file in final.tuned.files] == ["run"]
    assert any("checkpoint-500, checkpoint-1000" in note for note in final.tuned.notes)


def test_a_hub_cache_snapshot_of_symbolic_links_opens(models: Path, tmp_path: Path) -> None:
    entry = tmp_path / "models--org--tiny"
    snapshot = entry / "snapshots" / ("0" * 40)
    (entry / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted((models / "llama").iterdir())):
        shutil.copy(file, entry / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    pairing = opened(models / "llama", snapshot)
    assert len(pairing.pairs) == 14
    assert pairing.tuned.label == "org/tiny"
