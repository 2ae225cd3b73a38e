"""The certificate against float64 SVDs: its intervals always hold the value, its verdicts are never wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.pairs import FAMILIES, deep_direction, power_law_lora, random_lora
from tests.support.spectral_oracle import truth
from tests.support.weights import adapter, gaussian, merged, power_law
from torch import Tensor

from intruder_tui.spectral import Comparison, LowRank, certified, compare_certified, compare_exact
from intruder_tui.spectral.certified import decided, intersected
from intruder_tui.spectral.lanczos import BlockLanczos, Ritz
from intruder_tui.spectral.operators import Square
from intruder_tui.spectral.topk import TopVectors

SHAPES = ((36, 36), (48, 90), (90, 48), (60, 260))
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
REALISTIC = ("random_lora", "power_law_lora", "bfloat16_lora", "full_fine_tune", "planted")


def certificate(base: Tensor, tuned: Tensor | LowRank, eps: float, seed: int = 0) -> Comparison:
    return compare_certified(base, tuned, k=8, eps=eps, small=0, escalate=False, seed=seed)


def tally(base: Tensor, tuned: Tensor | LowRank, seed: int) -> Counter[str]:
    """Verdicts at every threshold; fails where an interval misses the value."""
    count: Counter[str] = Counter()
    expected = truth(base, tuned)
    for aim in (0.3, 0.5, 0.8):
        found = certificate(base, tuned, aim, seed)
        assert found.tier == "certificate"
        for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
            best = torch.from_numpy(cosines[:, :8].max(axis=0))
            lower, upper = matches.lower[: len(best)], matches.upper[: len(best)]
            assert bool((lower <= best + 1e-12).all())
            assert bool((upper >= best - 1e-12).all())
            for eps in THRESHOLDS:
                intruder, matched = upper < eps, lower >= eps
                count["wrong"] += int((intruder & (best >= eps)).sum() + (matched & (best < eps)).sum())
                count["decided"] += int((intruder | matched).sum())
                if eps == aim:
                    count["open"] += int((~intruder & ~matched).sum())
                    count["asked"] += len(best)
    return count


def test_intervals_hold_and_no_verdict_is_wrong() -> None:
    total: Counter[str] = Counter()
    realistic: Counter[str] = Counter()
    for name, family in FAMILIES.items():
        for seed, (m, n) in enumerate(SHAPES):
            count = tally(*family(m, n, 10 * seed + len(name)), seed)
            total += count
            if name in REALISTIC:
                realistic += count
    assert total["wrong"] == 0
    assert total["decided"] >= 4000
    assert realistic["open"] <= 0.05 * realistic["asked"]


@pytest.fixture
def exhausted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of every Ritz decomposition, whether its Krylov space was the whole space."""
    seen: list[bool] = []
    ritz = BlockLanczos.ritz

    def spy(lanczos: BlockLanczos) -> Ritz:
        seen.append(lanczos.exhausted)
        return ritz(lanczos)

    monkeypatch.setattr(BlockLanczos, "ritz", spy)
    return seen


@pytest.mark.parametrize("name", ["random_lora", "bfloat16_lora", "planted", "clustered", "deep_direction"])
def test_intervals_hold_where_most_of_the_space_is_never_seen(name: str, exhausted: list[bool]) -> None:
    base, tuned = FAMILIES[name](400, 440, 6)
    expected = truth(base, tuned)
    found = certificate(base, tuned, 0.5)
    for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
        best = torch.from_numpy(cosines[:, :8].max(axis=0))
        assert bool((matches.lower <= best + 1e-12).all())
        assert bool((matches.upper >= best - 1e-12).all())
        assert bool((matches.lower <= matches.upper).all())
    assert exhausted.count(False) >= 3
    open_ = int(((found.left.lower < 0.5) & (found.left.upper >= 0.5)).sum())
    assert open_ <= (8 if name in ("random_lora", "clustered") else 2)


def test_a_proof_that_fails_leaves_no_claim(monkeypatch: pytest.MonkeyPatch, exhausted: list[bool]) -> None:
    """The search is made to miss the largest vector: only the proof can know."""
    base, update = power_law_lora(400, 440, 3)
    search = certified.top_vectors

    def blind(a: Square, k: int, *, seed: int) -> TopVectors:
        top = search(a, k + 1, seed=seed)
        cut = [getattr(top, name)[1:] for name in ("rows", "values", "residuals", "gaps")]
        return TopVectors(*cut, top.ceiling, top.floor)

    monkeypatch.setattr(certified, "top_vectors", blind)
    found = compare_certified(base, update, k=4, small=0, escalate=False, strict=True)
    for matches in (found.left, found.right):
        assert matches.lower.tolist() == [0.0] * 4
        assert matches.upper.tolist() == [1.0] * 4
    assert not all(exhausted)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(0, 1000),
    st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_tiny_shapes(m: int, n: int, seed: int, dtype: torch.dtype) -> None:
    base = gaussian(m, n, seed).to(dtype)
    tuned = (base.double() + 0.3 * gaussian(m, n, seed + 1)).to(dtype)
    found = compare_certified(base, tuned, k=3, small=0, escalate=False, seed=seed)
    expected = truth(base, tuned)
    for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
        best = torch.from_numpy(cosines.max(axis=0))[: len(matches.lower)]
        assert bool((matches.lower[: len(best)] <= best + 1e-9).all())
        assert bool((matches.upper[: len(best)] >= best - 1e-9).all())


@pytest.mark.parametrize("seed", range(6))
def test_a_deep_direction_in_the_top_is_never_missed(seed: int) -> None:
    base, tuned = deep_direction(*((400, 440) if seed == 0 else (80, 120)), seed)
    found = certificate(base, tuned, 0.5, seed)
    exact = compare_exact(base, tuned)
    torch.testing.assert_close(found.sigma_tuned[:8], exact.sigma_tuned[:8], rtol=1e-5, atol=0)
    moved = int((exact.left.index[:8] > min(base.shape) // 2).nonzero()[0])
    # Nothing in the top of the base is like it: only a bound over all base vectors can know its match.
    assert float(found.left.upper[moved]) >= float(exact.left.lower[moved]) - 1e-9


def test_strict_mode_agrees_and_proves() -> None:
    base, tuned = power_law_lora(70, 90, 3)
    stages: list[str] = []
    plain = certificate(base, tuned, 0.5)
    strict = compare_certified(base, tuned, k=8, small=0, escalate=False, strict=True, on_stage=stages.append)
    assert "proving that nothing was missed" in stages
    assert torch.equal(plain.left.lower, strict.left.lower)
    assert torch.equal(plain.left.upper, strict.left.upper)


def test_scale_of_both_changes_no_bound() -> None:
    base, update = random_lora(60, 80, 5)
    assert isinstance(update, LowRank)
    plain = certificate(base, update, 0.5)
    for scale in (2.0**-90, 2.0**80):
        scaled = certificate(base * scale, LowRank(update.a, update.b, update.scaling * scale), 0.5)
        torch.testing.assert_close(scaled.left.upper, plain.left.upper, atol=1e-6, rtol=0)
        torch.testing.assert_close(scaled.right.lower, plain.right.lower, atol=1e-6, rtol=0)
        assert scaled.update.relative_norm == pytest.approx(plain.update.relative_norm)


def test_factors_and_merged_weights_get_the_same_verdicts() -> None:
    base, update = power_law(90, 60).float(), adapter(90, 60, 4, 0.7)
    one = certificate(base, update, 0.5)
    other = certificate(base, merged(base, update).float(), 0.5)
    for a, b in ((one.left, other.left), (one.right, other.right)):
        assert torch.equal(a.upper < 0.5, b.upper < 0.5)
        assert torch.equal(a.lower >= 0.5, b.lower >= 0.5)


def test_one_side_alone_leaves_the_other_unknown() -> None:
    base, update = power_law_lora(60, 90, 1)
    found = compare_certified(base, update, k=5, small=0, escalate=False, right=False)
    assert float(found.right.lower.max()) == 0.0
    assert float(found.right.upper.min()) == 1.0
    assert found.right.block.numel() == 0
    assert found.right.index.tolist() == [-1] * 5
    assert float(found.left.upper.min()) < 1.0


def test_measures_that_need_no_factorisation_are_there() -> None:
    base, update = power_law_lora(60, 90, 1)
    assert isinstance(update, LowRank)
    exact = compare_exact(base, update)
    factored = certificate(base, update, 0.5)
    assert factored.update.effective_rank == pytest.approx(exact.update.effective_rank)
    assert factored.weight_cosine == pytest.approx(exact.weight_cosine, rel=1e-6)
    whole = certificate(base, merged(base, update), 0.5)
    assert whole.update.effective_rank is None
    assert whole.update.relative_norm == pytest.approx(exact.update.relative_norm, rel=1e-5)


@pytest.mark.parametrize(("k", "small"), [(8, 512), (60, 0)])
def test_small_matrices_and_large_k_are_computed_exactly(k: int, small: int) -> None:
    base, update = power_law_lora(60, 90, 1)
    assert compare_certified(base, update, k=k, small=small).tier == "exact"


def test_open_verdicts_escalate() -> None:
    base, update = power_law_lora(60, 90, 1)
    value = float(compare_exact(base, update).left.lower[2])
    assert compare_certified(base, update, k=8, eps=value, small=0).tier == "exact"


def test_a_panelled_weight_gives_the_same_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    base, update = power_law(60, 300).bfloat16(), adapter(60, 300, 4, 0.7)
    plain = certificate(base, update, 0.5)
    monkeypatch.setattr("intruder_tui.spectral.operators.COPY_BYTES", 0)
    monkeypatch.setattr("intruder_tui.spectral.operators.PANEL_ELEMENTS", 4000)
    panelled = certificate(base, update, 0.5)
    torch.testing.assert_close(panelled.left.upper, plain.left.upper, atol=1e-4, rtol=0)
    torch.testing.assert_close(panelled.right.lower, plain.right.lower, atol=1e-4, rtol=0)


def test_weights_of_zeros_have_no_directions() -> None:
    weight = gaussian(600, 600).float()
    none = torch.zeros_like(weight)
    from_nothing = compare_certified(none, weight)
    for matches in (from_nothing.left, from_nothing.right):
        assert matches.upper.tolist() == [0.0] * 10
    to_nothing = compare_certified(weight, none)
    assert len(to_nothing.left.lower) == len(to_nothing.right.lower) == 0
    assert to_nothing.sigma_tuned.tolist() == [0.0] * 600
    lone = none.clone()
    lone[3] = weight[3]
    one = compare_certified(weight, lone, k=3, escalate=False)
    for matches in (one.left, one.right):
        assert matches.lower.tolist() == [0.0] * 3
        assert float(matches.upper[0]) < 0.5
        assert matches.upper.tolist()[1:] == [1.0] * 2


@pytest.mark.parametrize("hidden", ["lower", "upper"])
def test_bounds_that_are_not_numbers_decide_nothing(hidden: str) -> None:
    base, update = power_law_lora(60, 90, 1)
    matches = certificate(base, update, 0.5).left
    sure = replace(matches, lower=torch.tensor([0.0, 0.6]), upper=torch.tensor([0.4, 0.7]))
    assert decided(sure, 0.5)
    assert not decided(replace(sure, **{hidden: torch.tensor([torch.nan, 0.65])}), 0.5)
    assert not decided(replace(sure, lower=torch.tensor([0.3, 0.6]), upper=torch.tensor([0.2, 0.7])), 0.5)
    assert not decided(replace(sure, lower=torch.tensor([-0.9, 0.6])), 0.5)


def test_what_two_comparisons_know_together() -> None:
    base, update = power_law_lora(60, 90, 1)
    one = certificate(base, update, 0.5)
    first = replace(one.left, lower=torch.tensor([0.1, 0.0, 0.9]), upper=torch.tensor([0.2, 1.0, 0.95]))
    second = replace(one.left, lower=torch.tensor([0.0, 0.6, 0.1]), upper=torch.tensor([0.4, 0.8, 0.2]))
    both = intersected(replace(one, left=first), replace(one, left=second))
    # Bounds that contradict each other are no bounds.
    assert both.left.lower.tolist() == pytest.approx([0.1, 0.6, 0.0])
    assert both.left.upper.tolist() == pytest.approx([0.2, 0.8, 1.0])
    assert torch.equal(both.right.upper, one.right.upper)


def test_nothing_is_below_a_threshold_of_zero() -> None:
    found = certificate(*power_law_lora(60, 90, 1), 0.0)
    assert decided(found.left, 0.0)
    assert found.left.upper.tolist() == [1.0] * 8


def test_no_update_is_an_answer() -> None:
    base = gaussian(40, 50)
    assert compare_certified(base, base.clone(), small=0).unchanged
