"""Random keys while a scan runs and workers are killed: program, terminal and cache stand it."""

from __future__ import annotations

from pathlib import Path

from tests.support.torment import endured


def test_random_keys_while_workers_die(tmp_path: Path) -> None:
    assert endured(tmp_path, keys=200, seed=11).killed
