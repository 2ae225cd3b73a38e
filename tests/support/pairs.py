"""Families of weight pairs that numerics are tried on; each is made from a shape and a seed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from tests.support.weights import adapter, gaussian, orthonormal, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import LowRank

MadePair = tuple[Tensor, Tensor | LowRank]


def _noise(m: int, n: int, size: float, seed: int) -> Tensor:
    return (size * gaussian(m, n, seed) / max(m, n) ** 0.5).float()


def random_lora(m: int, n: int, seed: int) -> MadePair:
    base = _noise(m, n, 1.0, seed)
    return base, adapter(m, n, 4, 2.0, seed + 1)


def power_law_lora(m: int, n: int, seed: int) -> MadePair:
    return power_law(m, n, 0.6, seed).float(), adapter(m, n, 4, 0.5, seed + 1)


def bfloat16_lora(m: int, n: int, seed: int) -> MadePair:
    return power_law(m, n, 0.6, seed).bfloat16(), adapter(m, n, 4, 0.5, seed + 1)


def full_fine_tune(m: int, n: int, seed: int) -> MadePair:
    base = power_law(m, n, 0.4, seed).float()
    return base, base + _noise(m, n, 0.05, seed + 5)


def float64_fine_tune(m: int, n: int, seed: int) -> MadePair:
    base = power_law(m, n, 0.6, seed)
    return base, base + 0.02 * gaussian(m, n, seed + 5)


def planted(m: int, n: int, seed: int) -> MadePair:
    base = power_law(m, n, 0.5, seed).float()
    u, v = orthonormal(m, 2, seed + 3), orthonormal(n, 2, seed + 4)
    return base, base + ((u * torch.tensor([0.9, 0.6]).double()) @ v.T).float()


def spiked(m: int, n: int, seed: int) -> MadePair:
    spikes = with_spectrum(m, n, 2 + 4 * torch.arange(1, 9) ** -0.8, seed + 1).float()
    return _noise(m, n, 1.0, seed) + spikes, adapter(m, n, 4, 3.0, seed + 2)


def steep(m: int, n: int, seed: int) -> MadePair:
    return power_law(m, n, 1.5, seed).float(), adapter(m, n, 4, 0.1, seed + 1)


def rank_deficient(m: int, n: int, seed: int) -> MadePair:
    return with_spectrum(m, n, torch.linspace(2, 1, min(m, n) // 2), seed), adapter(m, n, 3, 2.0, seed + 3)


def clustered(m: int, n: int, seed: int) -> MadePair:
    """Near ties of every closeness, rotated by a small update: single cosines hang on the last digits."""
    head = torch.tensor([3.0, 2.0, 2.0 * (1 - 1e-4), 2.0 * (1 - 1e-5), 1.5, 1.5])
    base = with_spectrum(m, n, torch.cat((head, torch.linspace(1, 0.2, min(m, n) - 6))), seed).float()
    return base, base + _noise(m, n, 0.02, seed + 5)


def deep_direction(m: int, n: int, seed: int) -> MadePair:
    """One of the base's last directions is moved into the top."""
    base = power_law(m, n, 0.6, seed)
    u, _, vh = torch.linalg.svd(base, full_matrices=False)
    i = min(m, n) - 1 - seed % 3
    return base.float(), (base + 0.6 * u[:, i : i + 1] @ vh[i : i + 1]).float()


FAMILIES: dict[str, Callable[[int, int, int], MadePair]] = {
    family.__name__: family
    for family in (
        random_lora,
        power_law_lora,
        bfloat16_lora,
        full_fine_tune,
        float64_fine_tune,
        planted,
        spiked,
        steep,
        rank_deficient,
        clustered,
        deep_direction,
    )
}
