"""Verdicts from a result's numbers: what is certain, what is a tie, what is too near to the threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pairs import FAMILIES
from tests.support.spectral_oracle import truth
from tests.support.weights import orthonormal

from intruder_tui.definition import Definition, Side, Verdict
from intruder_tui.engine.compute import to_result
from intruder_tui.results import Floats, Similarity
from intruder_tui.spectral import (
    Comparison,
    LowRank,
    compare_certified,
    compare_exact,
    compare_with_factors,
    factorise_base,
)


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def similarity(least: float, best: float, most: float, overlap: float | None = None) -> Similarity:
    index, block = np.zeros(1, np.int32), np.empty((0, 0), np.float32)
    span = floats(best if overlap is None else overlap)
    return Similarity(floats(best), floats(best), index, block, None, floats(least), floats(most), span)


@pytest.mark.parametrize(
    ("least", "best", "most", "overlap", "verdict"),
    [
        (0.30, 0.31, 0.32, None, Verdict.INTRUDER),
        (0.60, 0.61, 0.62, None, Verdict.MATCHED),
        (0.499, 0.5, 0.501, None, Verdict.BORDERLINE),
        (0.499, 0.4999, 0.501, None, Verdict.BORDERLINE),
        (0.35, 0.36, 0.98, 0.97, Verdict.CLUSTERED),
        (0.35, 0.51, 0.98, 0.97, Verdict.CLUSTERED),
        (0.51, 0.52, 0.98, 0.97, Verdict.MATCHED),
        (0.20, 0.21, 0.46, 0.45, Verdict.INTRUDER),
        (0.20, 0.21, 0.501, 0.4999, Verdict.BORDERLINE),
    ],
)
def test_verdicts_of_values(
    least: float, best: float, most: float, overlap: float | None, verdict: Verdict
) -> None:
    assert similarity(least, best, most, overlap).verdict(0, 0.5) is verdict


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.floats(0, 1), st.floats(0, 1))
def test_the_count_falls_with_eps_and_open_ones_lie_between(
    values: list[float], one: float, other: float
) -> None:
    least, best, most = sorted(values)
    low, high = sorted((one, other))
    found = similarity(least, best, most)
    order = {Verdict.MATCHED: 0, Verdict.BORDERLINE: 1, Verdict.INTRUDER: 2}
    assert order[found.verdict(0, low)] <= order[found.verdict(0, high)]


def test_without_a_range_the_bounds_decide() -> None:
    index, block = np.full(2, -1, np.int32), np.empty((0, 0), np.float32)
    found = Similarity(floats(0.5, 0.4), floats(0.5, 0.6), index, block)
    assert found.verdict(0, 0.5) is Verdict.MATCHED
    assert found.verdict(1, 0.5) is Verdict.UNDECIDED
    assert [v.open for v in found.verdicts(Definition(k=2))] == [False, True]


M, N = 40, 50
TIED = 100


def verdicts(found: Comparison, side: Side, eps: float = 0.5, k: int = 10) -> list[Verdict]:
    result = to_result(found, (M, N), None, "cpu")
    return result.side(side).verdicts(Definition(side, k, eps))


@pytest.mark.parametrize("side", Side)
def test_a_direction_within_tied_base_vectors_is_clustered_not_new(side: Side) -> None:
    """A direction of a tied span of 100 is raised: no base vector is near it, their span holds it whole."""
    u, v = orthonormal(120, 120, 1), orthonormal(130, 120, 2)
    sigma = torch.cat((torch.full((TIED,), 3.0), torch.linspace(2, 0.5, 120 - TIED))).double()
    base = u * sigma @ v.T
    mix = orthonormal(TIED, 1, 3)
    tuned = base + u[:, :TIED] @ mix @ (v[:, :TIED] @ mix).T
    exact = compare_exact(base, tuned)
    assert verdicts(exact, side, k=1) == [Verdict.CLUSTERED]
    bounds = compare_certified(base, tuned, k=1, small=0, escalate=False)
    kept = compare_with_factors(factorise_base(base), base, tuned, k=1)
    assert verdicts(bounds, side, k=1) == verdicts(kept, side, k=1) == [Verdict.UNDECIDED]


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "clustered"])
def test_the_count_is_the_peers_wherever_nothing_is_tied(name: str) -> None:
    base, tuned = FAMILIES[name](M, N, 3)
    expected = truth(base, tuned)
    for side, cosines in ((Side.LEFT, expected.left), (Side.RIGHT, expected.right)):
        for eps in (0.3, 0.5, 0.7):
            found = verdicts(compare_exact(base, tuned), side, eps)
            peers = [Verdict.INTRUDER if best < eps else Verdict.MATCHED for best in cosines[:, :10].max(0)]
            assert found == peers


def test_a_value_at_the_threshold_to_the_last_digit_is_borderline() -> None:
    """Its 24 bits can not tell on which side it lies."""
    base, tuned = FAMILIES["random_lora"](M, N, 3)
    assert isinstance(tuned, LowRank)
    exact = compare_exact(base, tuned)
    for j in range(5):
        eps = float(exact.left.lower[j])
        assert verdicts(exact, Side.LEFT, eps)[j] is Verdict.BORDERLINE
        assert verdicts(exact, Side.LEFT, eps + 1e-6)[j] is Verdict.INTRUDER
        assert verdicts(exact, Side.LEFT, eps - 1e-6)[j] is Verdict.MATCHED
