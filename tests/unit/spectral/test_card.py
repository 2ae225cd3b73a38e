"""The same answers on a GPU: devices are not mixed, small eigenproblems stay on the CPU, waits are few."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.support.card import CARD, WrongDevice, stand_in
from tests.support.weights import adapter, gaussian, merged, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import (
    BaseCoordinates,
    LowRank,
    compare_certified,
    compare_exact,
    compare_with_factors,
    factorise_base,
)
from intruder_tui.spectral.lanczos import BlockLanczos
from intruder_tui.spectral.leading import leading_vectors
from intruder_tui.spectral.scalings import scaling_grid
from intruder_tui.spectral.whole import WholeCosines

Pair = tuple[Tensor, Tensor | LowRank]


def lora() -> Pair:
    return power_law(60, 80, 0.4).float(), adapter(60, 80, 4, 0.7)


def tall_merge() -> Pair:
    base, update = power_law(80, 60, 0.4).bfloat16(), adapter(80, 60, 4, 0.7)
    return base, merged(base, update).bfloat16()


def tied() -> Pair:
    base = with_spectrum(60, 80, torch.cat((torch.tensor([3.0, 2.0, 2.0]), torch.linspace(1, 0.2, 57))))
    return base.float(), (base + 0.02 * gaussian(60, 80, 5)).float()


def deficient() -> Pair:
    base = with_spectrum(60, 80, torch.linspace(2.0, 1.0, 30)).float()
    return base, adapter(60, 80, 3, 1.0)


PAIRS = (lora, tall_merge, tied, deficient)


def exact(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    found = compare_exact(base, tuned)
    return [found.left.lower, found.right.lower, found.sigma_tuned]


def certified(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    found = compare_certified(base, tuned, k=6, small=0, escalate=False, strict=True)
    return [found.left.lower, found.left.upper, found.right.lower, found.right.upper]


def with_factors(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    found = compare_with_factors(factorise_base(base), base, tuned, k=4)
    return [found.left.lower, found.left.upper, found.right.lower, found.right.upper]


def leading(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    found = leading_vectors(base, tuned, limit=4)
    return [found.sigma, found.angles]


def whole(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    panels = WholeCosines(base, tuned).panels(left=base.shape[0] < base.shape[1])
    return [panel.cpu().amax(0) for _, _, panel in panels]


def scalings(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    assert isinstance(tuned, LowRank)
    grid = scaling_grid(factorise_base(base), base, tuned, [0.0, 0.5, 2.0], limit=4)
    return [bound for one in grid for side in (one.left, one.right) for bound in (side.lower, side.upper)]


def slider(base: Tensor, tuned: Tensor | LowRank) -> list[Tensor]:
    assert isinstance(tuned, LowRank)
    found = BaseCoordinates(factorise_base(base), base, tuned).at(1.5, k=4)
    return [found.sigma, found.matches.lower, found.matches.upper]


CASES = [
    *((pair, method) for pair in PAIRS for method in (exact, certified, with_factors)),
    *((lora, method) for method in (leading, whole, scalings, slider)),
    *((tall_merge, method) for method in (leading, whole)),
    (deficient, scalings),
]


@pytest.mark.parametrize(("pair", "method"), CASES)
def test_a_card_gives_the_answers_of_the_cpu(
    pair: Callable[[], Pair], method: Callable[[Tensor, Tensor | LowRank], list[Tensor]]
) -> None:
    base, tuned = pair()
    expected = method(base, tuned)
    with stand_in():
        found = method(base.to(CARD), tuned)  # an update may lie elsewhere
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_a_certificate_solves_on_the_cpu_and_seldom_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = BlockLanczos.step

    def counted(lanczos: BlockLanczos) -> None:
        nonlocal steps
        steps += 1
        step(lanczos)

    monkeypatch.setattr(BlockLanczos, "step", counted)
    base, tuned = power_law(300, 340, 0.4).float(), adapter(300, 340, 4, 0.7)
    with stand_in() as card:
        compare_certified(base.to(CARD), tuned, k=10, small=0, escalate=False)
    assert steps > 15
    assert not [name for name, _ in card.solved if "eigh" in name]
    assert max(max(shape) for name, shape in card.solved if "cholesky" in name) <= 24
    assert card.waits.total() <= 3 * steps + 60


def test_the_stand_in_refuses_what_a_card_refuses() -> None:
    with stand_in():
        ours, theirs = torch.ones(2, 2, device=CARD), torch.ones(2, 2)
        assert ours.device == CARD
        assert (ours + torch.tensor(1.0)).sum().item() == 8.0
        assert ours[torch.tensor([0])].shape == (1, 2)
        for mixed in (
            lambda: ours + theirs,
            lambda: theirs[ours.long()],
            lambda: theirs + ours.sum(),
            lambda: ours.numpy(),
            lambda: torch.randn(2, device=CARD, generator=torch.Generator()),
        ):
            with pytest.raises(WrongDevice):
                mixed()
