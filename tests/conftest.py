"""Fixtures that several kinds of tests share."""

from __future__ import annotations

import gc
import os

# Read when numpy and torch are first loaded, in the processes that tests start as well. The suite has a
# process a core already: threads that wait for one another on a busy core would double its time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest
from hypothesis import settings

from intruder_tui.cache import Cache
from intruder_tui.demo import DemoPaths, write_demo

# With Python's thresholds a quarter of the interface tests' time went into looking for cycles.
gc.set_threshold(50_000, 20, 100)

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def demo_pair(tmp_path_factory: pytest.TempPathFactory) -> DemoPaths:
    """The demo's three checkpoints, written once a run; treat them as read-only."""
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: tests of the interface wait for half of their time."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
