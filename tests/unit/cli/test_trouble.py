"""What goes wrong is a line and an exit code, and the log has the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.commands import PROGRAM, Q, intruder_tui

from intruder_tui.demo import DemoPaths


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
        f"{PROGRAM}"
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
