"""Peak memory of a program in its own process."""

from __future__ import annotations

import subprocess
import sys

# VmHWM starts anew at exec; ru_maxrss is inherited from the process that forked.
_REPORT = "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))\n"


def run_measured(code: str, *arguments: str) -> tuple[str, float]:
    """What a Python program prints, and its peak resident memory in megabytes (Linux)."""
    done = subprocess.run(
        [sys.executable, "-c", code + _REPORT, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    printed, _, kilobytes = done.stdout.rstrip().rpartition("\n")
    return printed, int(kilobytes) / 1000
