"""What trainers and distributed savers leave on disk: read where it is whole, else refused by name."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.support.writers import make_llama

from intruder_tui.checkpoint import CheckpointError, RowKind, expand_series, open_pairing


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps of transformers' Trainer, saved at 2 and 4, and the final model."""
    from transformers import Trainer, TrainingArguments

    directory = tmp_path_factory.mktemp("run")
    arguments = TrainingArguments(
        output_dir=str(directory),
        max_steps=4,
        save_steps=2,
        per_device_train_batch_size=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    tokens = torch.arange(8)
    data: Any = [{"input_ids": tokens, "labels": tokens}] * 4
    trainer = Trainer(model=make_llama(), args=arguments, train_dataset=data)
    trainer.train()
    trainer.save_model()
    return directory


@pytest.mark.filterwarnings("ignore")
def test_a_trainers_run_is_a_series_and_its_pickles_stay_closed(models: Path, run: Path) -> None:
    assert (run / "checkpoint-2" / "optimizer.pt").exists()
    assert (run / "checkpoint-4" / "training_args.bin").exists()
    for pickled in (*run.rglob("*.bin"), *run.rglob("*.pt"), *run.rglob("*.pth")):
        pickled.unlink()
        pickled.mkdir()  # reading it would be an error
    series = expand_series(str(run))
    assert [Path(one).name for one in series] == ["checkpoint-2", "checkpoint-4", run.name]
    pairings = [open_pairing(str(models / "llama"), one) for one in series]
    assert [len(pairing.pairs) for pairing in pairings] == [14, 14, 14]
    assert [len(pairing.tuned.files) for pairing in pairings] == [1, 1, 1]


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_torch_distributed_checkpoint_is_refused_and_its_conversion_is_read(
    models: Path, tmp_path: Path
) -> None:
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    checkpoint.save(make_llama().state_dict(), checkpoint_id=tmp_path / "dcp", no_dist=True)
    for argument in (tmp_path / "dcp", tmp_path / "dcp" / "__0_0.distcp"):
        with pytest.raises(CheckpointError, match="dcp_to_torch DIRECTORY"):
            open_pairing(str(models / "llama"), str(argument))
    dcp_to_torch_save(tmp_path / "dcp", tmp_path / "whole.pt")
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "whole.pt"))
    assert len(pairing.pairs) == 14
    assert not [row for row in pairing.rows if row.kind in (RowKind.UNPAIRED, RowKind.REFUSED)]


def test_the_metadata_of_a_distributed_checkpoint_is_not_unpickled(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.mkdir, (tmp_path / "created",)

    (tmp_path / "dcp").mkdir()
    (tmp_path / "dcp" / ".metadata").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError, match="torch distributed checkpoint"):
        open_pairing(str(tmp_path / "dcp"), str(tmp_path / "dcp"))
    assert not (tmp_path / "created").exists()


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_one_ranks_part_of_a_distributed_safetensors_save_is_refused(tmp_path: Path) -> None:
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint import HuggingFaceStorageWriter

    state = dict(make_llama().state_dict())
    writer = HuggingFaceStorageWriter(path=str(tmp_path / "dcp"), save_distributed=True)
    checkpoint.save(state, storage_writer=writer, no_dist=True)
    shards = sorted((tmp_path / "dcp").rglob("*.safetensors"))
    assert shards
    for argument in (tmp_path / "dcp", shards[0]):
        with pytest.raises(CheckpointError, match=r"a part of (every|each) tensor"):
            open_pairing(str(argument), str(argument))


def test_what_accelerate_saves_pairs(models: Path, tmp_path: Path) -> None:
    from accelerate import Accelerator

    Accelerator(cpu=True).save_model(make_llama(tied=True), tmp_path / "accelerate")
    pairing = open_pairing(str(models / "llama_tied"), str(tmp_path / "accelerate"))
    assert len(pairing.rows) == len(load_file(tmp_path / "accelerate" / "model.safetensors"))
    assert not [row for row in pairing.rows if row.kind in (RowKind.UNPAIRED, RowKind.REFUSED)]


def test_a_variant_saved_by_transformers_is_found(models: Path, tmp_path: Path) -> None:
    make_llama().save_pretrained(tmp_path, variant="fp16", max_shard_size="30KB")
    assert (tmp_path / "model.safetensors.index.fp16.json").exists()
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert len(pairing.pairs) == 14
    assert any("variant fp16" in note for note in pairing.tuned.notes)


def test_a_single_file_over_the_shards_it_replaced(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "llama_sharded", tmp_path / "both")
    shutil.copy(models / "llama" / "model.safetensors", tmp_path / "both")
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "both"))
    assert [Path(file).name for file in pairing.tuned.files] == ["model.safetensors"]
    assert any("index.json is also there and was not used" in note for note in pairing.tuned.notes)
