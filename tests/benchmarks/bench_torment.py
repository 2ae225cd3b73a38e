"""1,000 random keys while a scan runs and workers are killed.

`python -m tests.benchmarks.bench_torment [KEYS [SEED]]`; the test of the same name presses fewer.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.support.torment import endured


def main(keys: int = 1000, seed: int = 0) -> None:
    """Go through it and print what happened; an AssertionError says what did not stand it."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory:
        done = endured(Path(directory), keys, seed)
    print(
        f"{keys} keys, {done.killed} workers killed, {done.quits} times quit and opened again, "
        f"{time.perf_counter() - started:.0f} s: nothing failed, terminal restored, cache sound"
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
