"""What is known of tuned vectors, against the singular vectors themselves."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.results import base_weight, bounded, plant, planted, traced

from intruder_tui.definition import Definition, Side, Verdict
from intruder_tui.findings.intruders import intruder_rows


@pytest.mark.parametrize("side", list(Side))
def test_rows_say_what_numpy_says(side: Side) -> None:
    base = base_weight(64, 48)
    tuned = plant(base, [1.2, 0.4])
    u0, s0, v0 = np.linalg.svd(base, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(tuned, full_matrices=False)
    cosines = np.abs(u0.T @ u1) if side is Side.LEFT else np.abs(v0 @ v1.T)
    rows = intruder_rows(planted(64, 48, (1.2, 0.4)), Definition(side, 8, 0.5))
    assert [row.j for row in rows] == list(range(8))
    for row in rows:
        match = int(cosines[:, row.j].argmax())
        best = cosines[:, row.j].max()
        assert row.lower == row.upper == pytest.approx(best, abs=1e-6)
        assert row.match == match
        assert row.shift == match - row.j
        assert row.sigma == pytest.approx(s1[row.j], rel=1e-6)
        assert row.sigma_match == pytest.approx(s0[match], rel=1e-6)
        assert row.verdict is (Verdict.INTRUDER if best < 0.5 else Verdict.MATCHED)


def test_a_planted_pair_has_its_two_intruders() -> None:
    rows = intruder_rows(planted(96, 96, (1.2, 0.4)), Definition(k=10))
    assert sum(row.verdict is Verdict.INTRUDER for row in rows) == 2
    assert rows[0].verdict is Verdict.INTRUDER


def test_no_more_rows_than_are_known_or_asked_for() -> None:
    result = planted(limit=12)
    assert len(intruder_rows(result, Definition(k=40))) == 12
    assert len(intruder_rows(result, Definition(k=40), most=5)) == 5
    assert len(intruder_rows(result, Definition(k=1))) == 1


def test_a_low_best_with_a_high_window_share_is_perhaps_mixing() -> None:
    result = traced((1.2,), window=128)
    rows = intruder_rows(result, Definition(k=8))
    assert [row.words for row in rows if row.verdict is Verdict.INTRUDER] == ["intruder, mixing?"]
    assert not any(row.mixing for row in rows if row.verdict is Verdict.MATCHED)


def test_a_bound_says_that_it_is_one() -> None:
    assert {row.tier for row in intruder_rows(planted(), Definition())} == {"float64"}
    assert "bound" in {row.tier for row in intruder_rows(bounded(planted()), Definition())}
