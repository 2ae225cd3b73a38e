"""How long a stage has lasted."""

from __future__ import annotations

import pytest
from tests.support.clock import Clock
from tests.support.engines import SilentEngine
from tests.support.sessions import adapted_row, session, study_of

from intruder_tui.engine.protocol import Stage
from intruder_tui.engine.session import Session
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.stopwatch import Stopwatch
from intruder_tui.ui.studying import under_way

NAME = "layers.0.mlp.up.weight"


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


def test_numbered_steps_are_one_stage() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.entered("a", "scaling 9 of 33")
    clock.now += 3
    watch.entered("a", "scaling 10 of 33")
    assert watch.seconds("a") == 3
    watch.entered("a", "storing")
    assert watch.seconds("a") == 0


@pytest.mark.parametrize(("seconds", "told"), [(0.0, ""), (1.9, ""), (4.0, " 0:04")])
def test_a_study_tells_its_time_once_that_is_no_zero(seconds: float, told: str) -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    one = session([adapted_row(NAME)], SilentEngine(), {})
    study = study_of(one, NAME, StudyKind.SCALINGS)
    one.desk.request(NAME, StudyKind.SCALINGS)
    assert under_way_variants(one, watch)[-1] == "other scalings: queued"
    one.desk.apply(Stage(study, "scaling 21 of 33"))
    watch.entered(study, "scaling 21 of 33")
    clock.now += seconds
    *_, middle, shortest = under_way_variants(one, watch)
    assert middle == f"other scalings: scaling 21 of 33{told}"
    assert shortest == f"other scalings{told}"


def under_way_variants(one: Session, watch: Stopwatch) -> list[str]:
    found = under_way([one], watch)
    assert found is not None
    return found.variants()
