"""`intruder-tui list`: what pairs, by which names, and what does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from safetensors.numpy import load_file, save_file
from tests.support.commands import intruder_tui

from intruder_tui.demo import DemoPaths


def test_list_says_what_pairs_and_why_not(demo_pair: DemoPaths, cache: Path) -> None:
    table = intruder_tui("list", demo_pair.base, demo_pair.lora, cache=cache)
    assert table.returncode == 0
    assert "28 matrices to analyse, 12 of them untouched by the adapter" in " ".join(table.stdout.split())
    done = intruder_tui("list", demo_pair.base, demo_pair.lora, "--json", cache=cache)
    (document,) = json.loads(done.stdout)
    kinds = [row["kind"] for row in document["rows"]]
    assert kinds.count("matrix") == 28
    assert all(row["reason"] for row in document["rows"] if row["kind"] != "matrix")


def test_list_shows_one_checkpoint_alone_and_a_run_as_a_series(
    demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    alone = intruder_tui("list", demo_pair.base, cache=cache)
    assert alone.returncode == 0
    assert "BASE and TUNED are the same files" not in alone.stdout
    twice = intruder_tui("list", demo_pair.base, demo_pair.base, cache=cache)
    assert "BASE and TUNED are the same files" in twice.stdout
    for step in (20, 3):
        shutil.copytree(demo_pair.full, tmp_path / "run" / f"checkpoint-{step}")
    refused = intruder_tui("list", demo_pair.base, tmp_path / "run", cache=cache)
    assert refused.returncode == 2
    assert "--series for all: checkpoint-3, checkpoint-20" in refused.stderr
    series = intruder_tui("list", demo_pair.base, tmp_path / "run", "--series", "--json", cache=cache)
    paths = [document["tuned"]["path"] for document in json.loads(series.stdout)]
    assert [Path(path).name for path in paths] == ["checkpoint-3", "checkpoint-20"]


def test_names_can_be_mapped_on_the_command_line(demo_pair: DemoPaths, cache: Path, tmp_path: Path) -> None:
    tensors = load_file(demo_pair.full / "model.safetensors")
    save_file(
        {name.replace("layers", "blk"): one for name, one in tensors.items()}, tmp_path / "x.safetensors"
    )
    rule = "blk=layers"
    done = intruder_tui(
        "list", demo_pair.base, tmp_path / "x.safetensors", "--map", rule, "--json", cache=cache
    )
    rules = {row["rule"] for row in json.loads(done.stdout)[0]["rows"] if row["kind"] == "matrix"}
    assert rules == {f"--map {rule}"}
    bad = intruder_tui("list", demo_pair.base, demo_pair.full, "--map", "(", cache=cache)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert bad.stderr.startswith("intruder-tui: --map (")
