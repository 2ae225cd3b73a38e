"""The real program in a real pseudo-terminal, its screen read by a terminal emulator."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pyte
from tests.support.commands import PROGRAM

PATIENCE = 60.0
FROM_A_TERMINAL = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
"""At their default after a login; tests run behind `nohup` or `&` would hand on that some are ignored."""


class Terminal:
    """`intruder-tui ARGUMENTS` in a terminal of a given size: what it wrote, what stands on the screen."""

    def __init__(
        self, *arguments: str | Path, cache: Path, columns: int = 80, lines: int = 24, **environment: str
    ) -> None:
        self.written = bytearray()
        self._code: int | None = None
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        program = self.program(*arguments)
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        settings = {
            **inherited,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "INTRUDER_TUI_CACHE": str(cache),
            "XDG_CONFIG_HOME": str(cache.with_name("config")),
            "XDG_STATE_HOME": str(cache.with_name("state")),
            **environment,
        }
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            for number in FROM_A_TERMINAL:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(program[0], program, settings)
        self.resize(columns, lines)

    def program(self, *arguments: str | Path) -> list[str]:
        """What is run, and its arguments."""
        return [sys.executable, "-c", PROGRAM, *map(str, arguments)]

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as dragging a window does."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._screen.resize(lines, columns)

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        os.kill(self.pid, number)

    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)

    def read(self, seconds: float) -> int:
        """Take in what the program writes for a while; how many bytes."""
        before = len(self.written)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.read_once(left):
            pass
        return len(self.written) - before

    def read_once(self, patience: float) -> bool:
        """Take in the next piece that is written, if one comes in time; False once the end is closed."""
        if select.select([self._descriptor], [], [], patience)[0]:
            try:
                content = os.read(self._descriptor, 65536)
            except OSError:  # the program has closed its end
                return False
            self.written += content
            self._stream.feed(content)
            return bool(content)
        return True

    def until(self, words: str, patience: float = PATIENCE) -> None:
        """Read until the words stand on the screen."""
        end = time.monotonic() + patience
        while words not in self.text():
            if time.monotonic() > end:
                raise AssertionError(f"{words!r} never appeared on:\n{self.text()}")
            self.read(0.1)

    def ended(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def wait(self, patience: float = PATIENCE) -> int:
        """Read to the end of the program; its exit code, negative for a signal."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            self.read(0.05)
            if (code := self.ended()) is not None:
                self.read(0.05)
                return code
        raise AssertionError(f"still running after {patience} s:\n{self.text()}")

    def hang_up(self, patience: float = PATIENCE) -> int:
        """Close the terminal's window under the program; its exit code, negative for a signal."""
        os.close(self._descriptor)
        self._descriptor = -1
        end = time.monotonic() + patience
        while (code := self.ended()) is None:
            assert time.monotonic() < end, f"still running {patience} s after its terminal went"
            time.sleep(0.02)
        return code

    def close(self) -> None:
        """End it, whatever it does."""
        if self.ended() is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @property
    def restored(self) -> bool:
        """Whether the terminal was left as it was found: main screen, visible cursor, no mouse reports."""
        end = bytes(self.written)
        return (
            end.rfind(b"\x1b[?1049l") > end.rfind(b"\x1b[?1049h")
            and end.rfind(b"\x1b[?25h") > end.rfind(b"\x1b[?25l")
            and end.rfind(b"\x1b[?1000l") >= end.rfind(b"\x1b[?1000h")
            and end.rfind(b"\x1b[?1003l") >= end.rfind(b"\x1b[?1003h")
        )


class Shell(Terminal):
    """An interactive shell that runs the program, so that it can be stopped and taken up again."""

    PROMPT = "shell> "

    def program(self, *arguments: str | Path) -> list[str]:
        """The shell; the program's command is typed by `run`."""
        self._command = shlex.join(super().program(*arguments))
        return ["env", f"PS1={self.PROMPT}", "bash", "--norc", "--noprofile", "--noediting", "-i"]

    def run(self) -> None:
        """Type the program's command."""
        self.until(self.PROMPT)
        self.send(self._command + "\n")

    def until_prompt(self, patience: float = PATIENCE) -> None:
        """Read until the shell is at the end of what was written, waiting for a command."""
        end = time.monotonic() + patience
        while not self.written.endswith(self.PROMPT.encode()):
            if time.monotonic() > end:
                raise AssertionError(f"no prompt at the end of:\n{self.text()}")
            self.read(0.1)
