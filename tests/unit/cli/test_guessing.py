"""First words that are no command, and a BASE without a TUNED."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.commands import intruder_tui

from intruder_tui.cli.app import application
from intruder_tui.cli.guessing import COMMANDS
from intruder_tui.demo import DemoPaths


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["frob"], "frob: no such file or directory, and no command of that name; --help lists them"),
        (["scna", ".", "."], "scna: no such file or directory, and no command of that name; scan is one"),
        (["lst", "--json"], "lst: no such file or directory, and no command of that name; list is one"),
        (["./frob"], "./frob: no such file or directory"),
    ],
)
def test_a_word_that_names_nothing_is_told_in_a_line(arguments: list[str], line: str, tmp_path: Path) -> None:
    done = intruder_tui(*arguments, cache=tmp_path, HF_HUB_CACHE=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"intruder-tui: {line}\n"


def test_a_lone_path_is_told_what_it_is(demo_pair: DemoPaths, tmp_path: Path) -> None:
    done = intruder_tui(demo_pair.base, cache=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"intruder-tui: {demo_pair.base}: ")
    assert "give BASE and TUNED" in line


def test_every_command_is_known_before_it_is_parsed() -> None:
    app = application()
    commands = {command.name for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups}
    assert commands | groups == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_there_without_the_others(name: str) -> None:
    app = application(name)
    assert [one.name for one in (*app.registered_commands, *app.registered_groups)] == [name]
