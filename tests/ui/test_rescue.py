"""Signals that end the program when nothing in it listens any more."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.terminal import Terminal

DEAF_LOOP = """
import asyncio, queue
from intruder_tui.ui.rescue import ask_first, guard_terminal

async def wait_for_ever():
    ask_first(lambda code: print("asked", flush=True))
    print("waiting", flush=True)
    queue.SimpleQueue().get()

guard_terminal(lambda: None)
asyncio.run(wait_for_ever())
"""
"""A loop that waits for a thread that is dead, as one does that writes to a terminal that is gone."""

DEAF_CLOSE = """
import threading, time
from intruder_tui.ui import rescue

def close():
    print("closing", flush=True)
    threading.Event().wait()

rescue._PATIENCE = float("SECONDS")
rescue.guard_terminal(close)
print("waiting", flush=True)
time.sleep(1000)
"""

IGNORANT = """
import signal, time
from intruder_tui.ui.rescue import guard_terminal

signal.signal(signal.SIGHUP, signal.SIG_IGN)
guard_terminal(lambda: None)
print("waiting", flush=True)
time.sleep(1000)
"""
"""Started as `trap "" HUP` has a shell start programs."""


class Program(Terminal):
    """A program of its own in a terminal."""

    def program(self, *arguments: str | Path) -> list[str]:
        """Python, and what it is to run."""
        return [sys.executable, "-c", *map(str, arguments)]


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    """Programs to end, whatever happens."""
    opened: list[Program] = []
    yield opened
    for program in opened:
        program.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_loop_that_hears_nothing_is_ended(
    number: signal.Signals, programs: list[Program], tmp_path: Path
) -> None:
    program = Program(DEAF_LOOP, cache=tmp_path)
    programs.append(program)
    program.until("waiting")
    program.signal(number)
    assert program.wait(30) == 128 + number


@pytest.mark.parametrize(("patience", "signals"), [("1000", 2), ("0.5", 1)])
def test_an_end_that_takes_too_long_is_cut_short(
    patience: str, signals: int, programs: list[Program], tmp_path: Path
) -> None:
    program = Program(DEAF_CLOSE.replace("SECONDS", patience), cache=tmp_path)
    programs.append(program)
    program.until("waiting")
    program.signal(signal.SIGTERM)
    if signals == 2:
        program.until("closing")
        program.signal(signal.SIGTERM)
    assert program.wait(30) == 128 + signal.SIGTERM
    assert program.restored


def test_an_ignored_hangup_stays_ignored_until_the_terminal_is_gone(
    programs: list[Program], tmp_path: Path
) -> None:
    program = Program(IGNORANT, cache=tmp_path)
    programs.append(program)
    program.until("waiting")
    program.signal(signal.SIGHUP)
    program.read(0.5)
    assert program.ended() is None
    assert program.hang_up(30) == 128 + signal.SIGTERM
