"""What is claimed of the top vectors' neighbours, on small matrices whose whole spectrum is known.

A = [[diag(theta), R^T], [R, C]] has the Ritz values theta in the first coordinates, with the columns of R for
residuals. The count of eigenvalues in a window is taken from the spectrum itself: what is tried is what
follows from it, with residuals so large and so parallel that each of Kahan's bounds is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from tests.support.weights import gaussian, generator, orthonormal, power_law
from torch import Tensor

from intruder_tui.spectral import topk
from intruder_tui.spectral.lanczos import Ritz
from intruder_tui.spectral.matrices import Stored
from intruder_tui.spectral.operators import Operator, Square
from intruder_tui.spectral.topk import TopVectors, is_complete, top_vectors

TRIES = 1000


@dataclass(frozen=True)
class Found:
    """k Ritz values of those in `theta`, the norms of their residuals, and all eigenvalues, descending.

    Eigenvalues are counted between neighbouring `cuts`, as windows are where Ritz values lie far apart.
    """

    k: int
    theta: Tensor
    residuals: Tensor
    spectrum: Tensor
    cuts: tuple[float, ...] = ()


def coupled(k: int, theta: Tensor, rest: Tensor, hidden: Tensor, cuts: tuple[float, ...] = ()) -> Found:
    """What is found of A with R = `rest` ([unseen, s]) and C = diag(`hidden`)."""
    whole = torch.cat((torch.cat((theta.diag(), rest.T), 1), torch.cat((rest, hidden.diag()), 1)))
    return Found(k, theta, rest.norm(dim=0), torch.linalg.eigvalsh(whole).flip(0), cuts)


def found(seed: int) -> Found:
    chance = generator(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=chance, dtype=torch.float64)

    k, unseen = 2 + seed % 3, 3
    theta = 1 + uniform(k + 2)
    if seed % 2:
        theta[1:3] = theta[0] - 1e-3 * uniform(2)
    theta = theta.sort(descending=True).values
    sizes = 10 ** (-0.3 - 2.5 * uniform(k + 2))
    if seed % 5 == 0:
        sizes[:] = sizes[0]
    directions = torch.randn(unseen, 1 if seed % 4 < 2 else k + 2, generator=chance, dtype=torch.float64)
    rest = directions / directions.norm(dim=0) * sizes
    hidden = theta[torch.randint(k + 2, (unseen,), generator=chance)] if seed % 3 else 0.5 + 1.5 * uniform(3)
    cuts = tuple(sorted((0.8 + 1.2 * uniform(2)).tolist())) if seed % 7 < 4 else ()
    return coupled(k, theta, rest, hidden, cuts)


def claimed(one: Found, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    """The gaps, by someone who is told where more eigenvalues lie than Ritz values."""

    class Told:
        def __init__(self, *_args: object) -> None:
            pass

        def hiding(
            self, ranges: list[tuple[float, float]], _patience: int
        ) -> list[list[tuple[float, float]]]:
            return [
                [w for w in cut(r, one.cuts) if count(one.spectrum, w) > count(one.theta, w)] for r in ranges
            ]

    monkeypatch.setattr(topk, "Windows", Told)
    monkeypatch.setattr(topk, "ceiling_of", lambda *_: float(one.spectrum[0]) + 0.1)
    row = one.theta[None]
    ritz = Ritz(one.theta, row, row, one.theta.diag(), one.residuals, 0.0, row)
    lanczos = SimpleNamespace(steps=9, start=None)
    return topk._gaps(lanczos, ritz, one.k, 9, 99, 8)[0]


def count(values: Tensor, window: tuple[float, float]) -> int:
    return int(((values >= window[0]) & (values <= window[1])).sum())


def cut(window: tuple[float, float], cuts: tuple[float, ...]) -> list[tuple[float, float]]:
    return list(pairwise([window[0], *(c for c in cuts if window[0] < c < window[1]), window[1]]))


def are_true(gaps: Tensor, one: Found) -> bool:
    """Whether no other eigenvalue lies as near to a Ritz value as its gap says."""
    for j in torch.nonzero(gaps)[:, 0].tolist():
        others = torch.cat((one.spectrum[:j], one.spectrum[j + 1 :]))
        if float((others - one.theta[j]).abs().min()) < float(gaps[j]) - 1e-9:
            return False
    return True


def test_no_other_eigenvalue_lies_within_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    claims = 0
    for seed in range(TRIES):
        one = found(seed)
        gaps = claimed(one, monkeypatch)
        assert are_true(gaps, one), seed
        claims += int((gaps > 0).sum())
    assert claims > 50


def test_a_vector_that_is_hardly_known_gives_its_place_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second may stand for an eigenvalue below; then its place is free for one beside the first."""
    spectrum = torch.tensor([1.0, 0.9, 0.3, 0.2]).double()
    theta, residuals = torch.tensor([1.0, 0.5, 0.3]).double(), torch.tensor([0.01, 0.45, 0.01]).double()
    gaps = claimed(Found(2, theta, residuals, spectrum), monkeypatch)
    assert gaps.tolist() == [0.0, 0.0]


THETA = torch.tensor([1.0, 0.8, 0.5, 0.1]).double()


def test_a_vector_that_may_stand_for_less_gives_no_place_above_a_raised_floor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Something hides below 0.7 and nothing above, by number: but 0.8 stands for 0.65, and 0.98 is unseen."""
    one = coupled(
        3, THETA, torch.tensor([[0.0, 0.16, 0.0, 0.0]]).double(), torch.tensor([0.83]).double(), (0.7,)
    )
    assert count(one.spectrum, (0.7, 9.0)) == count(one.theta, (0.7, 9.0)) == 2
    assert count(one.spectrum, (0.3, 0.7)) == 2
    # All three are sure enough for the lower floor, at 0.3; a gap of 0.04 would follow for the first.
    assert float(one.theta[2] - one.residuals.norm()) > 0.3
    assert 1.0 - float(one.spectrum[1]) < 0.03
    assert are_true(claimed(one, monkeypatch), one)


def test_vectors_above_a_part_that_hides_something_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    rest = torch.tensor([[0.0, 0.05, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]).double()
    one = coupled(3, THETA, rest, torch.tensor([0.2, 0.6]).double(), (0.7,))
    gaps = claimed(one, monkeypatch)
    assert are_true(gaps, one)
    # 0.8 is known to 0.05, and nothing else lies above 0.7.
    torch.testing.assert_close(gaps, torch.tensor([0.15, 0.1, 0.0]).double())


def test_of_several_parts_that_hide_something_the_highest_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    one = coupled(3, THETA, torch.zeros(2, 4).double(), torch.tensor([0.6, 0.85]).double(), (0.7, 0.9))
    gaps = claimed(one, monkeypatch)
    assert are_true(gaps, one)
    torch.testing.assert_close(gaps, torch.tensor([0.1, 0.0, 0.0]).double())


def test_vectors_stand_for_what_lies_within_their_joint_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one size, coupled to one direction: alone neither could stand for less than the floor."""
    both = 0.1
    up, down = 1.2 * both, both / 1.2
    single = both / 2**0.5
    assert single < down < both < up
    floor = 1.0 - (single + down) / 2
    theta = torch.tensor([2.0, 1.0, 1.0, 2 * floor - 1.0]).double()
    rest = torch.tensor([[0.0, single, single, 0.0]]).double()
    one = coupled(3, theta, rest, torch.tensor([1.0 + up - down]).double())
    torch.testing.assert_close(one.spectrum[1:4], torch.tensor([1 + up, 1.0, 1 - down]).double())
    gaps = claimed(one, monkeypatch)
    assert gaps[0] > 0
    assert are_true(gaps, one)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_neighbours_below_lie_within_their_joint_residual(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    """Two Ritz values of one size, coupled to one direction, move by the root of 2 times what each would."""
    coupling = 0.01
    t, hidden = 1.0, 1.0 - share * coupling
    moved = ((t - hidden) ** 2 / 4 + 2 * coupling**2) ** 0.5 - (t - hidden) / 2
    assert moved > coupling
    # The floor is above what is pushed down, and below what the two certainly stand for.
    floor = (hidden - moved + t - 2**0.5 * coupling) / 2
    theta = torch.tensor([2.0, t, t, 2 * floor - t]).double()
    residuals = torch.tensor([0.0, coupling, coupling, 0.0]).double()
    spectrum = torch.tensor([2.0, t + moved, t, hidden - moved, 2 * floor - t]).double()
    gaps = claimed(Found(3, theta, residuals, spectrum.sort(descending=True).values), monkeypatch)
    assert 0.98 < float(gaps[0]) <= 2.0 - (t + moved)


@pytest.mark.parametrize("gap", [1e-2, 1e-5, 1e-8, 1e-11, 1e-14, 0.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_proof_of_completeness_counts_the_eigenvalues(gap: float, seed: int) -> None:
    """The floor lies by every closeness above or below the next eigenvalue."""
    sigma = torch.cat((torch.linspace(3, 2, 5), torch.linspace(1, 0.1, 35))).double()
    left = orthonormal(40, 40, seed)
    weight = left * sigma @ orthonormal(60, 40, seed + 9).T
    spectrum = torch.linalg.svdvals(weight).square()
    nothing = torch.zeros(5, dtype=torch.float64)
    for sign in (1, -1):
        floor = float(spectrum[5]) * (1 + sign * gap)
        top = TopVectors(left[:, :5].T, spectrum[:5], nothing, nothing, 9.0, floor)
        proven = is_complete(Stored(weight), top)
        assert proven <= (sign > 0 and gap > 0)
        if sign > 0 and gap >= 1e-8:
            assert proven


def test_a_proof_of_completeness_needs_vectors_that_are_known_themselves() -> None:
    weight = power_law(60, 80)
    top = top_vectors(Square(Operator.of(weight, 1.0, torch.float64)), 5)
    assert is_complete(Stored(weight), top)
    loose = TopVectors(
        top.rows, top.values, top.residuals + float(top.values[4]), top.gaps, top.ceiling, top.floor
    )
    assert not is_complete(Stored(weight), loose)
    # Five directions that stand for nothing in particular.
    other = torch.linalg.qr(gaussian(60, 5, 3)).Q.T
    assert not is_complete(
        Stored(weight), TopVectors(other, top.values, top.residuals, top.gaps, 9.0, top.floor)
    )
