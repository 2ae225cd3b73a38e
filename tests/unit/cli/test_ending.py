"""How commands end early: Ctrl-C, and a reader that has gone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.commands import PROGRAM, Q, interruptible, intruder_tui
from tests.support.sessions import matrix_row, pairing

from intruder_tui.cache import Cache
from intruder_tui.cli import headless
from intruder_tui.cli.scan import run_scan
from intruder_tui.definition import Definition
from intruder_tui.demo import DemoPaths


def test_a_closed_pipe_ends_quietly(scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path) -> None:
    for command in ("list", "scan --json -", "scan", "show --json"):
        name, *options = command.split()
        what = [Q] if name == "show" else []
        arguments = [name, str(demo_pair.base), str(demo_pair.lora), *what, *options]
        running = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
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


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)  # large enough that the scan outlasts the wait for its second result
    names = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(16)]
    for side in ("base", "tuned"):
        save_file(
            {name: rng.standard_normal((640, 640), np.float32) for name in names},
            tmp_path / f"{side}.safetensors",
        )
    files = (tmp_path / f"{side}.safetensors" for side in ("base", "tuned"))
    running = interruptible("scan", "--exact", *files, "--cache-dir", tmp_path)
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


def test_ctrl_c_counts_only_what_has_to_be_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(sessions: object, engine: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(headless, "answer_all", interrupt)
    rows = [matrix_row(f"layers.{i}.q_proj.weight", untouched=i < 2) for i in range(5)]
    assert run_scan([pairing(rows)] * 2, Definition(), Cache(tmp_path), "cpu") == 130
    said = "interrupted: 0 of 6 matrices are in the cache; run it again to go on\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_ends_show_with_130(demo_pair: DemoPaths, tmp_path: Path) -> None:
    running = interruptible("show", demo_pair.base, demo_pair.full, Q, "--cache-dir", tmp_path)
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
