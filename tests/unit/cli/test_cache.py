"""The cache as the commands use it: shown, emptied, and damaged."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.commands import Q, intruder_tui

from intruder_tui.demo import DemoPaths


def test_cache_commands(demo_pair: DemoPaths, tmp_path: Path) -> None:
    assert intruder_tui("cache", "path", cache=tmp_path).stdout.strip() == str(tmp_path)
    intruder_tui("show", demo_pair.base, demo_pair.lora, Q, cache=tmp_path)
    _, *lines = intruder_tui("cache", "info", cache=tmp_path).stdout.splitlines()
    assert lines[0].startswith("1 result, 3 content hashes, ")  # of the base's weight and of A and B
    counts = [int(count) for line in lines for count in re.findall(r"(\d+) [a-z]{4,}", line.split(" of ")[0])]
    cleared = intruder_tui("cache", "clear", cache=tmp_path)
    assert f": removed {sum(counts)} entries: 1 result, 3 content hashes, " in cleared.stdout
    assert "0 results, 0 content hashes" in intruder_tui("cache", "info", cache=tmp_path).stdout


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
