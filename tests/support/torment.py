"""Random keys into the real program while it scans and its workers are killed at random."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tests.support.engines import SilentEngine
from tests.support.keys import bound, sent
from tests.support.terminal import Terminal

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.engine.session import Session

KEYS = [
    *(sent(key) for key in bound()),
    *("j", "k", "g", "n", "u", "a", "1", "2", "4", "5", "\r", "\t"),
    *("(", ".*", "\x1b[<0;30;10M\x1b[<0;30;10m", "\x1b[<64;30;10M"),
]
"""What people type, click and turn, the commonest more often; nothing that quits."""
SHAPE = (900, 800)
LAYERS = 8
COMPARED = 2
"""Results that are compared with an oracle."""


def write_slow_pair(directory: Path) -> tuple[Path, Path]:
    """A base and a tuned checkpoint whose sixteen matrices keep one core busy for half a minute."""
    rng = np.random.default_rng(7)
    base, tuned = {}, {}
    for layer in range(LAYERS):
        for module in ("self_attn.q_proj", "mlp.up_proj"):
            name = f"model.layers.{layer}.{module}.weight"
            weight = rng.standard_normal(SHAPE, dtype=np.float32)
            noise = 0.2 * rng.standard_normal(SHAPE, dtype=np.float32)
            left, right = rng.standard_normal((SHAPE[0], 1)), rng.standard_normal((1, SHAPE[1]))
            planted = (0.08 * left @ right).astype(np.float32) if layer % 2 else 0
            base[name], tuned[name] = weight, weight + noise + planted
    for name, tensors in (("base", base), ("tuned", tuned)):
        save_file(tensors, directory / f"{name}.safetensors")
    return directory / "base.safetensors", directory / "tuned.safetensors"


def workers_of(program: int) -> list[int]:
    """The worker processes that a program's threads have started and not yet buried."""
    found = []
    for thread in Path(f"/proc/{program}/task").glob("*/children"):
        with suppress(OSError):
            for child in thread.read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
    return found


@dataclass
class Torment:
    """What was done: keys pressed, workers killed, times that the keys chose "Quit" and the program ended."""

    terminal: Terminal
    pressed: list[str] = field(default_factory=list)
    killed: int = 0
    quits: int = 0


def torment(start: Callable[[], Terminal], keys: int, seed: int, *, life: float = 6.0) -> Torment:
    """Press random keys, kill workers that lived up to `life` seconds, change the size now and then.

    Raises:
        AssertionError: the program ended otherwise than by a "Quit" that the keys chose in the palette.
    """
    chance = random.Random(seed)
    done = Torment(start())
    due = time.monotonic() + chance.uniform(0.5, life)
    for place in range(keys):
        terminal, key = done.terminal, chance.choice(KEYS)
        done.pressed.append(key)
        terminal.send(key)
        # A lone escape must not run into the next key.
        terminal.read(0.15 if key == "\x1b" else chance.choice([0.005, 0.02, 0.05]))
        if time.monotonic() > due:
            for worker in workers_of(terminal.pid):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                    done.killed += 1
            due = time.monotonic() + chance.uniform(0.5, life)
        if place % 60 == 59:
            terminal.resize(chance.randint(20, 160), chance.randint(5, 50))
        code = terminal.ended()
        if code is not None:
            assert code == 0, f"it ended with {code} after {done.pressed[-8:]}:\n{terminal.text()}"
            assert terminal.restored
            done.quits += 1
            done.terminal = start()
    return done


def endured(directory: Path, keys: int, seed: int) -> Torment:
    """The whole ordeal: torment, leave, and look at what is left behind.

    Raises:
        AssertionError: program, terminal or cache did not stand it.
    """
    base, tuned = write_slow_pair(directory)
    cache, log = directory / "cache", directory / "x.log"
    opened: list[Terminal] = []

    def start() -> Terminal:
        options = ("--log", log, "--output", directory / "snapshots", "--device", "cpu")
        terminal = Terminal(base, tuned, *options, cache=cache, columns=100, lines=30)
        opened.append(terminal)
        terminal.until("q_proj")
        terminal.send("a")
        terminal.until("dimension")
        return terminal

    try:
        done = torment(start, keys, seed)
        assert leave(done.terminal) == 0
        assert done.terminal.restored
    except AssertionError as error:
        error.add_note(log.read_text())
        raise
    finally:
        for terminal in opened:
            terminal.close()
    text = log.read_text()
    assert "the interface failed" not in text, text
    assert "Traceback" not in text, text
    check_cache(cache, base, tuned)
    return done


def leave(terminal: Terminal) -> int:
    """Out of whatever is open, then quit; the exit code."""
    for _ in range(4):
        for _ in range(3):
            terminal.send("\x1b")
            terminal.read(0.7)
        terminal.send("q")
        with suppress(AssertionError):
            return terminal.wait(10)
    raise AssertionError(f"it can't be left:\n{terminal.text()}")


def check_cache(root: Path, base: Path, tuned: Path) -> None:
    """Every entry loads, and what a fresh session reads is what numpy computes in float64."""
    cache = Cache(root)
    for path in (root / "results").glob("??/*.safetensors"):
        if not path.name.startswith("."):  # a killed writer's; swept up later
            assert cache.load(path.parent.name + path.name.removesuffix(".safetensors")) is not None, path
    fresh = Session(open_pairing(str(base), str(tuned)), SilentEngine(), cache)
    found = fresh.prime()
    assert found
    before, after = load_file(base), load_file(tuned)
    for name in found[:COMPARED]:
        left_before, _, _ = np.linalg.svd(before[name].astype(np.float64), full_matrices=False)
        left_after, _, _ = np.linalg.svd(after[name].astype(np.float64), full_matrices=False)
        best = np.abs(left_before.T @ left_after[:, :10]).max(0)
        result = fresh.result(name)
        assert result is not None
        assert (result.left.lower[:10] <= best + 1e-4).all()
        assert (best <= result.left.upper[:10] + 1e-4).all()
