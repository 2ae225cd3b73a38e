"""The training step of a checkpoint: the trainer's own word, else the directory's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from intruder_tui.checkpoint.pairs import Source
from intruder_tui.checkpoint.steps import training_step


def source(directory: Path) -> Source:
    directory.mkdir(parents=True, exist_ok=True)
    return Source("x", "x", "file", (str(directory / "model.safetensors"),), 1)


def test_the_trainers_state_wins(tmp_path: Path) -> None:
    one = source(tmp_path / "checkpoint-100")
    assert training_step(one) == 100
    (tmp_path / "checkpoint-100" / "trainer_state.json").write_text('{"global_step": 70, "epoch": 1.5}')
    assert training_step(one) == 70


@pytest.mark.parametrize(
    "state", ['{"global_step": "7"}', '{"global_step": true}', '{"global_step": -1}', "[", "{}"]
)
def test_a_state_that_says_nothing_leaves_the_name(tmp_path: Path, state: str) -> None:
    one = source(tmp_path / "checkpoint-20")
    (tmp_path / "checkpoint-20" / "trainer_state.json").write_text(state)
    assert training_step(one) == 20


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("run/step_500", 500),
        ("run/step500", 500),
        ("run/ckpt-7", 7),
        ("checkpoint-300/adapter", 300),
        ("llama-7", None),
        ("final", None),
        ("checkpoint-", None),
    ],
)
def test_names(tmp_path: Path, name: str, step: int | None) -> None:
    assert training_step(source(tmp_path / name)) == step


def test_no_files_no_step() -> None:
    assert training_step(Source("x", "x", "file", (), 0)) is None
