"""The real program in a real tmux: what a person sees, and the shell that they get back.

Left out by default, since it needs tmux: `pytest -n0 -m tmux tests/ui`. It fails where there is none.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.tmux import Tmux

from intruder_tui.demo import DemoPaths

pytestmark = pytest.mark.tmux

FOUND = "7 intruder dimensions in 5 of 28 matrices"
SHELLS = {"alternate_on": False, "cursor_flag": True, "mouse_any_flag": False}
PAINT = re.compile(r"\x1b\[([\d;]*)m")
GREYS = {0, 7, 8, 15, 16, 59, 102, 145, 188, 231, *range(232, 256)}
"""Entries of the xterm palette without a hue."""
STORM = [(200, 60), (20, 8), (60, 20), (2, 2), (120, 40), (33, 9), (100, 30)]


@pytest.fixture
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    """A tmux of 100 x 30; the directory's path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="it-") as directory:
        opened = Tmux(Path(directory), 100, 30)
        yield opened
        opened.close()
        opened.until_gone()


def test_a_visit_from_a_shell(tmux: Tmux) -> None:
    tmux.until_prompt()
    before = tmux.answer("stty -g")
    tmux.type(tmux.program("demo"))
    first = tmux.until(FOUND)
    assert "q_proj" in first
    assert "Heatmap" in first

    for key, words in [
        ("2", "verdict"),
        ("3", "3/7 Spectrum"),
        ("4", "4/7 Update"),
        ("5", "5/7 Sweep"),
        ("6", "6/7 Map"),
        ("7", "7/7 Compare"),
        ("?", "In force now"),
        ("Escape", "7/7 Compare"),
        ("1", "1/7 Heatmap"),
    ]:
        tmux.press(key)
        tmux.until(words)

    quiet = tmux.settled()
    for columns, lines in STORM * 4:
        tmux.resize(columns, lines)
    tmux.until(FOUND)
    assert tmux.settled() == quiet  # nothing of the other sizes is left, nothing is missing

    tmux.press("C-z")
    tmux.until_prompt()
    assert tmux.modes() == SHELLS
    assert tmux.answer("stty -g") == before
    tmux.type("fg")
    tmux.until(FOUND)
    assert tmux.settled() == quiet

    tmux.press("q")
    assert tmux.exit_status() == 0
    assert tmux.modes() == SHELLS
    assert tmux.answer("stty -g") == before
    tmux.until_gone()


def painted(screen: str) -> tuple[set[int], bool]:
    """Entries of the xterm palette that a screen uses, and whether it uses others than the first 16."""
    entries: set[int] = set()
    extended = False
    for codes in PAINT.findall(screen):
        parts = [int(code or 0) for code in codes.split(";")]
        for kind, mode, entry in zip(parts, parts[1:], parts[2:], strict=False):
            if kind in (38, 48) and mode == 5:
                entries.add(entry)
                extended = True
        if parts[:1] not in ([38], [48]):
            entries.update(code % 10 for code in parts if code // 10 in (3, 4) and code % 10 < 8)
            entries.update(8 + code % 10 for code in parts if code // 10 in (9, 10) and code % 10 < 8)
    return entries, extended


@pytest.mark.parametrize(
    ("environment", "hues", "extended"),
    [
        ({"TERM": "screen-256color"}, True, True),
        ({"TERM": "screen"}, True, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False, True),
    ],
    ids=["screen-256color", "screen", "no-colour"],
)
def test_what_a_terminal_can_show(
    environment: dict[str, str], hues: bool, extended: bool, demo_pair: DemoPaths, tmux: Tmux
) -> None:
    tmux.type(tmux.program(demo_pair.base, demo_pair.lora, **environment))
    tmux.until("q_proj")
    tmux.press("2")
    tmux.press("Enter")
    text = tmux.until("matched")
    assert "2/7 Intruders" in text
    entries, beyond = painted(tmux.coloured())
    assert bool(entries - GREYS) is hues, entries
    assert beyond is extended
    tmux.press("q")
    assert tmux.exit_status() == 0
    assert tmux.modes() == SHELLS


def test_a_dumb_terminal_gets_words(demo_pair: DemoPaths, tmux: Tmux) -> None:
    tmux.type(tmux.program(demo_pair.base, demo_pair.lora, TERM="dumb"))
    tmux.until("TERM is dumb")
    assert tmux.exit_status() == 2
    assert tmux.modes() == SHELLS


def test_paste_and_copy_go_through_tmux(demo_pair: DemoPaths, tmux: Tmux) -> None:
    tmux.tmux("set-option", "-s", "set-clipboard", "on")
    tmux.tmux("set-buffer", "-b", "mine", "k_proj\r2")
    tmux.type(tmux.program(demo_pair.base, demo_pair.lora))
    tmux.until("q_proj")
    tmux.press("/")
    tmux.until("enter keep")
    tmux.tmux("paste-buffer", "-p", "-b", "mine")  # in brackets: its end of line presses nothing
    tmux.until("of 39 rows")
    assert "1/7 Heatmap" in tmux.settled()
    tmux.press("Enter")
    tmux.until("model.layers.0.self_attn.k_proj.weight")  # the first row that the filter left
    tmux.press("x")
    tmux.until("1 marked")
    tmux.press("M")
    tmux.until("OSC 52")
    assert "k_proj" in tmux.tmux("show-buffer")
    tmux.press("q")
    assert tmux.exit_status() == 0


def test_sigterm_gives_the_shell_back(demo_pair: DemoPaths, tmux: Tmux) -> None:
    before = tmux.answer("stty -g")
    tmux.type(tmux.program(demo_pair.base, demo_pair.lora))
    tmux.until("q_proj")
    os.kill(min(tmux.processes()), signal.SIGTERM)
    assert tmux.exit_status() == 128 + signal.SIGTERM
    assert tmux.modes() == SHELLS
    assert tmux.answer("stty -g") == before
    assert "q_proj" not in tmux.text()
    tmux.until_gone()


def test_a_closed_session_leaves_no_process(demo_pair: DemoPaths, tmux: Tmux) -> None:
    tmux.type(tmux.program(demo_pair.base, demo_pair.lora))
    tmux.until("q_proj")
    tmux.press("a")
    tmux.until("intruder dimension")
    assert len(tmux.processes()) > 1  # the program and its worker
    tmux.tmux("kill-session")
    tmux.until_gone()
