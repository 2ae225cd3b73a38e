"""Rows from a base's stored factors, and an adapter in the base's coordinates, against float64 SVDs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.support.pairs import FAMILIES
from tests.support.spectral_oracle import truth
from tests.support.weights import adapter, gaussian, merged, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import (
    BaseCoordinates,
    LowRank,
    Matches,
    SpectralError,
    compare_certified,
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


def flat(size: int) -> Tensor:
    return torch.linspace(1.01, 1.0, size)


def tied(size: int) -> Tensor:
    """The second is raised to the first."""
    return torch.cat((torch.tensor([5.0, 5.0, 4.0, 3.5]), torch.linspace(2, 0.2, size - 4)))


def near_tied(size: int) -> Tensor:
    return torch.cat((torch.tensor([5.0, 5.0 * (1 - 2e-7), 4.0, 3.5]), torch.linspace(2, 0.2, size - 4)))


@pytest.mark.parametrize("spectrum", [flat, tied, near_tied])
@pytest.mark.parametrize("shape", [(300, 300), (300, 420), (420, 300)])
def test_intervals_of_tuned_vectors_that_are_hard_to_tell_apart(
    spectrum: Callable[[int], Tensor], shape: tuple[int, int]
) -> None:
    size = min(shape)
    distinct = torch.cat((torch.tensor([5.0, 4.5, 4.0, 3.5]), torch.linspace(2, 0.2, size - 4)))
    base = with_spectrum(*shape, distinct, 3).float()
    tuned = with_spectrum(*shape, spectrum(size), 3).float()
    found = compare_with_factors(factorise_base(base), base, tuned, k=10)
    expected = truth(base, tuned)
    for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
        best = torch.from_numpy(cosines[:, :10].max(axis=0))
        assert bool(((matches.lower >= 0) & (matches.lower <= matches.upper) & (matches.upper <= 1)).all())
        assert bool((matches.lower <= best + 1e-12).all())
        assert bool((matches.upper >= best - 1e-12).all())
        open_ = matches.upper - matches.lower > 0.9
        assert bool((matches.index[open_] == -1).all())
        assert bool(matches.block[:, open_].isnan().all())


def test_a_value_is_told_only_of_what_is_sure() -> None:
    """The cosines of two tied tuned vectors are no values; those beside them are."""
    base = with_spectrum(
        300, 420, torch.cat((torch.tensor([5.0, 4.5, 4.0, 3.5]), torch.linspace(2, 0.2, 296)))
    )
    tuned = with_spectrum(300, 420, tied(300))
    found = compare_with_factors(factorise_base(base.float()), base.float(), tuned.float(), k=4)
    for matches in (found.left, found.right):
        assert matches.index.tolist() == [-1, -1, 2, 3]
        assert matches.block.isnan().any(dim=0).tolist() == [True, True, False, False]
        assert matches.upper.tolist()[:2] == [1.0, 1.0]
        assert float(matches.lower[2:].min()) > 0.99


def test_tied_base_vectors_have_no_best_among_them() -> None:
    base, update = with_spectrum(80, 120, tied(80)).float(), adapter(80, 120, 4, 0.1)
    found = compare_with_factors(factorise_base(base), base, update, k=4)
    assert found.left.index.tolist()[:2] == [-1, -1]
    assert found.left.index.tolist()[2:] == [2, 3]


def test_directions_of_a_lower_rank_are_open() -> None:
    base = gaussian(320, 360, 1).float()
    tuned = torch.zeros_like(base)
    tuned[3] = gaussian(1, 360, 2)[0].float()
    found = compare_with_factors(factorise_base(base), base, tuned, k=4)
    best = truth(base, tuned)
    for matches, cosines in ((found.left, best.left), (found.right, best.right)):
        assert float(matches.lower[0]) <= cosines[:, 0].max() <= float(matches.upper[0])
        assert matches.lower[1:].tolist() == [0.0] * 3
        assert matches.upper[1:].tolist() == [1.0] * 3


def holds(matches: Matches, cosines: NDArray[np.float64], k: int = 6) -> bool:
    best = torch.from_numpy(cosines[:, :k].max(axis=0))
    sound = (matches.lower <= best + 1e-12) & (matches.upper >= best - 1e-12)
    return bool((sound & (matches.lower <= matches.upper)).all())


@pytest.mark.parametrize("largest", [1e3, 1e5])
def test_an_adapter_that_takes_the_largest_direction_away(largest: float) -> None:
    """What is left has the rounding of what was summed; float32 would leave nothing of it."""
    spectrum = torch.cat((torch.tensor([largest]), torch.linspace(3, 2, 12), torch.linspace(0.5, 0.1, 287)))
    base = with_spectrum(300, 340, spectrum, 2).float()
    u, sigma, vh = torch.linalg.svd(base.double(), full_matrices=False)
    b = torch.stack((-u[:, 0] * sigma[0] ** 0.5, 2 * (u[:, 3] + u[:, 4]) / 2**0.5), 1)
    a = torch.stack((vh[0] * sigma[0] ** 0.5, (vh[3] + vh[4]) / 2**0.5))
    update = LowRank(a.float(), b.float(), 1.0)
    expected = truth(base, update)
    for found in (
        compare_with_factors(factorise_base(base), base, update, k=6),
        compare_certified(base, update, k=6, eps=0.7, small=0, escalate=False),
    ):
        assert holds(found.left, expected.left)
        assert holds(found.right, expected.right)
        assert float(found.left.lower[1]) > 0.9


@pytest.mark.parametrize("scale", [1e-40, 3e-42, 1e36])
def test_weights_at_the_ends_of_float32(scale: float) -> None:
    base, update = power_law(100, 120, 0.3).float(), adapter(100, 120, 4, 0.5)
    wide = base.double() * scale
    small, moved = wide.float(), (wide + scale * merged(base, update) - wide).float()
    expected = truth(small, moved)
    for found in (
        compare_with_factors(factorise_base(small), small, moved, k=3),
        compare_certified(small, moved, k=3, small=0, escalate=False),
    ):
        for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
            assert holds(matches, cosines, 3)
            assert float((matches.upper - matches.lower).min()) < 0.5


@pytest.mark.parametrize("scaling", [1e22, 1e30, 1e-25])
def test_scalings_far_from_the_base(scaling: float) -> None:
    base, update = power_law(100, 120, 0.3).float(), adapter(100, 120, 4, scaling)
    expected = truth(base, update)
    found = compare_with_factors(factorise_base(base), base, update, k=3)
    assert holds(found.left, expected.left, 3)
    assert holds(found.right, expected.right, 3)
    assert float((found.left.upper - found.left.lower).min()) < 0.1


def test_coordinates_of_a_base_beyond_float32() -> None:
    base, update = power_law(90, 120, 0.5), adapter(90, 120, 4, 1.0)
    plain = BaseCoordinates(factorise_base(base), base, update).at(1.0, k=6)
    tiny = BaseCoordinates(factorise_base(base * 1e-60), base * 1e-60, update).at(1e-60, k=6)
    torch.testing.assert_close(tiny.matches.lower, plain.matches.lower, atol=1e-3, rtol=0)
    torch.testing.assert_close(tiny.sigma * 1e60, plain.sigma, rtol=1e-5, atol=0)


def test_coordinates_of_an_update_that_the_base_hardly_sees() -> None:
    """A is orthogonal to the base's one large direction: W0 A^T is rounded on the scale of that."""
    spectrum = torch.cat((torch.tensor([1e4]), torch.linspace(1, 0.5, 119)))
    base = with_spectrum(120, 150, spectrum, 1).float()
    lead = torch.linalg.svd(base.double(), full_matrices=False)[2][:1]
    plain = adapter(120, 150, 4, 1.0)
    a = plain.a.double() - plain.a.double() @ lead.T @ lead
    coordinates = BaseCoordinates(factorise_base(base, dtype=torch.float32), base, LowRank(a, plain.b, 1.0))
    expected = truth(base, LowRank(a, plain.b, 2.0))
    assert holds(coordinates.at(2.0, k=6).matches, expected.left)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_single_row_has_one_vector(k: int) -> None:
    base, tuned = gaussian(1, 30, 1), gaussian(1, 30, 2)
    found = compare_with_factors(factorise_base(base), base, tuned, k=k)
    assert float(found.left.lower[0]) == pytest.approx(1.0)
    cosine = float(torch.nn.functional.cosine_similarity(base, tuned)[0].abs())
    assert float(found.right.lower[0]) == pytest.approx(cosine, abs=1e-3)
    assert len(found.right.lower) == 1


def test_a_tuned_weight_of_zeros_has_no_vectors() -> None:
    base = gaussian(300, 320).float()
    found = compare_with_factors(factorise_base(base), base, torch.zeros_like(base))
    assert len(found.left.lower) == len(found.right.lower) == 0
    assert found.notes == (
        "300 of 300 singular values of the tuned weight are numerically zero; they have no direction.",
    )


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
