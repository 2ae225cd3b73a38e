"""The cache as the commands use it: shown, emptied, and damaged."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import Q, intruder_tui

from intruder_tui.demo import DemoPaths


def test_cache_commands(demo_pair: DemoPaths, tmp_path: Path) -> None:
    assert intruder_tui("cache", "path", cache=tmp_path).stdout.strip() == str(tmp_path)
    intruder_tui("show", demo_pair.base, demo_pair.lora, Q, cache=tmp_path)
    assert "1 results" in intruder_tui("cache", "info", cache=tmp_path).stdout.replace(
        "1 result,", "1 results,"
    )
    assert intruder_tui("cache", "clear", cache=tmp_path).returncode == 0
    assert "0 results" in intruder_tui("cache", "info", cache=tmp_path).stdout


def test_damaged_results_are_computed_again(demo_pair: DemoPaths, tmp_path: Path) -> None:
    intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    for entry in (tmp_path / "results").glob("??/*"):
        content = bytearray(entry.read_bytes())
        content[-5] ^= 1
        entry.write_bytes(content)
    damaged = intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    if damaged.returncode == 0:
        assert "7 intruder dimensions" in damaged.stdout
    else:
        assert damaged.returncode == 1
        assert "ask for it again" in damaged.stdout
    healed = intruder_tui("scan", demo_pair.base, demo_pair.lora, cache=tmp_path)
    assert healed.returncode == 0
    assert "7 intruder dimensions" in healed.stdout
