"""Measures of the update: closed forms, and the factors' answer against the merged one."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.support.weights import adapter, gaussian, merged, power_law

from intruder_tui.spectral import LowRank, compare_exact
from intruder_tui.spectral.measures import (
    effective_rank,
    energy_ranks,
    low_rank_sigma,
    rounding_floor,
    stable_rank,
)
from intruder_tui.spectral.pair import measure, survey


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


def test_the_rounding_floor_of_what_the_tuned_dtype_cannot_hold() -> None:
    base = torch.tensor([[70_000.0, 1.0], [-1e6, 0.5]])
    tuned = torch.tensor([[65_504.0, 1.0], [-65_504.0, 0.5]], dtype=torch.float16)
    expected = math.hypot(70_000.0 - 65_504.0, 1e6 - 65_504.0)
    assert rounding_floor(base, tuned) == pytest.approx(expected)


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


WIDE = [
    (torch.bfloat16, torch.bfloat16),
    (torch.float16, torch.float16),
    (torch.float32, torch.bfloat16),
    (torch.float32, torch.float16),
    (torch.float64, torch.float32),
    (torch.float16, torch.bfloat16),
]


@pytest.mark.parametrize("tall", [True, False])
@pytest.mark.parametrize(("before", "after"), WIDE)
def test_the_rounding_floor_of_many_panels(before: torch.dtype, after: torch.dtype, tall: bool) -> None:
    base = gaussian(200, 3000).to(before)
    tuned = base.to(after)
    tuned[::3] = (tuned[::3].double() * 1.25).to(after)
    if tall:
        base, tuned = base.T, tuned.T
    old, new = base.double().numpy(), tuned.double().numpy()
    if before == after:
        expected = torch.finfo(after).eps * float(np.sqrt(np.square(new[old != new]).sum() * 3 / 7 / 12))
    else:
        expected = float(np.linalg.norm(base.to(after).double().numpy() - old))
    assert rounding_floor(base, tuned) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("size", [2.0**-110, 2.0**110])
@pytest.mark.parametrize("before", [torch.bfloat16, torch.float32])
def test_the_rounding_floor_of_entries_whose_squares_leave_float32(before: torch.dtype, size: float) -> None:
    base = gaussian(30, 40).bfloat16().to(before) + (before == torch.float32) * 1e-3
    tuned = base.bfloat16() * 1.25
    floor = rounding_floor(base, tuned)
    assert floor > 0
    assert rounding_floor(base * size, tuned * size) == pytest.approx(floor * size)


def test_norms_of_many_entries_are_right_to_float32() -> None:
    base = torch.full((700, 3000), 0.1)
    base[::2] += 0.01
    tuned = base + 0.003
    update = LowRank(torch.full((1, 3000), 0.003), torch.ones(700, 1), 1.0)
    delta = float(np.linalg.norm(tuned.double().numpy() - base.double().numpy()))
    share = delta / float(np.linalg.norm(base.double().numpy()))
    for one, other in ((base, tuned), (base.T, tuned.T)):
        assert measure(survey(one, other)).frobenius == pytest.approx(delta, rel=1e-6)
        assert measure(survey(one, other)).relative_norm == pytest.approx(share, rel=1e-6)
    assert measure(survey(base, update)).relative_norm == pytest.approx(share, rel=1e-6)


def test_weight_cosine() -> None:
    base = gaussian(5, 7)
    assert compare_exact(base, 2 * base).weight_cosine == pytest.approx(1.0)
    assert compare_exact(base, -base).weight_cosine == pytest.approx(-1.0)
    tuned = gaussian(5, 7, 3)
    expected = float((base * tuned).sum() / (base.norm() * tuned.norm()))
    assert compare_exact(base, tuned).weight_cosine == pytest.approx(expected)
