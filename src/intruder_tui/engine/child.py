"""The first code that runs in the worker process: it puts the streams in order before torch is imported."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.engine.protocol import Broken

OF_THE_TERMINAL = frozenset({signal.SIGINT, signal.SIGHUP})
"""Ctrl-C and a closed terminal belong to the parent, with whose end this process ends."""


def main(connection: Connection, device: str, cache: Cache, log_path: str, niceness: int = 0) -> None:
    """Serve jobs from `connection` until it closes; everything printed goes to the log."""
    _redirect(Path(log_path))
    os.nice(niceness)
    # Threads that spin while they wait would halve the speed of a machine that others compute on, too.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    # Huge pages: a new weight costs a quarter of the page faults, which are most of the time of widening one.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    for number in OF_THE_TERMINAL:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_THE_TERMINAL)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        from intruder_tui.engine.worker import one_line, serve
    except Exception as error:
        traceback.print_exc()
        connection.send(Broken(f"torch can't be loaded: {error}"))
        return
    cache.evict()  # a budget made smaller since, or entries of many short runs
    try:
        serve(connection, device, cache)
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:
        traceback.print_exc()
        connection.send(Broken(f"the worker failed: {one_line(error)}"))


def _redirect(log: Path) -> None:
    """Send file descriptors 1 and 2 to the log: C libraries write there, and the screen is drawn on 2."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    faulthandler.enable(file=2)


def _die_with_parent() -> None:
    """A killed parent must not leave a factorisation running on the GPU."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
