"""Traits of matches: ties, mixing, foreign directions and the floors, on constructed cases."""

from __future__ import annotations

import pytest
import torch
from tests.support.spectral_oracle import truth
from tests.support.weights import adapter, gaussian, generator, orthonormal, power_law, with_spectrum

from intruder_tui.spectral import LowRank, Matches, Traits, clusters, compare_exact, random_direction_floor


def traits(matches: Matches) -> Traits:
    assert matches.traits is not None
    return matches.traits


def test_clusters_by_relative_gap() -> None:
    sigma = torch.tensor([3.0, 2.0, 2.0, 2.0 - 1e-6, 1.0, 0.5, 0.5]).double()
    assert clusters(sigma).tolist() == [0, 1, 1, 1, 2, 3, 3]
    assert clusters(sigma[:0]).tolist() == []


def test_sums_agree_with_all_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intruder_tui.spectral.cosines.BASE_ROWS", 7)
    monkeypatch.setattr("intruder_tui.spectral.cosines.TUNED_COLUMNS", 9)
    base, update = power_law(30, 50), adapter(30, 50, 3)
    ours, expected = compare_exact(base, update, window=2), truth(base, update)
    for matches, cosines in ((ours.left, expected.left), (ours.right, expected.right)):
        c = torch.from_numpy(cosines)
        found = traits(matches)
        torch.testing.assert_close(found.participation, 1 / c.pow(4).sum(0))
        near = (torch.arange(30)[:, None] - torch.arange(30)).abs() <= 2
        torch.testing.assert_close(found.window_share, torch.where(near, c.square(), 0).sum(0))
        torch.testing.assert_close(found.cluster_overlap, matches.lower)
        assert found.window == 2


def test_a_tie_is_overlap_not_loss() -> None:
    """The definition's example: a tied pair plus a small update rotates inside its span."""
    sigma = torch.tensor([4.0, 3.0, 3.0, *torch.linspace(2, 1, 27).tolist()])
    u, v = orthonormal(30, 30, 1), orthonormal(40, 30, 2)
    base = u * sigma.double() @ v.T
    mixed = (u[:, 1:2] + u[:, 2:3]) @ (v[:, 1:2] + v[:, 2:3]).T
    ours = compare_exact(base, base + 0.01 * mixed)
    for matches in (ours.left, ours.right):
        found = traits(matches)
        torch.testing.assert_close(found.cluster_overlap[1:3], torch.ones(2).double(), atol=1e-5, rtol=0)
        assert found.cluster_size[1:3].tolist() == [2, 2]
        assert found.cluster_size[0] == 1
        assert found.tuned_cluster_size[:3].tolist() == [1, 1, 1]


@pytest.mark.parametrize(("m", "n"), [(60, 80), (80, 60)])
def test_the_share_of_an_update_is_that_of_what_its_factors_hold_together(m: int, n: int) -> None:
    """Factors of a pruned adapter keep columns whose gain is zero, and others repeat one another."""
    base, update = power_law(m, n), adapter(m, n, 2, 3.0)
    gains = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
    a = torch.cat((update.a, gaussian(1, n, 5), update.a[:1], gaussian(2, n, 6))) * gains[:, None]
    b = torch.cat((update.b, gaussian(m, 1, 7), update.b[:, :1], gaussian(m, 2, 8)), dim=1)
    wider = LowRank(a, b, update.scaling)
    dense = update.scaling * b.double() @ a.double()
    u, _, vh = torch.linalg.svd(dense)
    tuned = torch.linalg.svd(base.double() + dense)
    found = compare_exact(base, wider)
    left = (u[:, :2].T @ tuned.U).square().sum(0)[: min(m, n)]
    right = (vh[:2] @ tuned.Vh.T).square().sum(0)[: min(m, n)]
    torch.testing.assert_close(traits(found.left).update_share, left, atol=1e-9, rtol=0.0)
    torch.testing.assert_close(traits(found.right).update_share, right, atol=1e-9, rtol=0.0)


def test_an_update_of_too_many_components_tells_no_share() -> None:
    base = power_law(20, 30)
    pruned = adapter(20, 30, 6, 1.0)
    pruned.a[4:] = 0.0
    for update, told in ((adapter(20, 30, 5, 1.0), 20), (adapter(20, 30, 6, 1.0), 0), (pruned, 20)):
        assert len(traits(compare_exact(base, update).left).update_share) == told


def test_ties_of_the_tuned_weight_are_marked() -> None:
    tuned = with_spectrum(20, 30, torch.tensor([3.0, 2.0, 2.0, 1.0]))
    found = traits(compare_exact(gaussian(20, 30), tuned).left)
    assert found.tuned_cluster_size.tolist() == [1, 2, 2, 1]


def test_a_foreign_direction_is_told_from_mixing() -> None:
    base, update = power_law(60, 90), adapter(60, 90, 1, 5.0)
    ours = compare_exact(base, update)
    for matches in (ours.left, ours.right):
        found = traits(matches)
        assert float(found.update_share[0]) > 0.95
        assert float(found.participation[0]) > 10
        assert float(found.window_share[0]) < 0.6
        # The second is the base's first, moved down by one.
        assert float(found.participation[1]) < 2
        assert float(found.window_share[1]) > 0.9
        assert float(found.update_share[1]) < 0.3


def test_a_merged_update_of_low_rank_has_its_share_too() -> None:
    base, update = power_law(60, 90), adapter(60, 90, 2, 5.0)
    whole = base + update.scaling * (update.b.double() @ update.a.double())
    for one, other in zip(
        (lambda c: (c.left, c.right))(compare_exact(base, update)),
        (lambda c: (c.left, c.right))(compare_exact(base, whole)),
        strict=True,
    ):
        torch.testing.assert_close(traits(one).update_share, traits(other).update_share, atol=1e-4, rtol=0)


def test_a_full_update_has_no_share() -> None:
    base = power_law(40, 60)
    found = compare_exact(base, base + 0.1 * gaussian(40, 60))
    assert traits(found.left).update_share.numel() == 0


@pytest.mark.parametrize(("q", "dimension"), [(48, 48), (200, 200), (60, 240)])
def test_random_directions_match_as_the_floor_says(q: int, dimension: int) -> None:
    sample = torch.randn(4000, dimension, generator=generator(1), dtype=torch.float64)
    best = (sample[:, :q].abs().amax(1)) / sample.norm(dim=1)
    mean, high = random_direction_floor(q, dimension)
    assert mean == pytest.approx(float(best.mean()), rel=0.03)
    assert high == pytest.approx(float(best.quantile(0.95)), rel=0.06)


def test_the_floors_of_the_definition() -> None:
    assert random_direction_floor(4096, 4096)[0] == pytest.approx(0.060, abs=0.001)
    assert random_direction_floor(1, 1) == (1.0, 1.0)
