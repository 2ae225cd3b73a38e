"""A worker process as its parent holds it: started deaf to the terminal, killed, its death explained."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.engine import child

GOODBYE = 2.0
"""Seconds to wait for a killed process to end; it is a daemon, so an exit never hangs on it."""


@dataclass
class Spawned:
    """A worker's process and our end of its connection; `ready` once it has said so."""

    process: BaseProcess
    connection: Connection
    ready: bool = False

    def kill(self) -> None:
        """End it, and stop listening to it."""
        self.process.kill()
        self.process.join(GOODBYE)
        self.connection.close()

    def epitaph(self) -> str:
        """Why it died."""
        return _epitaph(self.process.exitcode)


def make_ready() -> None:
    """Start what spawning needs, while standard error still has a descriptor: under Textual it has none."""
    with _deaf_to_the_terminal():
        resource_tracker.ensure_running()


def spawn(device: str, cache: Cache, log: Path, niceness: int) -> Spawned:
    """Start a worker for a device; it prints to `log`.

    Raises:
        OSError: the system does not let us.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=child.main,
        args=(theirs, device, cache.reopened(), str(log), niceness),
        name="intruder-tui worker",
        daemon=True,
    )
    with _deaf_to_the_terminal():
        process.start()
    theirs.close()
    return Spawned(process, ours)


@contextlib.contextmanager
def _deaf_to_the_terminal() -> Iterator[None]:
    """A process that is started here begins with these signals blocked; `child.main` then ignores them.

    A terminal sends them to us and to the worker. What becomes of the worker is decided here.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, child.OF_THE_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _epitaph(code: int | None) -> str:
    if code is None or code >= 0:
        return f"the worker ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else f"signal {-code}"
    hints = {
        signal.SIGKILL: "killed by the system or by hand, most often for memory",
        signal.SIGBUS: "a file was truncated while it was read",
        signal.SIGSEGV: "a native library crashed",
        signal.SIGABRT: "a native library aborted",
    }
    hint = hints.get(signal.Signals(-code)) if -code in signal.Signals._value2member_map_ else None
    return f"the worker died of {name}" + (f" ({hint})" if hint else "")
