"""Which intruder is the strongest, and whether bounds leave that open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.engines import SilentEngine
from tests.support.results import clean, planted
from tests.support.sessions import matrix_row, session

from intruder_tui.definition import Definition
from intruder_tui.results import MatrixResult, Similarity, Tier

Q, V = "layers.0.q_proj.weight", "layers.0.v_proj.weight"


def known(*best: tuple[float, float]) -> MatrixResult:
    """A result with these bounds of best(j) on the left side."""
    lower, upper = (np.array(ends, np.float32) for ends in zip(*best, strict=True))
    left = Similarity(lower, upper, np.full(len(best), -1, np.int32), np.empty((0, 0), np.float32))
    tier = Tier.EXACT if (lower == upper).all() else Tier.CERTIFICATE
    return replace(planted(64, 48), left=left, tier=tier)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ([(0.12, 0.12), (0.9, 0.9)], [(0.2, 0.4)], (Q, 0, True)),
        ([(0.12, 0.12), (0.9, 0.9)], [(0.05, 0.4)], (Q, 0, False)),
        ([(0.12, 0.12), (0.05, 0.3)], [(0.9, 0.9)], (Q, 0, False)),
        ([(0.9, 0.9), (0.0, 0.2)], [(0.3, 0.3)], (Q, 1, True)),
        ([(0.12, 0.12)], [(0.05, 0.7)], (Q, 0, False)),
    ],
)
def test_bounds_that_leave_room_for_a_lower_best_leave_the_strongest_open(
    first: list[tuple[float, float]], second: list[tuple[float, float]], found: tuple[str, int, bool]
) -> None:
    results = {Q: known(*first), V: known(*second)}
    one = session([matrix_row(Q), matrix_row(V)], SilentEngine(), results, ready=[Q, V])
    definition = Definition(k=len(first))
    one.definition = definition
    one.prime()
    for name in (Q, V):
        one.request(name)
    strongest = one.strongest(definition)
    assert strongest is not None
    assert (strongest.name, strongest.j, strongest.certain) == found
    ends = (first if strongest.name == Q else second)[strongest.j]
    assert (strongest.lower, strongest.upper) == pytest.approx(ends)


def test_without_an_intruder_none_is_the_strongest() -> None:
    one = session([matrix_row(Q)], SilentEngine(), {Q: clean()}, ready=[Q])
    one.prime()
    assert one.strongest(Definition()) is None
