"""How long a stage has lasted."""

from __future__ import annotations

from tests.support.clock import Clock

from intruder_tui.ui.stopwatch import Stopwatch


def test_the_watch_starts_anew_with_each_stage() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    assert watch.seconds("a") is None
    watch.entered("a", "reading")
    clock.now += 3
    watch.entered("a", "reading")
    assert watch.seconds("a") == 3
    watch.entered("a", "comparing")
    assert watch.seconds("a") == 0
    watch.entered("b", "reading")
    assert watch.seconds("a") is None
