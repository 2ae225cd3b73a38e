"""Scalings, leading vectors and whole matrices of cosines against numpy's SVD of the merged weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.support.weights import adapter, gaussian, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import BaseFactors, LowRank, SpectralError, factorise_base
from intruder_tui.spectral.leading import leading_vectors
from intruder_tui.spectral.scalings import Scaled, scaling_grid, update_components
from intruder_tui.spectral.whole import WholeCosines

SHAPES = [(96, 150), (150, 96), (110, 110)]
MULTIPLES = (0.0, 0.5, 1.0, 2.5, 4.0)


def dense(update: LowRank, multiple: float = 1.0) -> NDArray[np.float64]:
    product = update.b.double() @ update.a.double()
    return (product * (update.scaling * multiple)).numpy()


def oracle(base: Tensor, update: LowRank, multiple: float, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """sigma, and |cos| with every base vector, columns tuned: U side, V side."""
    w0 = base.double().numpy()
    u0, s0, v0 = np.linalg.svd(w0, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(w0 + dense(update, multiple), full_matrices=False)
    rank = int((s0 > 1e-10 * s0[0]).sum())
    left, right = np.abs(u0.T @ u1)[:rank, :limit], np.abs(v0 @ v1.T)[:rank, :limit]
    return torch.from_numpy(s1[:limit]), torch.from_numpy(left), torch.from_numpy(right)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_scaling_holds_what_the_merged_weights_decomposition_gives(shape: tuple[int, int]) -> None:
    base, update = power_law(*shape, 0.5, 3).float(), adapter(*shape, 4, 0.4, 4)
    grid = scaling_grid(factorise_base(base), base, update, MULTIPLES, limit=12)
    for found, multiple in zip(grid, MULTIPLES, strict=True):
        sigma, left, right = oracle(base, update, multiple, 12)
        torch.testing.assert_close(found.sigma, sigma, rtol=1e-3, atol=1e-5)
        for match, cosines in ((found.left, left), (found.right, right)):
            best = cosines.amax(0)
            assert bool((match.lower <= best + 1e-9).all())
            assert bool((match.upper >= best - 1e-9).all())
            narrow = match.upper - match.lower < 0.1
            assert int(narrow.sum()) >= 8
            # Two base vectors may match so alike that none is told.
            told = narrow & (match.index >= 0)
            assert int(told.sum()) >= 8
            attained = cosines[match.index, torch.arange(12)]
            assert bool((attained[told] >= best[told] - 5e-3).all())


@pytest.mark.parametrize("shape", SHAPES)
def test_shares_are_the_energy_in_each_component_of_the_update(shape: tuple[int, int]) -> None:
    base, update = power_law(*shape, 0.5, 5).float(), adapter(*shape, 3, 0.8, 6)
    grid = scaling_grid(factorise_base(base), base, update, (1.0, 2.0), limit=6)
    p, d, q = np.linalg.svd(dense(update), full_matrices=False)
    np.testing.assert_allclose(update_components(update)[0].numpy(), d[:3], rtol=1e-6)
    for found, multiple in zip(grid, (1.0, 2.0), strict=True):
        u1, _, v1 = np.linalg.svd(base.double().numpy() + dense(update, multiple), full_matrices=False)
        np.testing.assert_allclose(found.left.shares, np.square(p[:, :3].T @ u1[:, :6]).T, atol=5e-3)
        np.testing.assert_allclose(found.right.shares, np.square(q[:3] @ v1[:6].T).T, atol=5e-3)


@pytest.mark.parametrize("rank", [8, 70])
def test_a_base_without_full_rank_is_answered_scaling_by_scaling(rank: int) -> None:
    base = with_spectrum(96, 128, torch.linspace(2, 1, rank), 7)
    update = adapter(96, 128, 3, 2.0, 8)
    grid = scaling_grid(factorise_base(base), base, update, (0.0, 1.0), limit=6)
    assert bool((grid[0].left.lower == 1.0).all())
    sigma, left, right = oracle(base, update, 1.0, 6)
    torch.testing.assert_close(grid[1].sigma, sigma, rtol=1e-3, atol=1e-5)
    for match, cosines in ((grid[1].left, left), (grid[1].right, right)):
        assert bool((match.lower <= cosines.amax(0) + 1e-6).all())
        assert bool((match.upper >= cosines.amax(0) - 1e-6).all())


def test_a_row_alone_has_an_answer() -> None:
    base, update = gaussian(1, 24, 9).float(), adapter(1, 24, 1, 1.0, 10)
    (found,) = scaling_grid(factorise_base(base), base, update, (1.0,))
    assert found.left.lower.tolist() == pytest.approx([1.0], abs=1e-3)
    cosines = oracle(base, update, 1.0, 1)[2]
    assert float(found.right.lower[0]) == pytest.approx(float(cosines[0, 0]), abs=2e-3)


def test_components_that_are_rounding_are_left_out() -> None:
    b, a = gaussian(40, 2, 11), gaussian(2, 30, 12)
    update = LowRank(torch.cat((a, a)), torch.cat((b, b), dim=1), 0.5)
    sigma, ours, theirs = update_components(update)
    assert (len(sigma), ours.shape, theirs.shape) == (2, (2, 40), (2, 30))
    torch.testing.assert_close((ours.T * sigma) @ theirs, b @ a)


def test_shapes_that_differ_are_refused() -> None:
    base = gaussian(40, 30, 13)
    with pytest.raises(SpectralError, match="base is 40 x 30, the update is 40 x 31"):
        scaling_grid(factorise_base(base), base, adapter(40, 31, 2, 1.0, 14), (1.0,))


@pytest.mark.parametrize("shape", [*SHAPES, (560, 900), (900, 560)])
@pytest.mark.parametrize("low_rank", [True, False])
def test_leading_vectors_are_those_of_the_tuned_weight(shape: tuple[int, int], low_rank: bool) -> None:
    base, update = power_law(*shape, 0.7, 15).float(), adapter(*shape, 3, 1.0, 16)
    weight = base.double().numpy() + dense(update)
    tuned = update if low_rank else torch.from_numpy(weight)
    found = leading_vectors(base, tuned, limit=10)
    u, s, v = np.linalg.svd(weight, full_matrices=False)
    np.testing.assert_allclose(found.sigma, s[:10], rtol=1e-5)
    assert found.left.shape == (shape[0], 10)
    assert found.right.shape == (shape[1], 10)
    for ours, theirs in ((found.left, u[:, :10]), (found.right, v[:10].T)):
        cosines = np.abs((ours.double().numpy() * theirs).sum(0)).clip(max=1.0)
        assert bool((np.arccos(cosines) <= found.angles.numpy() + 1e-3).all())
        assert float(cosines.min()) > 0.999


def whole(one: WholeCosines, *, left: bool) -> NDArray[np.float32]:
    out = np.full(one.shape, np.nan, np.float32)
    for row, column, panel in one.panels(left=left):
        out[row : row + panel.shape[0], column : column + panel.shape[1]] = panel.numpy()
    return out


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kept", [True, False])
def test_whole_matrices_hold_every_cosine(shape: tuple[int, int], kept: bool) -> None:
    base, update = power_law(*shape, 0.5, 17).float(), adapter(*shape, 4, 0.5, 18)
    computed: list[BaseFactors] = []
    factors = factorise_base(base) if kept else None
    found = WholeCosines(base, update, factors, on_base=computed.append)
    assert len(computed) == (0 if kept else 1)
    sigma, left, right = oracle(base, update, 1.0, min(shape))
    np.testing.assert_allclose(found.sigma_tuned, sigma, rtol=1e-6)
    np.testing.assert_allclose(whole(found, left=True), left, atol=1e-3)
    np.testing.assert_allclose(whole(found, left=False), right, atol=1e-3)


def test_panels_meet_at_their_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intruder_tui.spectral.whole.BASE_ROWS", 40)
    monkeypatch.setattr("intruder_tui.spectral.whole.TUNED_COLUMNS", 28)
    base, tuned = power_law(70, 100, 0.5, 19), power_law(70, 100, 0.5, 20)
    cosines = whole(WholeCosines(base, tuned), left=True)
    u0, u1 = (np.linalg.svd(one.numpy(), full_matrices=False)[0] for one in (base, tuned))
    np.testing.assert_allclose(cosines, np.abs(u0.T @ u1), atol=1e-3)


def test_zero_directions_have_no_cosines() -> None:
    base = with_spectrum(40, 60, torch.linspace(2, 1, 25), 21)
    found = WholeCosines(base, base + 0.1 * with_spectrum(40, 60, torch.ones(3), 22))
    assert found.shape == (25, 28)
    assert not np.isnan(whole(found, left=True)).any()


def test_the_grid_is_cut_to_what_all_scalings_have() -> None:
    base = with_spectrum(30, 40, torch.linspace(2, 1, 30), 23)
    u, s, v = np.linalg.svd(base.numpy(), full_matrices=False)
    # Taking 28 of the base's own directions away leaves two.
    b, a = torch.from_numpy(-u[:, :28] * s[:28]), torch.from_numpy(v[:28])
    grid: list[Scaled] = scaling_grid(factorise_base(base), base, LowRank(a, b, 1.0), (0.0, 1.0))
    assert [len(one.sigma) for one in grid] == [2, 2]


def test_an_update_whose_square_leaves_float64_is_refused_by_name() -> None:
    base, update = power_law(80, 90, 0.5, 3), adapter(80, 90, 4, 0.4, 4)
    far = LowRank(update.a.double(), update.b.double(), 1e165)
    with pytest.raises(SpectralError, match=r"too large to be squared at scaling 1e\+165"):
        scaling_grid(factorise_base(base), base, far, [1.0], limit=8)
