"""What rounding leaves of a match, against 60-digit decompositions; near ties; solvers that fail."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.pairs import power_law_lora
from tests.support.weights import adapter, gaussian, orthonormal, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import (
    LowRank,
    Matches,
    SpectralError,
    compare_certified,
    compare_exact,
    compare_with_factors,
    factorise_base,
)
from intruder_tui.spectral.factors import factorise, factorise_directly, singular_values
from intruder_tui.spectral.lanczos import small_eigen
from intruder_tui.spectral.matrices import Stored

Pairs = tuple[Tensor, Tensor]


def truth(base: Tensor, tuned: Tensor) -> tuple[Tensor, Tensor]:
    """Best |cos| of every tuned vector, U then V, of the float64 weights in exact arithmetic (60 digits)."""
    with mpmath.workdps(60):
        (u0, _, v0), (u1, _, v1) = (
            mpmath.svd_r(mpmath.matrix(w.double().tolist()), full_matrices=False) for w in (base, tuned)
        )
        sides = (u0.T * u1, v0 * v1.T)
        count = range(min(base.shape))
        left, right = (
            torch.tensor([max(abs(float(c[i, j])) for i in count) for j in count], dtype=torch.float64)
            for c in sides
        )
    return left, right


def nearly_tied(gap: float, smallest: float, m: int = 7, n: int = 9) -> Pairs:
    """Both weights have pairs of nearly tied values, and the head and the tail lie far apart."""
    head = torch.tensor([1.0, 0.5, 0.5 * (1 - gap)])
    tail = smallest * torch.tensor([2.0, 2.0 * (1 - gap), 1.5, 1.0])
    base = with_spectrum(m, n, torch.cat((head, tail)).double(), 3)
    u, _, vh = torch.linalg.svd(base, full_matrices=False)
    turn = torch.linalg.matrix_exp(0.4 * (gaussian(7, 7, 5) - gaussian(7, 7, 5).T))
    sigma = torch.cat((head, tail)).double() * torch.linspace(1.1, 1.0, 7).double()
    sigma[2] = sigma[1] * (1 - gap)
    return base, (u @ turn) * sigma @ (turn.T @ vh)


@pytest.mark.parametrize("gap", [1e-1, 1e-4, 1e-7, 1e-10])
@pytest.mark.parametrize("smallest", [1e-1, 1e-4, 1e-6])
def test_the_range_holds_the_value_in_exact_arithmetic(gap: float, smallest: float) -> None:
    base, tuned = nearly_tied(gap, smallest)
    found = compare_exact(base, tuned)
    for matches, best in zip((found.left, found.right), truth(base, tuned), strict=True):
        assert bool((matches.least <= best).all())
        assert bool((matches.most >= best).all())
        assert bool((matches.least <= matches.lower).all())
        assert bool((matches.most >= matches.upper).all())


@pytest.mark.parametrize("left", [1e-3, 1e-6, 1e-9])
def test_an_update_that_takes_nearly_all_away_leaves_the_rounding_of_what_it_took(left: float) -> None:
    base = with_spectrum(6, 9, torch.tensor([1.0, 0.8, 0.5, 0.3, 0.2, 0.1])).double()
    u, sigma, vh = torch.linalg.svd(base, full_matrices=False)
    kept = torch.tensor([left, 0.7 * left, 0.1 * left, 1e-3 * left, 3e-4 * left, 1e-4 * left]).double()
    turn = torch.linalg.matrix_exp(gaussian(6, 6, 3) - gaussian(6, 6, 3).T)
    b, a = torch.cat((-u * sigma, (u @ turn) * kept), 1), torch.cat((vh, vh))
    with mpmath.workdps(60):
        w0, first, second = (mpmath.matrix(t.tolist()) for t in (base, b, a))
        right = [mpmath.svd_r(w, full_matrices=False)[2] for w in (w0, w0 + first * second)]
        cosines = right[0] * right[1].T
        best = torch.tensor([max(abs(float(cosines[i, j])) for i in range(6)) for j in range(6)]).double()
    found = compare_exact(base, LowRank(a, b, 1.0)).right
    assert bool((found.least <= best[: len(found.least)] + 1e-15).all())
    assert bool((found.most >= best[: len(found.most)] - 1e-15).all())


def test_well_separated_values_have_no_doubt_to_speak_of() -> None:
    base, update = power_law(40, 60, 0.3), adapter(40, 60, 4, 0.5)
    found = compare_exact(base, update)
    assert found.tier == "exact"
    for matches in (found.left, found.right):
        assert float((matches.most - matches.least).max()) < 1e-9


@settings(max_examples=20, deadline=None)
@given(
    st.integers(2, 12), st.integers(2, 12), st.integers(0, 999), st.sampled_from([2.0**-300, 2.0**40, 3.7])
)
def test_the_range_does_not_depend_on_the_scale(m: int, n: int, seed: int, scale: float) -> None:
    base, noise = gaussian(m, n, seed), gaussian(m, n, seed + 1)
    plain, scaled = compare_exact(base, base + noise), compare_exact(base * scale, (base + noise) * scale)
    for ours, theirs in ((plain.left, scaled.left), (plain.right, scaled.right)):
        torch.testing.assert_close(ours.least, theirs.least, atol=1e-6, rtol=0)
        torch.testing.assert_close(ours.most, theirs.most, atol=1e-6, rtol=0)


def test_leading_near_ties_are_factorised_again_without_squaring() -> None:
    sigma = torch.tensor([1.0, 1e-3, 1e-3 * (1 - 3e-8), 2e-4, 1e-4]).double()
    u, v = orthonormal(8, 5, 1), orthonormal(9, 5, 2)
    base = u * sigma @ v.T
    turn = torch.linalg.matrix_exp(0.3 * (gaussian(5, 5, 5) - gaussian(5, 5, 5).T))
    tuned = (u @ turn) * sigma @ (v @ turn).T
    stages: list[str] = []
    found = compare_exact(base, tuned, on_stage=stages.append)
    assert found.tier == "float64"
    assert "refining near ties" in stages
    best = truth(base, tuned)[0][:5]
    assert bool((found.left.least[:5] <= best).all() and (found.left.most[:5] >= best).all())


def test_an_exact_tie_is_not_factorised_again() -> None:
    """Nothing can tell tied vectors apart."""
    base = with_spectrum(10, 12, torch.tensor([3.0, 2.0, 2.0, 1.0, 1.0])).double()
    assert compare_exact(base, adapter(10, 12, 2, 0.1)).tier == "exact"


def test_tied_tuned_vectors_that_are_all_foreign_have_a_low_upper_end() -> None:
    """Two planted directions of one size: which two vectors span them is open, not that they are new."""
    base = with_spectrum(40, 50, torch.linspace(1.0, 0.5, 40), 1)
    u, _, vh = torch.linalg.svd(base, full_matrices=False)
    mix, other = orthonormal(20, 2, 4), orthonormal(20, 2, 9)
    tuned = base + (u[:, 20:] @ mix) * 9.0 @ (vh[20:].T @ other).T
    fixed = torch.linalg.svd(tuned, full_matrices=False)
    sigma = fixed.S.clone()
    sigma[:2] = sigma[:2].mean()
    found = compare_exact(base, fixed.U * sigma @ fixed.Vh)
    for matches in (found.left, found.right):
        assert float(matches.most[:2].max()) < 0.9
        assert float(matches.most[0]) >= float(matches.lower[:2].max())


@pytest.mark.parametrize("rows", [1024, 7])
@pytest.mark.parametrize("tied", [2, 3])
@pytest.mark.parametrize("base_tied", [False, True])
def test_tied_tuned_vectors_match_as_much_as_any_of_their_span(
    monkeypatch: pytest.MonkeyPatch, base_tied: bool, tied: int, rows: int
) -> None:
    """Some choice of the tied vectors has a base vector's whole part in their span; no choice has more."""
    monkeypatch.setattr("intruder_tui.spectral.cosines.BASE_ROWS", rows)
    spectrum = torch.linspace(1.0, 0.4, 24).double()
    if base_tied:
        spectrum[4:6] = spectrum[4]
    ours, theirs = torch.linspace(2.0, 1.0, 24).double(), gaussian(24, 24, 5) / 24
    ours[3 : 3 + tied] = ours[3]
    turn = torch.linalg.matrix_exp(4.0 * (theirs - theirs.T))
    u, v = orthonormal(24, 24, 1), orthonormal(40, 24, 2)
    u1, v1 = u @ turn, v @ turn.T
    found = compare_exact(u * spectrum @ v.T, u1 * ours @ v1.T)
    group = slice(3, 3 + tied)
    for matches, first, second in ((found.left, u, u1), (found.right, v, v1)):
        cosines = first.T @ second
        parts = cosines[:, group].norm(dim=1)
        assert float(parts.amax()) < 0.95
        if base_tied:
            # Both spans have choices: the largest cosine between them is a norm that is taken from above.
            parts = torch.cat((parts, torch.linalg.matrix_norm(cosines[4:6, group])[None]))
        expected = parts.amax().clamp(max=1.0).expand(tied)
        torch.testing.assert_close(matches.most[group], expected, atol=1e-6, rtol=0)
        assert bool((cosines[:, group].abs().amax(0) < expected - 1e-3).any())


def test_kept_factors_take_tied_base_vectors_by_their_span() -> None:
    """A rotation inside the tie moves single cosines; the interval holds them all, and the span's overlap."""
    sigma = torch.tensor([4.0, 3.0, 3.0, *torch.linspace(2, 1, 27).tolist()])
    u, v = orthonormal(30, 30, 1), orthonormal(40, 30, 2)
    base = u * sigma.double() @ v.T
    mixed = (u[:, 1:2] + u[:, 2:3]) @ (v[:, 1:2] + v[:, 2:3]).T
    found = compare_with_factors(factorise_base(base, dtype=torch.float32), base, base + 0.01 * mixed, k=3)
    exact = compare_exact(base, base + 0.01 * mixed)
    for ours, theirs in ((found.left, exact.left), (found.right, exact.right)):
        assert theirs.traits is not None
        assert bool((ours.upper[1:3] >= theirs.traits.cluster_overlap[1:3] - 1e-9).all())
        assert bool((ours.lower[1:3] <= 0.5**0.5 + 1e-9).all())
        assert bool((ours.lower[1:3] > 0.69).all())


FAILURES = ("raises", "nan", "skew", "swapped")


def close(ours: Matches, theirs: Matches) -> bool:
    return bool((ours.lower - theirs.lower).abs().max() < 1e-9)


def failing(failure: str) -> Callable[..., tuple[Tensor, Tensor]]:
    """An eigenvalue solver that gives up or gives nonsense, as GPU libraries have been known to."""
    real = torch.linalg.eigh

    def solver(matrix: Tensor, UPLO: str = "L") -> tuple[Tensor, Tensor]:
        if failure == "raises":
            raise torch.linalg.LinAlgError("linalg.eigh: the algorithm failed to converge")
        values, vectors = real(matrix, UPLO=UPLO)
        if failure == "nan":
            return values * torch.nan, vectors
        return values, vectors + 1e-3 * vectors.flip(0) if failure == "skew" else vectors.roll(1, dims=1)

    return solver


@pytest.mark.parametrize("failure", FAILURES)
def test_a_solver_that_fails_never_decides(monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    base, update = power_law_lora(30, 40, 1)
    expected = compare_exact(base, update)
    monkeypatch.setattr(torch.linalg, "eigh", failing(failure))
    found = compare_exact(base, update)
    assert found.tier == "float64"
    assert found.notes[0].startswith("The eigenv")
    assert close(found.left, expected.left)
    assert close(found.right, expected.right)


@pytest.mark.parametrize("failure", FAILURES)
def test_the_certificates_small_problems_fall_back_too(monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    base, update = power_law_lora(60, 90, 3)
    expected = compare_certified(base, update, k=6, small=0, escalate=False)
    monkeypatch.setattr(torch.linalg, "eigh", failing(failure))
    found = compare_certified(base, update, k=6, small=0, escalate=False)
    torch.testing.assert_close(found.left.upper, expected.left.upper, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.left.lower, expected.left.lower, atol=1e-5, rtol=0)


def test_nothing_is_claimed_when_every_solver_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(matrix: Tensor, **_kwargs: object) -> tuple[Tensor, Tensor, Tensor]:
        return matrix * torch.nan, matrix[0], matrix

    monkeypatch.setattr(torch.linalg, "eigh", failing("nan"))
    monkeypatch.setattr(torch.linalg, "svd", broken)
    with pytest.raises(SpectralError, match="eigenvectors of a 9 x 9 Lanczos matrix failed their check"):
        small_eigen(torch.eye(9, dtype=torch.float64))


@pytest.mark.parametrize("failure", ["raises", "nan", "wrong"])
def test_values_alone_are_checked_by_trace_and_norm(monkeypatch: pytest.MonkeyPatch, failure: str) -> None:
    weight = power_law(20, 30)
    real = torch.linalg.eigvalsh

    def solver(matrix: Tensor, UPLO: str = "L") -> Tensor:
        if failure == "raises":
            raise torch.linalg.LinAlgError("linalg.eigh: the algorithm failed to converge")
        values = real(matrix, UPLO=UPLO)
        return values * torch.nan if failure == "nan" else values.clamp(max=float(values[-1]) * 0.9)

    monkeypatch.setattr(torch.linalg, "eigvalsh", solver)
    notes: list[str] = []
    found = singular_values(Stored(weight), notes)
    assert notes == ["The eigenvalues of the update found on cpu failed their check."]
    torch.testing.assert_close(found, torch.linalg.svdvals(weight), rtol=1e-9, atol=1e-12)


def test_a_card_whose_solver_fails_hands_over_to_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The `meta` device stands for a card: asking it to solve anything fails."""
    monkeypatch.setattr(
        "intruder_tui.spectral.factors._devices", lambda matrix: (torch.device("meta"), torch.device("cpu"))
    )
    weight = power_law(20, 30)
    found = factorise(Stored(weight))
    assert found.tier == "exact"
    assert found.notes == ("The eigenvalue solver failed on meta.",)
    torch.testing.assert_close(found.sigma, torch.linalg.svdvals(weight))


def test_direct_factors_agree_with_the_squared_ones() -> None:
    weight = power_law(20, 30)
    one, other = factorise(Stored(weight)), factorise_directly(Stored(weight))
    torch.testing.assert_close(one.sigma, other.sigma, rtol=1e-9, atol=0)
    assert float((one.vectors * other.vectors).sum(0).abs().min()) > 1 - 1e-12
