"""`intruder-tui scan`: its document, its table, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.support.commands import Q, intruder_tui
from tests.support.sessions import matrix_row, other_row, pairing

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.cli.scan import run_scan
from intruder_tui.definition import Definition
from intruder_tui.demo import DemoPaths
from intruder_tui.demo.weights import PLANTED


def test_scan_keeps_its_contract(scanned: dict[str, Any], demo_pair: DemoPaths) -> None:
    assert scanned["schema"] == 1
    definition = scanned["definition"]
    assert (definition["side"], definition["k"], definition["eps"]) == ("U", 10, 0.5)
    assert scanned["base"]["path"] == str(demo_pair.base)
    lora, full = scanned["tuned"]
    assert lora["path"] == str(demo_pair.lora)
    assert lora["intruders"] == sum(len(strengths) for strengths in PLANTED.values())
    assert full["intruders"] == 0
    matrices = {matrix["name"]: matrix for matrix in lora["matrices"]}
    worst = matrices[Q]
    assert worst["state"] == "done"
    assert worst["shape"] == [192, 192]
    assert worst["count"] == len(worst["intruders"]) == 3
    assert len(worst["sigma_tuned"]) == len(worst["best_cosine"]) == len(worst["best_index"]) == 10
    assert all(worst["best_cosine"][j] < 0.5 for j in worst["intruders"])
    assert worst["sigma_tuned"] == sorted(worst["sigma_tuned"], reverse=True)
    assert worst["tier"] == "exact"
    assert worst["update"]["adapter_rank"] == 8
    assert 0 < worst["update"]["relative_norm"] < 2
    assert 1 < worst["update"]["effective_rank"] <= 8
    untouched = matrices["model.layers.0.self_attn.k_proj.weight"]
    assert (untouched["state"], untouched["count"]) == ("unchanged", 0)
    skipped = matrices["model.embed_tokens.weight"]
    assert skipped["state"] == "skipped"
    assert skipped["reason"]


def test_the_readme_names_every_key_of_the_document(scanned: dict[str, Any]) -> None:
    text = (Path(__file__).parents[3] / "README.md").read_text()
    schema = json.loads(text.partition("### `scan --json`")[2].partition("```json")[2].partition("```")[0])
    for path in (
        (),
        ("definition",),
        ("base",),
        ("base", "files", 0),
        ("tuned", 0),
        ("tuned", 0, "files", 0),
    ):
        assert keys_at(schema, path) == keys_at(scanned, path), path
    for path in (("tuned", 0, "matrices", 0), ("tuned", 0, "matrices", 0, "update")):
        assert keys_at(schema, path) == keys_at(scanned, path), path


def keys_at(document: Any, path: tuple[str | int, ...]) -> set[str]:
    for step in path:
        document = document[step]
    return set(document)


def test_a_refused_matrix_alone_makes_a_scan_incomplete(tmp_path: Path) -> None:
    known = matrix_row("layers.0.q_proj.weight", untouched=True)
    refused = other_row("layers.1.q_proj.weight", RowKind.REFUSED, (64, 48), "tuned is 48 x 48")
    for rows, code in (([known], 0), ([known, refused], 1)):
        assert run_scan([pairing(rows)], Definition(), Cache(tmp_path), "cpu") == code


def test_the_numbers_are_those_of_a_float64_svd(scanned: dict[str, Any], demo_pair: DemoPaths) -> None:
    base = next(
        tensors[Q] for file in demo_pair.base.glob("*.safetensors") if Q in (tensors := load_file(file))
    ).astype(np.float64)
    adapter = load_file(demo_pair.lora / "adapter_model.safetensors")
    a = adapter[f"base_model.model.{Q.removesuffix('.weight')}.lora_A.weight"].astype(np.float64)
    b = adapter[f"base_model.model.{Q.removesuffix('.weight')}.lora_B.weight"].astype(np.float64)
    u0, _, _ = np.linalg.svd(base)
    u1, sigma, _ = np.linalg.svd(base + 16 / 8 * b @ a)
    cosines = np.abs(u0.T @ u1)
    matrix = next(found for found in scanned["tuned"][0]["matrices"] if found["name"] == Q)
    np.testing.assert_allclose(matrix["best_cosine"], cosines.max(0)[:10], atol=1e-5)
    np.testing.assert_array_equal(matrix["best_index"], cosines.argmax(0)[:10])
    np.testing.assert_allclose(matrix["sigma_tuned"], sigma[:10], rtol=1e-5)


def test_scan_writes_files_and_a_second_run_needs_no_worker(
    scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    done = intruder_tui(
        "scan", demo_pair.base, demo_pair.lora, demo_pair.full,
        "--json", tmp_path / "scan.json", "--csv", tmp_path / "scan.csv",
        cache=cache, COLUMNS="40",
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads((tmp_path / "scan.json").read_text()) == scanned
    rows = list(csv.DictReader(io.StringIO((tmp_path / "scan.csv").read_text())))
    assert len(rows) == sum(len(tuned["matrices"]) for tuned in scanned["tuned"])
    worst = next(row for row in rows if row["name"] == Q and "lora" in row["tuned"])
    assert worst["count"] == "3"
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(Q.removesuffix(".weight")))
    assert line.split()[1:3] == ["3", "0–2"]  # a line a matrix, however narrow
    assert "7 intruder dimensions in 5 of 28 matrices" in done.stdout


def test_other_definitions_come_from_the_same_results(
    scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path
) -> None:
    done = intruder_tui(
        "scan",
        demo_pair.base,
        demo_pair.lora,
        "--json",
        "-",
        "--k",
        "4",
        "--eps",
        "0.9",
        "--side",
        "v",
        cache=cache,
    )
    document = json.loads(done.stdout)
    assert document["definition"]["side"] == "V"
    matrix = next(found for found in document["tuned"][0]["matrices"] if found["name"] == Q)
    assert len(matrix["best_cosine"]) == 4
    assert matrix["intruders"] == [j for j in range(4) if matrix["best_cosine"][j] < 0.9]


def test_a_failed_matrix_is_one_row_and_exit_code_1(
    demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned"
    shutil.copytree(demo_pair.full, tuned)
    file = tuned / "model.safetensors"
    tensors = dict(load_file(file))
    tensors[Q] = np.full_like(tensors[Q], np.inf)
    name = "model.layers.1.mlp.up_proj.weight"
    tensors[name] = tensors[name][:-8].copy()
    save_file(tensors, file, metadata={"format": "pt"})
    done = intruder_tui("scan", demo_pair.base, tuned, cache=cache)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (failed,) = (line for line in lines if line.startswith("failed"))
    (refused,) = (line for line in lines if line.startswith("refused"))
    assert Q in failed
    assert "512" in refused
    assert "504" in refused
    assert "; 1 failed; 1 refused" in " ".join(done.stdout.split())
    document = json.loads(intruder_tui("scan", demo_pair.base, tuned, "--json", "-", cache=cache).stdout)
    states = [matrix["state"] for matrix in document["tuned"][0]["matrices"]]
    assert states.count("failed") == document["tuned"][0]["failed"] == 1
    assert states.count("refused") == document["tuned"][0]["refused"] == 1
    short = intruder_tui("show", demo_pair.base, tuned, "layers.1.mlp.up_proj", cache=cache)
    assert (short.returncode, short.stdout) == (2, "")
    assert f"{name}: refused: base is 512 x 192, tuned is 504 x 192" in short.stderr
    unclear = intruder_tui("show", demo_pair.base, tuned, "up_proj", cache=cache)
    assert "fits 4 matrices" in unclear.stderr
    assert f"{name} (refused)" in unclear.stderr
    assert "Traceback" not in done.stderr


def test_nothing_in_common_is_not_a_success(demo_pair: DemoPaths, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"encoder.blocks.0.wq.weight": np.eye(8, dtype=np.float32)}, other)
    done = intruder_tui("scan", demo_pair.base, other, cache=cache)
    assert done.returncode == 1
    assert "nothing to analyse" in done.stderr


def test_a_scan_says_first_what_may_make_it_worthless(
    demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    same = intruder_tui("scan", demo_pair.base, demo_pair.base, cache=cache)
    assert "BASE and TUNED are the same files" in same.stderr
    adapter = tmp_path / "adapter"
    shutil.copytree(demo_pair.lora, adapter)
    tensors = load_file(adapter / "adapter_model.safetensors")
    save_file(
        {name.replace("layers.2.", "layers.9."): tensor for name, tensor in tensors.items()},
        adapter / "adapter_model.safetensors",
    )
    settings = json.loads((adapter / "adapter_config.json").read_text())
    del settings["lora_alpha"]
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    done = intruder_tui("scan", demo_pair.base, adapter, "--json", "-", cache=cache)
    assert "the base has no weight of this name" in done.stderr
    assert "layers.9." in done.stderr
    assert "has no lora_alpha: alpha is taken as 8" in done.stderr
    document = json.loads(done.stdout)
    assert any("the base has no weight" in remark for remark in document["tuned"][0]["remarks"])
    said = intruder_tui("list", demo_pair.base, adapter, "--lora-alpha", "16", cache=cache)
    assert "has no lora_alpha: alpha is taken as 16, from --lora-alpha" in said.stdout


def test_rewritten_names_are_remarked(demo_pair: DemoPaths, cache: Path, tmp_path: Path) -> None:
    tensors = load_file(demo_pair.full / "model.safetensors")
    save_file(
        {f"wrapped.{name}": one for name, one in tensors.items() if name.endswith("proj.weight")},
        tmp_path / "x.safetensors",
    )
    done = intruder_tui("scan", demo_pair.base, tmp_path / "x.safetensors", "--json", "-", cache=cache)
    assert "28 of 28 matrices pair by another name: " in done.stderr


def test_unchanged_matrices_look_the_same_of_an_adapter_and_of_a_full_checkpoint(
    demo_pair: DemoPaths, cache: Path
) -> None:
    done = intruder_tui(
        "scan", demo_pair.base, demo_pair.lora, demo_pair.base, "--json", "-", cache=cache
    )  # fmt: skip
    adapter, full = (
        next(one for one in tuned["matrices"] if one["state"] == "unchanged")
        for tuned in json.loads(done.stdout)["tuned"]
    )
    assert adapter["tier"] == full["tier"] == "none"
    assert adapter["device"] is full["device"] is None
    assert {**adapter, "name": "", "shape": ()} == {**full, "name": "", "shape": ()}


def test_json_goes_into_a_pipe_and_through_a_link(
    scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real.json")
    arguments = ("scan", demo_pair.base, demo_pair.lora, "--csv", "/dev/null", "--json", link)
    assert intruder_tui(*arguments, cache=cache).returncode == 0
    assert link.is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["schema"] == 1
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--k", "0"], "k is 0"),
        (["--eps", "1.5"], "eps is 1.5"),
        (["--side", "W"], "--side is 'W'"),
        (["--json", "-", "--csv", "-"], "stdout"),
        (["--json", "/no/such/directory/x.json"], "/no/such/directory/x.json"),
        (["--device", "cuda:77", "--eps", "0.4"], "cuda:77"),
        (["--device", "tpu"], "--device is 'tpu'"),
        (["--log", "/no/such/directory/x.log"], "--log: /no/such/directory/x.log can't be written"),
    ],
)
def test_bad_options_name_themselves(
    options: list[str], words: str, demo_pair: DemoPaths, cache: Path, tmp_path: Path
) -> None:
    used = tmp_path if "--device" in options else cache
    done = intruder_tui("scan", demo_pair.base, demo_pair.lora, *options, cache=used)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
