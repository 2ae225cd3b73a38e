"""Rows from a base's stored factors, and an adapter in the base's coordinates, against float64 SVDs."""

from __future__ import annotations

import pytest
import torch
from tests.support.pairs import FAMILIES
from tests.support.spectral_oracle import truth
from tests.support.weights import adapter, gaussian, merged, power_law, with_spectrum

from intruder_tui.spectral import (
    BaseCoordinates,
    LowRank,
    SpectralError,
    compare_exact,
    compare_with_factors,
    factorise_base,
)

STORAGE = [torch.float16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(80, 80), (60, 150), (150, 60)])
def test_intervals_hold_the_values(family: str, shape: tuple[int, int]) -> None:
    base, tuned = FAMILIES[family](*shape, 4)
    found = compare_with_factors(factorise_base(base), base, tuned, k=6)
    expected = truth(base, tuned)
    for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
        best = torch.from_numpy(cosines[:, :6].max(axis=0))
        assert bool((matches.lower[: len(best)] <= best + 1e-12).all())
        assert bool((matches.upper[: len(best)] >= best - 1e-12).all())


@pytest.mark.parametrize("dtype", STORAGE)
@pytest.mark.parametrize("shape", [(60, 150), (150, 60)])
def test_values_are_as_good_as_the_storage(dtype: torch.dtype, shape: tuple[int, int]) -> None:
    base, update = power_law(*shape, 0.3).float(), adapter(*shape, 4, 0.5)
    found = compare_with_factors(factorise_base(base, dtype=dtype), base, update, k=8)
    exact = compare_exact(base, update)
    tolerance = {torch.float16: 2e-3, torch.bfloat16: 2e-2, torch.float32: 1e-3}[dtype]
    for ours, theirs in ((found.left, exact.left), (found.right, exact.right)):
        middle = (ours.lower + ours.upper) / 2
        torch.testing.assert_close(middle, theirs.lower[:8], atol=tolerance, rtol=0)
        assert ours.index.tolist() == theirs.index[:8].tolist()
        torch.testing.assert_close(ours.block, theirs.block[:8, :8], atol=tolerance, rtol=0)
    torch.testing.assert_close(found.sigma_tuned, exact.sigma_tuned[:8], rtol=1e-5, atol=0)
    torch.testing.assert_close(found.sigma_base, exact.sigma_base)


@pytest.mark.parametrize("shape", [(60, 150), (150, 60)])
@pytest.mark.parametrize("left", [True, False])
def test_one_side_alone_is_what_it_is_beside_the_other(shape: tuple[int, int], left: bool) -> None:
    base, update = power_law(*shape, 0.3).float(), adapter(*shape, 4, 0.5)
    factors = factorise_base(base)
    both = compare_with_factors(factors, base, update, k=5)
    one = compare_with_factors(factors, base, update, k=5, left=left, right=not left)
    asked, other = (one.left, one.right) if left else (one.right, one.left)
    expected = both.left if left else both.right
    torch.testing.assert_close(asked.lower, expected.lower, atol=1e-6, rtol=0)
    torch.testing.assert_close(asked.upper, expected.upper, atol=1e-6, rtol=0)
    assert other.lower.tolist() == [0.0] * 5
    assert other.upper.tolist() == [1.0] * 5


def test_many_vectors_are_factorised_instead() -> None:
    base, update = power_law(40, 60).float(), adapter(40, 60, 4, 0.5)
    found = compare_with_factors(factorise_base(base), base, update, k=40)
    exact = compare_exact(base, update)
    assert len(found.left.lower) == 40
    assert bool((found.left.lower <= exact.left.lower + 1e-9).all())
    assert bool((found.left.upper >= exact.left.lower - 1e-9).all())
    torch.testing.assert_close(found.sigma_tuned, exact.sigma_tuned)


def test_a_deficient_base_says_so() -> None:
    base = with_spectrum(30, 50, torch.linspace(2, 1, 10)).double()
    found = compare_with_factors(factorise_base(base), base, adapter(30, 50, 2), k=4)
    assert found.notes == (
        "20 of 30 singular values of the base are numerically zero; they have no direction.",
    )


def test_factors_of_another_matrix_are_refused() -> None:
    factors = factorise_base(gaussian(10, 12))
    with pytest.raises(SpectralError, match="shorter side 10, base has 11"):
        compare_with_factors(factors, gaussian(11, 12), gaussian(11, 12, 1))


def test_an_unchanged_weight_needs_no_factors() -> None:
    base = gaussian(10, 12)
    assert compare_with_factors(factorise_base(base), base, base.clone()).unchanged


@pytest.mark.parametrize("shape", [(90, 90), (60, 150), (150, 60)])
@pytest.mark.parametrize("scaling", [-1.0, 0.0, 0.1, 1.0, 3.0])
def test_any_scaling_in_the_bases_coordinates(shape: tuple[int, int], scaling: float) -> None:
    base, update = power_law(*shape, 0.5).float(), adapter(*shape, 4, 1.0)
    coordinates = BaseCoordinates(factorise_base(base, dtype=torch.float32), base, update)
    found = coordinates.at(scaling, k=6)
    tuned = merged(base, LowRank(update.a, update.b, scaling))
    expected = truth(base, tuned)
    cosines = expected.left if coordinates.short_is_left else expected.right
    best = torch.from_numpy(cosines[:, :6].max(axis=0))
    assert bool((found.matches.lower <= best + 1e-12).all())
    assert bool((found.matches.upper >= best - 1e-12).all())
    assert float((found.matches.upper - found.matches.lower).max()) < 0.02
    torch.testing.assert_close(found.sigma, torch.from_numpy(expected.sigma_tuned[:6]), rtol=1e-5, atol=0)


def test_coordinates_need_a_full_basis() -> None:
    base = with_spectrum(20, 30, torch.linspace(2, 1, 10)).double()
    with pytest.raises(SpectralError, match="rank 10 of 20"):
        BaseCoordinates(factorise_base(base), base, adapter(20, 30, 2))
