"""The demo's answers, computed once for all commands that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import intruder_tui

from intruder_tui.demo import DemoPaths


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for these tests: commands after the first find its answers."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="package")
def scanned(demo_pair: DemoPaths, cache: Path) -> dict[str, Any]:
    """The document of one scan of both tuned checkpoints."""
    done = intruder_tui("scan", demo_pair.base, demo_pair.lora, demo_pair.full, "--json", "-", cache=cache)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document
