"""The terminal and who else has it: leaving it as it was found, and to a shell only where there is one."""

from __future__ import annotations

import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

_LEAVE = "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?1004l\x1b[<u"
"""Main screen, visible cursor; mouse, paste and focus reports off, ordinary keys."""


def guard_terminal(close: Callable[[], None]) -> None:
    """On SIGTERM and SIGHUP: restore the terminal as it is now, call `close`, end with 128 + the signal.

    The app replaces these handlers once its event loop runs. Without a terminal nothing is done.
    """
    try:
        found = termios.tcgetattr(sys.stdin.fileno())
    except (OSError, ValueError, termios.error):
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        with suppress(Exception):
            close()
        # Last of all: Textual's own thread may still be writing what it had queued.
        with suppress(OSError, ValueError, termios.error):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, _LEAVE.encode())
            termios.tcsetattr(0, termios.TCSANOW, found)
        os._exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError, OSError):  # not the main thread
            signal.signal(number, leave)


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
