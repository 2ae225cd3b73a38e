"""The terminal and who else has it: leaving it as it was found, and to a shell only where there is one."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

_LEAVE = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?1004l\x1b[<u"
"""Main screen, visible cursor; mouse, paste and focus reports off, ordinary keys."""
_ENDS = (signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 3.0
"""Seconds that an orderly end may take."""
_UNWRITABLE = 2
"""Seconds that restoring the terminal may take."""
_Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


def guard_terminal(close: Callable[[], None]) -> None:
    """On SIGTERM and SIGHUP: call `close`, restore the terminal as it is now, end with 128 + the signal.

    A second signal, or `close` taking too long, leaves `close` out. Once the event loop runs, `ask_first`
    asks the app to end by itself. Without a terminal nothing is done.

    A signal that the program was started to ignore stays ignored; of SIGHUP only the news that the terminal
    is gone is heard then, as SIGTERM, for there is nobody left to end the program.
    """
    try:
        found = termios.tcgetattr(sys.stdin.fileno())
    except (OSError, ValueError, termios.error):
        return
    ends = _heard()

    def end(number: int) -> NoReturn:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_UNWRITABLE)  # a terminal that was halted takes nothing, and would keep us for ever
        # Last of all: Textual's own thread may still be writing what it had queued.
        with suppress(OSError, ValueError, termios.error):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _LEAVE.encode())
            termios.tcsetattr(0, termios.TCSANOW, found)
        os._exit(128 + number)

    def leave(number: int, _frame: FrameType | None) -> None:
        _handle(signal.SIGALRM, lambda *_: end(number))
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        for each in ends:
            _handle(each, lambda *_: end(number))
        with suppress(Exception):
            close()
        end(number)

    for number in ends:
        _handle(number, leave)
    if signal.SIGHUP not in ends:
        threading.Thread(target=_end_with_the_terminal, daemon=True).start()


def ask_first(end: Callable[[int], object]) -> Callable[[], None]:
    """From now on SIGTERM and SIGHUP have the running event loop call `end` with 128 + the signal.

    What handled them before does so again after the first signal, and when the loop has not let the program
    end in time: one that waits for a terminal that is gone never hears of it. Call what is returned when the
    loop is about to end.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _heard()}

    def back() -> None:
        for number, handler in before.items():
            _handle(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:
        back()
        last = before[signal.Signals(number)]
        _handle(signal.SIGALRM, (lambda *_: last(number, frame)) if callable(last) else signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        with suppress(RuntimeError):  # the loop is closed: the timer ends the program
            loop.call_soon_threadsafe(end, 128 + number)

    for number in before:
        _handle(number, ask)
    return back


def _end_with_the_terminal() -> None:
    poll = select.poll()
    poll.register(sys.stdin.fileno(), 0)  # a terminal that is gone is reported unasked
    if any(what & select.POLLHUP for _, what in poll.poll()):
        os.kill(os.getpid(), signal.SIGTERM)


def _heard() -> list[signal.Signals]:
    return [number for number in _ENDS if signal.getsignal(number) is not signal.SIG_IGN]


def _handle(number: signal.Signals, handler: _Handler) -> None:
    with suppress(ValueError, OSError):  # not the main thread
        signal.signal(number, handler)


def resumable() -> bool:
    """Whether a shell with job control runs this process, so that a stopped one can be continued.

    The parent is then in the same session and in another process group. A program started by ssh or by a
    terminal itself would stand still for ever.
    """
    try:
        parent = os.getppid()
        return os.getsid(parent) == os.getsid(0) and os.getpgid(parent) != os.getpgrp()
    except OSError:
        return False
