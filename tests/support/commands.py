"""Running the program as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PATIENCE = 120


def intruder_tui(
    *arguments: str | Path, cache: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `intruder-tui ARGUMENTS` without a terminal; stdout and stderr as text."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    return subprocess.run(
        [sys.executable, "-c", "from intruder_tui.cli import main; main()", *map(str, arguments)],
        env={**inherited, "INTRUDER_TUI_CACHE": str(cache), "COLUMNS": "160", **environment},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
