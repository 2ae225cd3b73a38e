"""Measures of the update: closed forms, and the factors' answer against the merged one."""

from __future__ import annotations

import math

import pytest
import torch
from tests.support.weights import adapter, gaussian, merged, power_law

from intruder_tui.spectral import compare_exact
from intruder_tui.spectral.measures import (
    effective_rank,
    energy_ranks,
    low_rank_sigma,
    rounding_floor,
    stable_rank,
)


def test_equal_values_count_themselves() -> None:
    sigma = torch.full((10,), 3.0, dtype=torch.float64)
    assert effective_rank(sigma) == pytest.approx(10)
    assert stable_rank(sigma) == pytest.approx(10)
    assert energy_ranks(sigma) == (9, 10, 10)


def test_entropy_of_two_values() -> None:
    sigma = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
    assert effective_rank(sigma) == pytest.approx(math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25))))
    assert stable_rank(sigma) == pytest.approx(10 / 9)
    assert energy_ranks(sigma) == (1, 2, 2)


def test_zeros_have_no_measures() -> None:
    sigma = torch.zeros(4, dtype=torch.float64)
    assert (effective_rank(sigma), stable_rank(sigma), energy_ranks(sigma)) == (None, None, None)


def test_factors_give_the_spectrum_of_their_product() -> None:
    for m, n, r in ((30, 50, 4), (50, 30, 4), (5, 6, 8), (1, 6, 2)):
        update = adapter(m, n, r, size=-2.0)
        product = merged(torch.zeros(m, n), update)
        expected = torch.linalg.svdvals(product)[: min(m, n, r)]
        torch.testing.assert_close(low_rank_sigma(update), expected, atol=1e-13, rtol=0)


def test_merged_and_factored_updates_measure_the_same() -> None:
    base, update = power_law(40, 60), adapter(40, 60, 5, 0.01)
    factored = compare_exact(base, update).update
    whole = compare_exact(base, merged(base, update)).update
    assert whole.effective_rank == pytest.approx(factored.effective_rank, rel=1e-9)
    assert whole.stable_rank == pytest.approx(factored.stable_rank)
    assert whole.energy_ranks == factored.energy_ranks
    assert whole.frobenius == pytest.approx(factored.frobenius)
    assert whole.relative_norm == pytest.approx(factored.relative_norm)
    assert factored.rounding_floor is None


def test_rounding_floor_is_what_a_cast_alone_does() -> None:
    base = gaussian(30, 40).float()
    floor = rounding_floor(base, base.bfloat16())
    assert floor == pytest.approx(float((base.bfloat16().double() - base.double()).norm()))
    assert rounding_floor(base, base + 1) == 0.0
    assert rounding_floor(base.bfloat16(), base) == 0.0
    tuned = compare_exact(base, base.bfloat16())
    assert tuned.update.rounding_floor == pytest.approx(tuned.update.frobenius)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_merge_into_the_bases_own_16_bits_has_a_rounding_floor(dtype: torch.dtype) -> None:
    base = (0.02 * gaussian(200, 300)).to(dtype)
    update = 0.02 * gaussian(200, 4, 1) @ gaussian(4, 300, 2)
    tuned = (base.double() + update).to(dtype)
    lost = float((tuned.double() - base.double() - update).norm())
    assert rounding_floor(base, tuned) == pytest.approx(lost, rel=0.15)
    few = base.clone()
    few[3] = tuned[3]
    one_row = float((few[3].double() - base[3].double() - update[3]).norm())
    assert rounding_floor(base, few) == pytest.approx(one_row, rel=0.25)
    assert rounding_floor(base, base) == 0.0


def test_weight_cosine() -> None:
    base = gaussian(5, 7)
    assert compare_exact(base, 2 * base).weight_cosine == pytest.approx(1.0)
    assert compare_exact(base, -base).weight_cosine == pytest.approx(-1.0)
    tuned = gaussian(5, 7, 3)
    expected = float((base * tuned).sum() / (base.norm() * tuned.norm()))
    assert compare_exact(base, tuned).weight_cosine == pytest.approx(expected)
