"""The headless commands, run as processes on the demo's files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.support.commands import intruder_tui

from intruder_tui.demo import DemoPaths
from intruder_tui.demo.weights import PLANTED

Q = "model.layers.2.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the module: commands after the first find its answers."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def scanned(demo_pair: DemoPaths, cache: Path) -> dict[str, Any]:
    """The document of one scan of both tuned checkpoints."""
    done = intruder_tui("scan", demo_pair.base, demo_pair.lora, demo_pair.full, "--json", "-", cache=cache)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


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
        cache=cache,
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads((tmp_path / "scan.json").read_text()) == scanned
    rows = list(csv.DictReader(io.StringIO((tmp_path / "scan.csv").read_text())))
    assert len(rows) == sum(len(tuned["matrices"]) for tuned in scanned["tuned"])
    worst = next(row for row in rows if row["name"] == Q and "lora" in row["tuned"])
    assert worst["count"] == "3"
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan", "/no/such/base", "/no/such/tuned"],
        ["list", "/no/such/base", "/no/such/tuned"],
        ["show", "/no/such/base", "/no/such/tuned", "x"],
        ["/no/such/base", "/no/such/tuned"],
    ],
)
def test_unreadable_input_is_one_line_and_exit_code_2(arguments: list[str], cache: Path) -> None:
    done = intruder_tui(*arguments, cache=cache)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "/no/such/base" in done.stderr


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


def test_damaged_results_are_computed_again(demo_pair: DemoPaths, tmp_path: Path) -> None:
    intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    for entry in (tmp_path / "results").glob("??/*"):
        content = bytearray(entry.read_bytes())
        content[-5] ^= 1
        entry.write_bytes(content)
    damaged = intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    if damaged.returncode == 0:
        assert "7 intruder dimensions" in damaged.stdout
    else:
        assert damaged.returncode == 1
        assert "ask for it again" in damaged.stdout
    healed = intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    assert healed.returncode == 0
    assert "7 intruder dimensions" in healed.stdout


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


def test_show_prints_the_matrix_for_any_width(
    scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path
) -> None:
    for width in ("60", "120"):
        done = intruder_tui(
            "show", demo_pair.base, demo_pair.lora, "2.self_attn.q_proj", cache=cache, COLUMNS=width
        )
        assert done.returncode == 0, done.stderr
        assert "match no base vector" in " ".join(done.stdout.split())
        assert max(len(line) for line in done.stdout.splitlines()) <= int(width)
    plain = intruder_tui("show", demo_pair.base, demo_pair.lora, Q, "--ascii", cache=cache)
    assert plain.stdout.isascii()


def test_show_json_has_the_data(scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path) -> None:
    done = intruder_tui("show", demo_pair.base, demo_pair.lora, Q, "--json", cache=cache)
    document = json.loads(done.stdout)
    assert document["definition"]["k"] == 10
    assert Q in json.dumps(document)


def test_show_says_which_names_it_could_mean(demo_pair: DemoPaths, cache: Path) -> None:
    unclear = intruder_tui("show", demo_pair.base, demo_pair.lora, "q_proj", cache=cache)
    assert unclear.returncode == 2
    assert "fits 4 matrices" in unclear.stderr
    missing = intruder_tui("show", demo_pair.base, demo_pair.lora, "w_proj", cache=cache)
    assert missing.returncode == 2
    assert "w_proj" in missing.stderr


def test_list_says_what_pairs_and_why_not(demo_pair: DemoPaths, cache: Path) -> None:
    table = intruder_tui("list", demo_pair.base, demo_pair.lora, cache=cache)
    assert table.returncode == 0
    assert "28 matrices to analyse, 12 of them untouched by the adapter" in " ".join(table.stdout.split())
    done = intruder_tui("list", demo_pair.base, demo_pair.lora, "--json", cache=cache)
    document = json.loads(done.stdout)
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
    rules = {row["rule"] for row in json.loads(done.stdout)["rows"] if row["kind"] == "matrix"}
    assert rules == {f"--map {rule}"}
    bad = intruder_tui("list", demo_pair.base, demo_pair.full, "--map", "(", cache=cache)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert bad.stderr.startswith("intruder-tui: --map (")


def test_the_demo_without_a_terminal_prints_the_table(tmp_path: Path) -> None:
    done = intruder_tui("demo", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "7 intruder dimensions in 5 of 28 matrices" in done.stdout
    written = intruder_tui("demo", "--write", tmp_path / "pair", cache=tmp_path)
    assert written.returncode == 0
    assert (tmp_path / "pair" / "lora-r8" / "adapter_config.json").is_file()


def test_without_a_terminal_the_interface_refuses(demo_pair: DemoPaths, cache: Path) -> None:
    done = intruder_tui(demo_pair.base, demo_pair.lora, cache=cache)
    assert done.returncode == 2
    assert "terminal" in done.stderr


def test_the_log_has_failures_and_only_what_is_a_log_is_written_to(
    demo_pair: DemoPaths, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned.safetensors"
    save_file({Q: np.full((192, 192), np.nan, np.float16)}, tuned)
    log = tmp_path / "x.log"
    arguments = ("show", demo_pair.base, tuned, Q, "--log", log)
    done = intruder_tui(*arguments, cache=tmp_path / "cache")
    assert done.returncode == 1
    assert f"{Q}: " in log.read_text()
    before = tuned.read_bytes()
    refused = intruder_tui("scan", demo_pair.base, tuned, "--log", tuned, cache=tmp_path / "cache")
    assert refused.returncode == 2
    assert "exists and is not a log of intruder-tui" in refused.stderr
    assert tuned.read_bytes() == before


def test_an_internal_error_is_a_line_and_its_trace_is_kept(demo_pair: DemoPaths, tmp_path: Path) -> None:
    program = (
        "import intruder_tui.checkpoint as checkpoint\n"
        "def fail(*_): raise ZeroDivisionError('by nought')\n"
        "checkpoint.open_pairing = fail\n"
        "from intruder_tui.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "list", str(demo_pair.base), str(demo_pair.lora)],
        env={**os.environ, "INTRUDER_TUI_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 70
    assert done.stdout == ""
    assert done.stderr.startswith(
        "intruder-tui: internal error: ZeroDivisionError: by nought; the trace is in "
    )
    assert len(done.stderr.splitlines()) == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert "in fail" in log.read_text()


def test_a_closed_pipe_ends_quietly(scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path) -> None:
    for command in ("list", "scan --json -", "scan", "show --json"):
        name, *options = command.split()
        what = [Q] if name == "show" else []
        program = "from intruder_tui.cli import main; main()"
        arguments = [name, str(demo_pair.base), str(demo_pair.lora), *what, *options]
        running = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "INTRUDER_TUI_CACHE": str(cache)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b"", command
        running.stderr.close()
        assert running.wait(60) in (0, 1), command


def test_no_arguments_show_the_two_ways_to_start(cache: Path) -> None:
    done = intruder_tui(cache=cache)
    assert done.returncode == 0
    assert "intruder-tui BASE TUNED" in done.stdout
    assert "intruder-tui demo" in done.stdout


def test_cache_commands(demo_pair: DemoPaths, tmp_path: Path) -> None:
    assert intruder_tui("cache", "path", cache=tmp_path).stdout.strip() == str(tmp_path)
    intruder_tui("show", demo_pair.base, demo_pair.lora, Q, cache=tmp_path)
    assert "1 results" in intruder_tui("cache", "info", cache=tmp_path).stdout.replace(
        "1 result,", "1 results,"
    )
    assert intruder_tui("cache", "clear", cache=tmp_path).returncode == 0
    assert "0 results" in intruder_tui("cache", "info", cache=tmp_path).stdout


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)  # large enough that the scan outlasts the wait for its second result
    names = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(16)]
    for side in ("base", "tuned"):
        save_file(
            {name: rng.standard_normal((640, 640), np.float32) for name in names},
            tmp_path / f"{side}.safetensors",
        )
    program = "from intruder_tui.cli import main; main()"
    arguments = ["scan", "--exact", str(tmp_path / "base.safetensors"), str(tmp_path / "tuned.safetensors")]
    arguments += ["--cache-dir", str(tmp_path)]
    running = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while len(list((tmp_path / "results").glob("??/*.safetensors"))) < 2 and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, errors
    assert "run it again to go on" in errors
    assert "Traceback" not in errors
    kept = intruder_tui("cache", "info", cache=tmp_path)
    found = re.search(r"^(\d+) results?,", kept.stdout, re.MULTILINE)
    assert found is not None, kept.stdout
    assert 2 <= int(found[1]) < len(names)


def test_ctrl_c_ends_show_with_130(demo_pair: DemoPaths, tmp_path: Path) -> None:
    program = "from intruder_tui.cli import main; main()"
    arguments = ["show", str(demo_pair.base), str(demo_pair.full), Q, "--cache-dir", str(tmp_path)]
    running = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        while not list(tmp_path.glob("logs/*.log")) and running.poll() is None:
            time.sleep(0.01)
        time.sleep(0.3)  # the worker is loading torch
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130, errors
    assert output == ""
    assert "Traceback" not in errors
