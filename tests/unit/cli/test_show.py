"""`intruder-tui show`: one matrix as text and as data, and what is not one matrix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.commands import Q, intruder_tui

from intruder_tui.demo import DemoPaths


def test_show_prints_the_matrix_for_any_width(
    scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path
) -> None:
    for width in ("60", "120"):
        done = intruder_tui(
            "show", demo_pair.base, demo_pair.lora, "2.self_attn.q_proj", cache=cache, COLUMNS=width
        )
        assert done.returncode == 0, done.stderr
        assert "match no base vector" in " ".join(done.stdout.split())
        assert max(len(line) for line in done.stdout.splitlines()) <= int(width)
    plain = intruder_tui("show", demo_pair.base, demo_pair.lora, Q, "--ascii", cache=cache)
    assert plain.stdout.isascii()


def test_show_json_has_the_data(scanned: dict[str, Any], demo_pair: DemoPaths, cache: Path) -> None:
    done = intruder_tui("show", demo_pair.base, demo_pair.lora, Q, "--json", cache=cache)
    document = json.loads(done.stdout)
    assert document["definition"]["k"] == 10
    assert Q in json.dumps(document)


def test_show_says_which_names_it_could_mean(demo_pair: DemoPaths, cache: Path) -> None:
    unclear = intruder_tui("show", demo_pair.base, demo_pair.lora, "q_proj", cache=cache)
    assert unclear.returncode == 2
    assert "fits 4 matrices" in unclear.stderr
    missing = intruder_tui("show", demo_pair.base, demo_pair.lora, "w_proj", cache=cache)
    assert missing.returncode == 2
    assert "w_proj" in missing.stderr
