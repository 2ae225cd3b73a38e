"""The exact tier against numpy's float64 SVD, the definition, and planted answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.spectral_oracle import truth
from tests.support.weights import adapter, gaussian, merged, orthonormal, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import Comparison, LowRank, SpectralError, compare_exact

Pair = tuple[Tensor, Tensor | LowRank]


def full(base: Tensor, size: float = 0.1) -> Pair:
    return base, base + size * gaussian(*base.shape, seed=99) / max(base.shape) ** 0.5


def planted(m: int, n: int) -> Pair:
    base = power_law(m, n)
    u, v = orthonormal(m, 1, 50), orthonormal(n, 1, 51)
    return base, base + 0.7 * u @ v.T


def deficient(m: int, n: int) -> Pair:
    base = with_spectrum(m, n, torch.linspace(2, 1, min(m, n) // 2))
    return base, adapter(m, n, rank=3)


PAIRS: dict[str, Callable[[], Pair]] = {
    "random square": lambda: full(gaussian(40, 40) / 6),
    "random wide": lambda: full(gaussian(24, 70) / 8),
    "random tall": lambda: full(gaussian(70, 24) / 8),
    "power law wide, LoRA": lambda: (power_law(30, 60), adapter(30, 60)),
    "power law tall, LoRA": lambda: (power_law(60, 30), adapter(60, 30)),
    "steep": lambda: (power_law(30, 45, 3.0), adapter(30, 45, size=1e-3)),
    "planted": lambda: planted(32, 48),
    "deficient wide": lambda: deficient(20, 50),
    "deficient tall": lambda: deficient(50, 20),
    "deficient square": lambda: deficient(30, 30),
    "one row": lambda: full(gaussian(1, 9)),
    "one column": lambda: full(gaussian(9, 1)),
    "one row, LoRA": lambda: (gaussian(1, 9), adapter(1, 9, 1)),
    "two by three": lambda: full(gaussian(2, 3)),
    "one value": lambda: (torch.tensor([[2.0]]), torch.tensor([[-3.0]])),
}


def assert_matches(ours: Comparison, pair: Pair, tolerance: float = 1e-7) -> None:
    expected = truth(*pair)
    for matches, cosines in ((ours.left, expected.left), (ours.right, expected.right)):
        assert torch.equal(matches.lower, matches.upper)
        np.testing.assert_allclose(matches.lower, cosines.max(axis=0), atol=tolerance)
        attained = cosines[matches.index.numpy(), np.arange(cosines.shape[1])]
        np.testing.assert_allclose(attained, cosines.max(axis=0), atol=tolerance)
        size = matches.block.shape[0]
        np.testing.assert_allclose(matches.block, cosines[:size, :size], atol=tolerance)
    np.testing.assert_allclose(ours.sigma_base, expected.sigma_base, atol=1e-12)
    np.testing.assert_allclose(ours.sigma_tuned, expected.sigma_tuned, atol=1e-12)
    count = len(ours.update.sigma)
    np.testing.assert_allclose(ours.update.sigma, expected.sigma_update[:count], atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_every_value_agrees_with_a_float64_svd(name: str) -> None:
    pair = PAIRS[name]()
    assert_matches(compare_exact(*pair), pair)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_storage_dtypes_are_widened_not_approximated(dtype: torch.dtype) -> None:
    base, tuned = full(gaussian(20, 33) / 6)
    assert isinstance(tuned, Tensor)
    pair = base.to(dtype), tuned.to(dtype)
    assert_matches(compare_exact(*pair), pair)


def test_degenerate_values_agree_as_far_as_they_are_defined() -> None:
    base = with_spectrum(16, 24, torch.tensor([2.0] * 5 + [1.0] * 11))
    ours = compare_exact(*full(base))
    for matches in (ours.left, ours.right):
        assert bool((matches.lower <= 1.0).all())
        assert bool((matches.lower >= 16**-0.5 - 1e-12).all() or matches is ours.right)


def test_planted_intruder_is_found_where_planted() -> None:
    base = power_law(40, 60)
    u, _, vh = torch.linalg.svd(base, full_matrices=False)
    # An equal mix of 16 base vectors on each side: cosine 1/4 with each of them.
    tuned = base + 8.0 * u[:, 20:36].mean(1, keepdim=True) @ vh[20:36].mean(0, keepdim=True) * 16
    ours = compare_exact(base, tuned)
    for side in (ours.left, ours.right):
        assert float(side.lower[0]) == pytest.approx(0.25, abs=0.02)
        assert 20 <= int(side.index[0]) < 36
        assert float(side.lower[1:10].min()) > 0.9


def test_a_limit_keeps_the_head_and_still_searches_all_base_vectors() -> None:
    base = power_law(24, 24)
    u, _, vh = torch.linalg.svd(base)
    tuned = base + 1.5 * u[:, 23:] @ vh[23:]
    ours = compare_exact(base, tuned, limit=3, block=2)
    assert ours.left.lower.shape == (3,)
    assert ours.left.block.shape == (2, 2)
    assert int(ours.left.index[0]) == 23
    assert float(ours.left.lower[0]) > 0.999


def test_a_chunked_read_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    base, update = power_law(20, 300), adapter(20, 300)
    monkeypatch.setattr("intruder_tui.spectral.matrices.CHUNK_ELEMENTS", 1)
    monkeypatch.setattr("intruder_tui.spectral.matrices.GRAM_ROWS", 7)
    monkeypatch.setattr("intruder_tui.spectral.cosines.BASE_ROWS", 6)
    monkeypatch.setattr("intruder_tui.spectral.cosines.TUNED_COLUMNS", 5)
    for pair in ((base, update), (base, merged(base, update))):
        assert_matches(compare_exact(*pair), pair)


@pytest.mark.parametrize("values", [math.nan, -1.0])
def test_a_failed_eigensolver_escalates_to_a_float64_svd(
    monkeypatch: pytest.MonkeyPatch, values: float
) -> None:
    def broken(gram: Tensor, _device: torch.device) -> tuple[Tensor, Tensor]:
        return torch.full((len(gram),), values, dtype=torch.float64), torch.eye(
            len(gram), dtype=torch.float64
        )

    monkeypatch.setattr("intruder_tui.spectral.factors._eigen", broken)
    pair = full(gaussian(12, 20))
    ours = compare_exact(*pair)
    assert ours.tier == "float64"
    assert any("check" in note for note in ours.notes)
    assert_matches(ours, pair)


def test_rank_deficiency_is_told_and_new_directions_there_are_intruders() -> None:
    base = torch.zeros(6, 8)
    base[:4] = gaussian(4, 8).float()
    tuned = base.clone()
    tuned[5, 0] = 20.0
    ours = compare_exact(base, tuned)
    assert len(ours.left.lower) == 5
    assert float(ours.left.lower[0]) < 0.2
    assert ours.notes[0].startswith("2 of 6 singular values of the base are numerically zero")
    assert not any(bool(torch.isnan(t).any()) for t in (ours.left.lower, ours.right.lower, ours.sigma_base))


def test_a_base_of_zeros_matches_nothing() -> None:
    ours = compare_exact(torch.zeros(3, 5), gaussian(3, 5))
    assert ours.left.lower.tolist() == [0.0, 0.0, 0.0]
    assert ours.left.index.tolist() == [-1, -1, -1]
    assert ours.update.relative_norm == math.inf
    assert ours.weight_cosine is None


def test_a_tuned_weight_of_zeros_has_no_directions() -> None:
    ours = compare_exact(gaussian(3, 5), torch.zeros(3, 5))
    assert len(ours.left.lower) == len(ours.right.lower) == 0
    assert not ours.unchanged


@pytest.mark.parametrize(
    "tuned",
    [
        lambda w: w.clone(),
        lambda w: LowRank(gaussian(2, 7).float(), torch.zeros(5, 2), 2.0),
        lambda w: LowRank(torch.zeros(2, 7), gaussian(5, 2).float(), 2.0),
        lambda w: LowRank(gaussian(2, 7), gaussian(5, 2), 0.0),
        lambda w: LowRank(torch.zeros(0, 7), torch.zeros(5, 0), 2.0),
    ],
)
def test_no_update_is_an_answer(tuned: Callable[[Tensor], Tensor | LowRank]) -> None:
    base = gaussian(5, 7)
    ours = compare_exact(base, tuned(base))
    assert ours.unchanged
    assert ours.tier == "none"
    assert len(ours.left.lower) == len(ours.sigma_tuned) == len(ours.update.sigma) == 0
    assert ours.update.effective_rank is None
    assert ours.update.frobenius == 0.0


@pytest.mark.parametrize("scale", [1e-172, 1e172])
def test_an_update_of_any_size_is_one(scale: float) -> None:
    """Its squares may lie beyond float64."""
    base, update = power_law(12, 20), adapter(12, 20, 2)
    plain = compare_exact(base, update)
    ours = compare_exact(base * scale, LowRank(update.a, update.b, update.scaling * scale))
    assert ours.update.frobenius == pytest.approx(plain.update.frobenius * scale)
    torch.testing.assert_close(ours.left.lower, plain.left.lower, atol=1e-9, rtol=0)
    tiny = compare_exact(base, LowRank(update.a, update.b, update.scaling * 1e-172))
    assert not tiny.unchanged
    assert tiny.update.frobenius == pytest.approx(plain.update.frobenius * 1e-172)


@pytest.mark.parametrize(
    ("base", "tuned", "message"),
    [
        (torch.ones(3, 4), torch.ones(4, 3), "base is 3 x 4, tuned is 4 x 3"),
        (torch.ones(3, 4), adapter(3, 5, 2), "base is 3 x 4, the update is 3 x 5"),
        (
            torch.ones(3, 4),
            LowRank(torch.ones(2, 4), torch.ones(3, 1), 1.0),
            "the update's factors are 3 x 1 and 2 x 4; their ranks differ",
        ),
        (torch.ones(0, 4), torch.ones(0, 4), "base is empty: 0 x 4"),
        (torch.ones(4), torch.ones(4), "base has 1 dimensions, a matrix has 2"),
        (
            torch.tensor([[1.0, math.nan, math.inf]]),
            torch.ones(1, 3),
            "base has 2 of 3 values that are not finite",
        ),
        (torch.ones(1, 2), torch.tensor([[1.0, -math.inf]]), "tuned has 1 of 2 values that are not finite"),
        (
            torch.ones(1, 2),
            LowRank(torch.tensor([[math.nan, 1.0]]), torch.ones(1, 1), 1.0),
            "the update's factor A has 1 of 2 values that are not finite",
        ),
        (
            torch.ones(1, 2),
            LowRank(torch.ones(1, 2), torch.ones(1, 1), math.inf),
            "the update's scaling is inf",
        ),
    ],
)
def test_bad_input_gets_one_line(base: Tensor, tuned: Tensor | LowRank, message: str) -> None:
    with pytest.raises(SpectralError) as caught:
        compare_exact(base, tuned)
    assert str(caught.value) == message


def test_stages_are_told_in_order() -> None:
    stages: list[str] = []
    compare_exact(*full(gaussian(4, 5)), on_stage=stages.append)
    assert stages == [
        "reading",
        "measuring the update",
        "factorising base",
        "factorising tuned",
        "comparing",
    ]


shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
seeds = st.integers(0, 10_000)


def best(pair: Pair) -> tuple[Tensor, Tensor]:
    ours = compare_exact(*pair)
    return ours.left.lower, ours.right.lower


def assert_same(ours: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def random_pair(shape: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    base = gaussian(*shape, seed)
    return base, base + gaussian(*shape, seed + 1)


@settings(max_examples=25, deadline=None)
@given(shapes, seeds)
def test_transposition_swaps_the_sides(shape: tuple[int, int], seed: int) -> None:
    base, tuned = random_pair(shape, seed)
    assert_same(best((base.T, tuned.T)), best((base, tuned))[::-1])


@settings(max_examples=25, deadline=None)
@given(shapes, seeds)
def test_rotation_of_both_changes_nothing(shape: tuple[int, int], seed: int) -> None:
    base, tuned = random_pair(shape, seed)
    p, q = orthonormal(shape[0], shape[0], seed), orthonormal(shape[1], shape[1], seed + 5)
    assert_same(best((p @ base @ q, p @ tuned @ q)), best((base, tuned)))


@settings(max_examples=25, deadline=None)
@given(shapes, seeds)
def test_sign_and_order_of_rows_and_columns_change_nothing(shape: tuple[int, int], seed: int) -> None:
    base, tuned = random_pair(shape, seed)
    rows = torch.randperm(shape[0])
    signs = torch.where(torch.rand(shape[1]) < 0.5, -1.0, 1.0).double()
    assert_same(best((base[rows] * signs, tuned[rows] * signs)), best((base, tuned)))
    assert_same(best((base, -tuned)), best((base, tuned)))


@settings(max_examples=25, deadline=None)
@given(shapes, seeds, st.sampled_from([1e-250, 1e-30, 1e-3, 7.0, 1e30, 1e250]))
def test_scale_of_both_changes_the_spectra_alone(shape: tuple[int, int], seed: int, scale: float) -> None:
    base, tuned = random_pair(shape, seed)
    plain, scaled = compare_exact(base, tuned), compare_exact(base * scale, tuned * scale)
    assert_same((scaled.left.lower, scaled.right.lower), (plain.left.lower, plain.right.lower))
    torch.testing.assert_close(scaled.sigma_tuned / scale, plain.sigma_tuned)
    assert scaled.update.relative_norm == pytest.approx(plain.update.relative_norm)
