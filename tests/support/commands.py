"""Running the program as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PATIENCE = 120
PROGRAM = "from intruder_tui.cli import main; main()"
Q = "model.layers.2.self_attn.q_proj.weight"
"""The demo's matrix with the most intruder dimensions."""


def intruder_tui(
    *arguments: str | Path, cache: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `intruder-tui ARGUMENTS` without a terminal; stdout and stderr as text."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        env={**inherited, "INTRUDER_TUI_CACHE": str(cache), "COLUMNS": "160", **environment},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def interruptible(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start `intruder-tui ARGUMENTS` where Ctrl-C means what it means in a terminal; stdout and stderr piped.

    A program that is started with SIGINT ignored leaves it so, and tests may themselves run that way.
    """
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    return subprocess.Popen(
        [sys.executable, "-c", f"{listen}; {PROGRAM}", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
