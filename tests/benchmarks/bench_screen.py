"""Bytes to the terminal, time to the first paint and to a frame; `python -m tests.benchmarks.bench_screen`.

The real program in a pseudo-terminal. Bytes are counted on the demo pair, scanned once beforehand, so that
nothing is computed meanwhile; keys are timed while a scan runs; the first paint is that of a 7B-sized pair.
Bytes do not depend on the machine: it fails where more than the limits below are written.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tests.support.sparse import write_llama_7b_pair
from tests.support.terminal import Terminal
from tests.support.torment import write_slow_pair

SIZES = ((80, 24), (120, 40), (200, 60))
MODES = ("truecolor", "256", "16", "none")
KS = (10, 32)
KEYS = 100
BARE = """
from textual.app import App
from textual.widgets import Tree

class Bare(App):
    def compose(self):
        tree = Tree("layers")
        tree.root.expand().add("model.layers")
        yield tree

Bare().run()
"""
"""The least that Textual can show with a tree in it: the peer of the first paint."""
QUIET = 0.6
"""Seconds without a byte after which everything that a key causes is written."""
MOST_MOVED = 2_000
"""Bytes of any cursor move."""
MOST_FRAME = 64_000
"""Bytes of a full frame of 120 x 40 at 256 colours."""


class BareTerminal(Terminal):
    """The bare app instead of the program."""

    def program(self, *arguments: str | Path) -> list[str]:
        """Python with the bare app."""
        return [sys.executable, "-c", BARE]


def opened(cache: Path, columns: int, lines: int, *options: str) -> Terminal:
    """The demo with all its answers on the screen."""
    terminal = Terminal("demo", *options, cache=cache, columns=columns, lines=lines)
    terminal.until("strongest")
    terminal.read(1.0)
    settled(terminal)
    return terminal


def after(terminal: Terminal, keys: str) -> int:
    """Bytes that typing `keys` causes."""
    terminal.send(keys)
    return settled(terminal)


def settled(terminal: Terminal) -> int:
    """Bytes until nothing more is written."""
    written = 0
    while more := terminal.read(QUIET):
        written += more
    return written


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
        settled(terminal)
        terminal.resize(columns, lines)
        frame = settled(terminal)
        return (frame, *moves, eps, rest)
    finally:
        terminal.close()


def first_paint(kind: type[Terminal], *arguments: Path, cache: Path) -> tuple[float, float]:
    """Seconds from the command to the tree on the screen, and of CPU until then; the best of five."""
    walls, cpus = [], []
    for _ in range(5):
        started = time.perf_counter()
        terminal = kind(*arguments, cache=cache, columns=120, lines=40)
        while b"model.layers" not in terminal.written:
            terminal.read(0.005)
        walls.append(time.perf_counter() - started)
        cpus.append(used(terminal))
        terminal.close()
    return min(walls), min(cpus)


def used(terminal: Terminal) -> float:
    """Seconds of CPU that the interface has taken; the worker is another process."""
    user, system = Path(f"/proc/{terminal.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def key_to_frame(base: Path, tuned: Path, cache: Path) -> tuple[float, float, float]:
    """Median and 95th percentile of the seconds from a key to the frame that shows its effect, during a scan;
    and the mean CPU time of a key and all that goes on beside it.

    The key changes the side: every count, the header, the sentence and the view in front are new.
    """
    terminal = Terminal(base, tuned, "--device", "cpu", cache=cache, columns=120, lines=40)
    times = []
    try:
        terminal.until("q_proj")
        terminal.send("a")
        terminal.until("analysed so far")
        terminal.read(2.0)
        before = used(terminal)
        for place in range(KEYS):
            wanted = "side V" if place % 2 == 0 else "side U"
            started = time.perf_counter()
            terminal.send("u")
            while wanted not in terminal.text():
                terminal.read_once(1.0)
            times.append(time.perf_counter() - started)
            terminal.read(0.13)
        cpu = (used(terminal) - before) / KEYS
    finally:
        terminal.close()
    times.sort()
    return times[len(times) // 2], times[len(times) * 95 // 100], cpu


def broken(size: tuple[int, int], mode: str, frame: int, moves: list[int], rest: int) -> list[str]:
    """The limits that figures break, a line each."""
    found = []
    if max(moves) > MOST_MOVED:
        found.append(f"a cursor move writes {max(moves)} bytes; at most {MOST_MOVED}")
    if size == (120, 40) and mode == "256" and frame > MOST_FRAME:
        found.append(f"a frame has {frame} bytes; at most {MOST_FRAME}")
    if rest:
        found.append(f"{rest} bytes are written at rest")
    return [f"{size[0]}x{size[1]} {mode}: {words}" for words in found]


def main() -> int:
    """Print the tables; 1 where a limit is broken."""
    troubles: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        cache = Path(directory)
        opened(cache, 80, 24).close()
        wall, cpu = first_paint(Terminal, *write_llama_7b_pair(cache), cache=cache)
        least, least_cpu = first_paint(BareTerminal, cache=cache)
        print(
            f"first paint of a 7B-sized pair: {wall:.2f} s from the command, {cpu:.2f} s of CPU; "
            f"of a bare Textual tree: {least:.2f} s, {least_cpu:.2f} s of CPU ({wall / least:.1f} x)"
        )
        median, late, own = key_to_frame(*write_slow_pair(cache), cache)
        print(
            f"key to frame while a scan runs: {1e3 * median:.0f} ms, 95th percentile {1e3 * late:.0f} ms; "
            f"{1e3 * own:.0f} ms of CPU"
        )
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
                    troubles += broken((columns, lines), mode, frame, moves, rest)
    for words in troubles:
        print(words)
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
