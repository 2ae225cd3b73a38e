"""The real program in a real tmux: what a person sees there, and what is left when it ends."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

PATIENCE = 40.0
PROMPT = "shell> "
Seen = TypeVar("Seen")


class Tmux:
    """A tmux server of its own with one session, in it an interactive shell.

    `directory` holds its socket, whose path must be short, and what the program keeps; nothing of the
    person's own configuration is read.

    Raises:
        FileNotFoundError: tmux is not installed.
    """

    def __init__(self, directory: Path, columns: int = 80, lines: int = 24) -> None:
        self._cache = directory / "cache"
        self._asked = 0
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        self._environment = {
            **inherited,
            "LANG": "C.UTF-8",
            "TMUX_TMPDIR": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_STATE_HOME": str(directory / "state"),
        }
        self._command = ["tmux", "-L", "intruder-tui", "-u", "-f", "/dev/null"]
        shell = f"PS1={shlex.quote(PROMPT)} exec bash --norc --noprofile --noediting -i"
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), shell)
        self.until(PROMPT.rstrip())

    def tmux(self, *arguments: str) -> str:
        """A tmux command; what it prints."""
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"tmux {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def close(self) -> None:
        """End the server and whatever runs in it."""
        with suppress(AssertionError):  # a killed session was the server's last one
            self.tmux("kill-server")

    # What a person does --------------------------------------------------------------------------

    def program(self, *arguments: str | Path, **environment: str) -> str:
        """The shell command that starts the program under those variables."""
        start = [sys.executable, "-c", "from intruder_tui.cli import main; main()", *map(str, arguments)]
        variables = {"TERM": "xterm-256color", "INTRUDER_TUI_CACHE": str(self._cache), **environment}
        return shlex.join(["env", *(f"{name}={value}" for name, value in variables.items()), *start])

    def type(self, line: str) -> None:
        """Type a line into the shell."""
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them: "n", "Enter", "C-z"."""
        self.tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        """Drag the window to a size."""
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    # What a person sees --------------------------------------------------------------------------

    def text(self) -> str:
        """The screen."""
        return self.tmux("capture-pane", "-p")

    def coloured(self) -> str:
        """The screen with its escape sequences for colours and styles."""
        return self.tmux("capture-pane", "-p", "-e")

    def until(self, words: str) -> str:
        """Wait until the words stand on the screen; the screen."""
        return self._awaited(self.text, lambda text: words in text, repr(words))

    def settled(self) -> str:
        """Wait until the screen has stopped changing for half a second; the screen."""
        seen, since = self.text(), time.monotonic()
        end = since + PATIENCE
        while time.monotonic() - since < 0.5 and time.monotonic() < end:
            time.sleep(0.1)
            if (now := self.text()) != seen:
                seen, since = now, time.monotonic()
        return seen

    def modes(self) -> dict[str, bool]:
        """Whether the other screen is in front, the cursor is shown, the mouse is reported."""
        names = ("alternate_on", "cursor_flag", "mouse_any_flag")
        shown = self.tmux("display-message", "-p", " ".join(f"#{{{name}}}" for name in names)).split()
        return {name: flag == "1" for name, flag in zip(names, shown, strict=True)}

    # What is left --------------------------------------------------------------------------------

    def answer(self, command: str) -> str:
        """Type a command into the shell once it has its prompt; the line that it prints."""
        self.until_prompt()
        self._asked += 1
        mark = f"{self._asked:03}"
        # The typed line itself holds no mark in one piece.
        self.type(f"echo '<''{mark}'\"$({command})\"'{mark}''>'")
        wanted = re.compile(f"<{mark}(.*){mark}>")
        self._awaited(self._joined, lambda text: wanted.search(text) is not None, "an answer")
        found = wanted.search(self._joined())
        assert found is not None
        return found[1]

    def exit_status(self) -> int:
        """The status of what ended last in the shell."""
        return int(self.answer("echo $?"))

    def _joined(self) -> str:
        return self.tmux("capture-pane", "-p", "-J")

    def until_prompt(self) -> None:
        """Wait until the last line on the screen is the shell's prompt."""

        def at_prompt(text: str) -> bool:
            return text.rstrip().splitlines()[-1:] == [PROMPT.rstrip()]

        self._awaited(self.text, at_prompt, "a prompt at the end")

    def processes(self) -> list[int]:
        """Programs and workers that were started with this cache and still run."""
        marker = f"INTRUDER_TUI_CACHE={self._cache}\0".encode()
        found = []
        for one in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if marker in (one / "environ").read_bytes():
                    found.append(int(one.name))
        return found

    def until_gone(self) -> None:
        """Wait until no process of the program is left."""
        self._awaited(self.processes, lambda found: not found, "no process left")

    def _awaited(self, look: Callable[[], Seen], enough: Callable[[Seen], bool], words: str) -> Seen:
        end = time.monotonic() + PATIENCE
        while not enough(seen := look()):
            if time.monotonic() > end:
                raise AssertionError(f"{words} never came; there is:\n{seen}")
            time.sleep(0.05)
        return seen
