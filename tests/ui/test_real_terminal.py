"""The real program in a real pseudo-terminal: it starts, answers, and leaves the terminal as it was."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.support.terminal import Shell, Terminal
from tests.support.torment import workers_of

from intruder_tui.demo import DemoPaths


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Terminals to close, whatever happens."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(
    ("columns", "lines", "environment", "options"),
    [
        (80, 24, {"TERM": "xterm-256color"}, []),
        (60, 20, {"TERM": "screen"}, []),
        (80, 24, {"TERM": "xterm-256color", "NO_COLOR": "1"}, []),
        (80, 24, {"TERM": "xterm"}, ["--ascii", "--no-mouse", "--color", "16"]),
    ],
)
def test_the_demo_opens_finds_and_quits(
    columns: int,
    lines: int,
    environment: dict[str, str],
    options: list[str],
    cache: Path,
    terminals: list[Terminal],
) -> None:
    terminal = Terminal("demo", *options, cache=cache, columns=columns, lines=lines, **environment)
    terminals.append(terminal)
    terminal.until("lora-r8")
    terminal.until("7 intruder dimensions in 5")  # the demo scans by itself
    if "--ascii" in options:
        assert terminal.text().isascii()
    if "--no-mouse" in options:
        assert b"\x1b[?1000h" not in terminal.written
    terminal.send("q")
    assert terminal.wait() == 0
    assert terminal.restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_sane(
    number: signal.Signals, demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal(demo_pair.base, demo_pair.lora, cache=cache)
    terminals.append(terminal)
    terminal.until("lora-r8")
    terminal.signal(number)
    terminal.wait()
    assert terminal.restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_frame_leaves_the_terminal_sane(
    number: signal.Signals, demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal(demo_pair.base, demo_pair.lora, cache=cache)
    terminals.append(terminal)
    while b"\x1b[?1049h" not in terminal.written:
        terminal.read(0.005)
    terminal.signal(number)
    assert terminal.wait() == 128 + number
    assert terminal.restored


def test_q_ends_at_once_in_the_middle_of_a_factorisation(
    tmp_path: Path, cache: Path, terminals: list[Terminal]
) -> None:
    rng = np.random.default_rng(0)
    base = rng.standard_normal((3000, 3000), dtype=np.float32)
    for name, array in (("base", base), ("tuned", base + rng.standard_normal(base.shape, dtype=np.float32))):
        save_file({"layers.0.up_proj.weight": array}, tmp_path / f"{name}.safetensors")
    terminal = Terminal(tmp_path / "base.safetensors", tmp_path / "tuned.safetensors", cache=cache)
    terminals.append(terminal)
    terminal.until("up_proj")
    terminal.send("\r")
    terminal.until("omputing")
    started = time.monotonic()
    terminal.send("q")
    assert terminal.wait() == 0
    assert time.monotonic() - started < 5  # the factorisation takes far longer
    assert terminal.restored


def test_an_idle_screen_writes_nothing(demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(demo_pair.base, demo_pair.lora, cache=cache)
    terminals.append(terminal)
    terminal.until("lora-r8")
    terminal.send("a")
    terminal.until("7 intruder dimensions")
    terminal.read(2.0)
    assert terminal.read(2.0) == 0


def test_a_storm_of_sizes_is_survived(demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(demo_pair.base, demo_pair.lora, cache=cache)
    terminals.append(terminal)
    terminal.until("lora-r8")
    for columns, lines in [(200, 60), (10, 5), (60, 20), (1, 1), (120, 34), (33, 9), (80, 24)] * 3:
        terminal.resize(columns, lines)
        terminal.read(0.05)
    terminal.until("lora-r8")
    terminal.send("q")
    assert terminal.wait() == 0
    assert terminal.restored


def test_keys_and_theme_come_from_a_file_and_a_choice_stays(
    demo_pair: DemoPaths, cache: Path, tmp_path: Path, terminals: list[Terminal]
) -> None:
    config = tmp_path / "keys.toml"
    config.write_text('[keys]\nquit = "Q"\nthemes = "f4"\nno-such = "e"\n')
    terminal = Terminal(
        demo_pair.base, demo_pair.lora, cache=cache, columns=110, INTRUDER_TUI_CONFIG=str(config)
    )
    terminals.append(terminal)
    terminal.until("[keys] no-such: no such action")
    terminal.until("Q quit")
    terminal.send("q\x1bOS")  # q is free, F4 asks for a theme
    terminal.until("a theme")
    terminal.send("ansi-light")
    terminal.until("ansi-light")
    terminal.read(1.0)
    terminal.send("\r")
    terminal.until("Q quit")
    terminal.read(0.5)
    terminal.send("Q")
    assert terminal.wait() == 0
    assert terminal.restored
    (kept,) = (tmp_path / "state").rglob("choices.json")
    assert json.loads(kept.read_text()) == {"theme": "ansi-light"}
    assert config.read_text().startswith("[keys]\nquit")


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back_to_a_whole_screen(
    cache: Path, terminals: list[Terminal]
) -> None:
    shell = Shell("demo", cache=cache, columns=100, lines=30)
    terminals.append(shell)
    shell.run()
    shell.until("7 intruder dimensions in 5")
    shell.until("next intruder")
    shell.send("\x1a")
    shell.until("Stopped")
    shell.until_prompt()
    assert shell.restored
    shell.send("clear; echo $((6 * 7))\n")
    shell.until("42")
    assert "intruder dimensions" not in shell.text()
    shell.send("fg\n")
    shell.until("7 intruder dimensions in 5")
    shell.until("next intruder")
    shell.until("q_proj")
    assert "42" not in shell.text().splitlines()[1]
    shell.send("\r2")
    shell.until("2/7 Intruders")
    shell.send("q")
    shell.until_prompt()
    assert shell.restored
    shell.send("exit\n")
    assert shell.wait() == 0


def test_where_no_shell_can_take_it_up_again_ctrl_z_says_so(cache: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal("demo", cache=cache, columns=100, lines=30)
    terminals.append(terminal)
    terminal.until("7 intruder dimensions in 5")
    terminal.send("\x1a")
    terminal.until("There is no shell here")
    terminal.send("q")
    assert terminal.wait() == 0


def test_a_dumb_terminal_gets_the_table_and_the_interface_says_why_not(
    demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]
) -> None:
    table = Terminal("demo", cache=cache, columns=120, lines=60, TERM="dumb")
    terminals.append(table)
    assert table.wait() == 0
    assert "7 intruder dimensions in 5 of 28 matrices" in " ".join(table.text().split())
    assert b"\x1b" not in table.written
    refused = Terminal(demo_pair.base, demo_pair.lora, cache=cache, columns=120, TERM="dumb")
    terminals.append(refused)
    assert refused.wait() == 2
    assert "the interface needs a terminal: TERM is dumb" in " ".join(refused.text().split())


def test_bad_paths_come_before_anything_else(cache: Path, terminals: list[Terminal]) -> None:
    for term in ("xterm-256color", "dumb"):
        terminal = Terminal("/no/such/base", "/no/such/tuned", cache=cache, columns=120, TERM=term)
        terminals.append(terminal)
        assert terminal.wait() == 2
        assert "/no/such/base" in terminal.text()
        assert b"\x1b[?1049h" not in terminal.written


def test_the_terminal_is_sane_after_a_kill_of_the_worker(
    demo_pair: DemoPaths, cache: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal(demo_pair.base, demo_pair.lora, cache=cache)
    terminals.append(terminal)
    terminal.until("lora-r8")
    terminal.send("a")
    for worker in workers_of(terminal.pid):
        os.kill(worker, signal.SIGKILL)
    terminal.until("intruder dimensions")  # another worker has gone on with it
    terminal.send("q")
    assert terminal.wait() == 0
    assert terminal.restored
