"""Bytes written to the terminal, and the time to the first paint; `python -m tests.benchmarks.bench_screen`.

The real program on the demo pair, in a pseudo-terminal. The demo is scanned once beforehand, so that nothing
is computed while bytes are counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.support.terminal import Terminal

SIZES = ((80, 24), (120, 40), (200, 60))
MODES = ("truecolor", "256", "16", "none")
KS = (10, 32)
QUIET = 0.6
"""Seconds after a key in which everything it causes is written."""


def opened(cache: Path, columns: int, lines: int, *options: str) -> Terminal:
    """The demo with all its answers on the screen."""
    terminal = Terminal("demo", *options, cache=cache, columns=columns, lines=lines)
    terminal.until("strongest")
    terminal.read(2.0)
    return terminal


def after(terminal: Terminal, keys: str) -> int:
    """Bytes that typing `keys` causes."""
    terminal.send(keys)
    return terminal.read(QUIET)


def measure(cache: Path, columns: int, lines: int, mode: str, k: int) -> tuple[int, ...]:
    """Bytes of a full frame, of cursor moves in the heatmap (k x k, both sides, all vectors), of a change of
    eps, and of 3 s of rest."""
    terminal = opened(cache, columns, lines, "--color", mode, "--k", str(k))
    try:
        after(terminal, "\t")
        moves = []
        for window in ("", "U", "Uw"):
            after(terminal, window)
            moves.append(max(after(terminal, key) for key in "ljljhkhk"))
        after(terminal, "w")
        eps = after(terminal, "[")
        rest = terminal.read(3.0)
        terminal.resize(columns, lines + 1)
        terminal.read(QUIET)
        terminal.resize(columns, lines)
        frame = terminal.read(QUIET)
        return (frame, *moves, eps, rest)
    finally:
        terminal.close()


def first_paint(cache: Path) -> float:
    """Seconds from the command to its first words on the screen, best of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        terminal = Terminal("demo", cache=cache, columns=120, lines=40)
        while "model.layers" not in terminal.text():
            terminal.read(0.01)
        times.append(time.perf_counter() - started)
        terminal.close()
    return min(times)


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory)
        opened(cache, 80, 24).close()
        print(f"first paint {first_paint(cache):.2f} s from the command")
        print(
            f"{'size':>8} {'colours':>10} {'k':>4} {'frame':>8} {'cursor':>7} {'both':>7} {'all':>7} "
            f"{'eps':>7} {'rest':>5}  bytes"
        )
        for k in KS:
            for columns, lines in SIZES:
                for mode in MODES:
                    frame, *moves, eps, rest = measure(cache, columns, lines, mode, k)
                    name, shown = f"{columns}x{lines}", " ".join(f"{move:>7}" for move in moves)
                    print(f"{name:>8} {mode:>10} {k:>4} {frame:>8} {shown} {eps:>7} {rest:>5}", flush=True)


if __name__ == "__main__":
    main()
