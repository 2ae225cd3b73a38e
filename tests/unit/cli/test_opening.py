"""Without a terminal: the interface, the demo, and no arguments at all."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import intruder_tui

from intruder_tui.demo import DemoPaths


def test_the_demo_without_a_terminal_prints_the_table(tmp_path: Path) -> None:
    done = intruder_tui("demo", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "7 intruder dimensions in 5 of 28 matrices" in done.stdout
    written = intruder_tui("demo", "--write", tmp_path / "pair", cache=tmp_path)
    assert written.returncode == 0
    assert (tmp_path / "pair" / "lora-r8" / "adapter_config.json").is_file()


def test_without_a_terminal_the_interface_refuses(demo_pair: DemoPaths, cache: Path) -> None:
    done = intruder_tui(demo_pair.base, demo_pair.lora, cache=cache)
    assert done.returncode == 2
    assert "terminal" in done.stderr


def test_no_arguments_show_the_two_ways_to_start(cache: Path) -> None:
    done = intruder_tui(cache=cache)
    assert done.returncode == 0
    assert "intruder-tui BASE TUNED" in done.stdout
    assert "intruder-tui demo" in done.stdout
