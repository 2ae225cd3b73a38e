"""Many small pairs at once: the same answers as one by one, and one that can't be analysed harms no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tests.support.card import CARD, stand_in
from tests.support.weights import adapter, gaussian, merged, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import Comparison, LowRank, SpectralError, compare_exact, compare_together

Pair = tuple[Tensor, Tensor | LowRank]
ROUNDING = 1e-9


def pairs_of(m: int, n: int) -> list[Pair]:
    """One shape: a merge, an update by its factors, a full fine-tune, tied values, lost rank, no change."""
    base, update = power_law(m, n, 0.5), adapter(m, n, 3, 0.8)
    tied = with_spectrum(m, n, torch.cat((torch.tensor([3.0, 2.0, 2.0]), torch.linspace(1.0, 0.2, 21))))
    return [
        (base.bfloat16(), merged(base, update).bfloat16()),
        (base.float(), update),
        (1e-12 * base, 1e-12 * (base + 0.05 * gaussian(m, n, 3))),
        (tied, tied + 0.02 * gaussian(m, n, 4)),
        (with_spectrum(m, n, torch.linspace(2.0, 1.0, 9)), with_spectrum(m, n, torch.linspace(1.5, 1.0, 7))),
        (base, base.clone()),
        (base, nearly_undone(base)),
    ]


def nearly_undone(base: Tensor) -> LowRank:
    """An update that leaves a thousandth of the base: what is summed cancels."""
    u, sigma, vh = torch.linalg.svd(base.double(), full_matrices=False)
    return LowRank(vh, u * sigma, -0.999)


def assert_same(found: Comparison | SpectralError, alone: Comparison) -> None:
    assert isinstance(found, Comparison)
    assert (found.tier, found.notes, found.unchanged) == (alone.tier, alone.notes, alone.unchanged)
    scale = float(alone.sigma_tuned.amax()) if len(alone.sigma_tuned) else 1.0
    torch.testing.assert_close(found.sigma_base, alone.sigma_base, rtol=0.0, atol=ROUNDING * scale)
    torch.testing.assert_close(found.sigma_tuned, alone.sigma_tuned, rtol=0.0, atol=ROUNDING * scale)
    torch.testing.assert_close(found.update.sigma, alone.update.sigma, rtol=0.0, atol=1e-6 * scale)
    for ours, theirs in ((found.left, alone.left), (found.right, alone.right)):
        # What rounding leaves open (tied vectors, a lost rank) may come out otherwise, within its own bounds.
        assert bool((ours.lower >= theirs.least - ROUNDING).all())
        assert bool((ours.lower <= theirs.most + ROUNDING).all())
        sure = theirs.most - theirs.least < 1e-6
        torch.testing.assert_close(ours.lower[sure], theirs.lower[sure], rtol=0.0, atol=1e-6)
        assert torch.equal(ours.index[sure], theirs.index[sure])
        wide, expected = ours.most - ours.least, theirs.most - theirs.least
        torch.testing.assert_close(wide, expected, rtol=0.5, atol=1e-9)


@pytest.mark.parametrize(("m", "n"), [(24, 40), (40, 24), (24, 24), (24, 150), (150, 24)])
@pytest.mark.parametrize("chunk", [1, 1 << 22])
def test_answers_are_those_of_one_by_one(m: int, n: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("intruder_tui.spectral.matrices.CHUNK_ELEMENTS", chunk)
    pairs = pairs_of(m, n)
    for found, pair in zip(compare_together(pairs, threads=3), pairs, strict=True):
        assert_same(found, compare_exact(*pair))


def test_a_pair_that_cannot_be_analysed_has_its_error_in_its_place() -> None:
    pairs = pairs_of(24, 40)
    spoilt = torch.full((24, 40), torch.nan)
    found = compare_together([pairs[0], (pairs[1][0], spoilt), pairs[2]])
    assert_same(found[0], compare_exact(*pairs[0]))
    assert isinstance(found[1], SpectralError)
    assert str(found[1]) == "tuned has 960 of 960 values that are not finite"
    assert_same(found[2], compare_exact(*pairs[2]))


def test_nothing_but_unchanged_pairs_and_no_pair_at_all() -> None:
    base = power_law(24, 40, 0.5)
    (found,) = compare_together([(base, base)])
    assert isinstance(found, Comparison)
    assert found.unchanged
    assert compare_together([]) == []


def test_the_threads_of_torch_are_left_as_they_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        compare_together(pairs_of(24, 40), threads=2)
        assert torch.get_num_threads() == 2
        with ThreadPoolExecutor(1) as pool:  # what threads made later will have
            assert pool.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_num_threads(before)


def test_products_are_made_on_the_device_and_eigenproblems_solved_beside_it() -> None:
    pairs = [(base, tuned) for base, tuned in pairs_of(24, 40) if isinstance(tuned, Tensor)]
    with stand_in() as card:
        placed = [(base.to(CARD), tuned.to(CARD)) for base, tuned in pairs]
        found = compare_together(placed, threads=1)
    assert not [name for name, _ in card.solved if "eigh" in name]
    for one, pair in zip(found, pairs, strict=True):
        assert_same(one, compare_exact(*pair))
