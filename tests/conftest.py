"""Fixtures that several kinds of tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from intruder_tui.cache import Cache
from intruder_tui.demo import DemoPaths, write_demo


@pytest.fixture(scope="session")
def demo_pair(tmp_path_factory: pytest.TempPathFactory) -> DemoPaths:
    """The demo's three checkpoints, written once a run; treat them as read-only."""
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")
