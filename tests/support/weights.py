"""Weights with known structure."""

from __future__ import annotations

import torch
from torch import Tensor

from intruder_tui.spectral import LowRank


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(m: int, n: int, seed: int = 0) -> Tensor:
    return torch.randn(m, n, generator=generator(seed), dtype=torch.float64)


def orthonormal(m: int, r: int, seed: int = 0) -> Tensor:
    return torch.linalg.qr(gaussian(m, r, seed)).Q


def with_spectrum(m: int, n: int, sigma: Tensor, seed: int = 0) -> Tensor:
    """An m x n matrix with random singular vectors and the given singular values."""
    r = len(sigma)
    return orthonormal(m, r, seed) * sigma.double() @ orthonormal(n, r, seed + 1).T


def power_law(m: int, n: int, exponent: float = 0.6, seed: int = 0) -> Tensor:
    return with_spectrum(m, n, torch.arange(1, min(m, n) + 1, dtype=torch.float64) ** -exponent, seed)


def adapter(m: int, n: int, rank: int = 4, size: float = 1.0, seed: int = 7) -> LowRank:
    """A LoRA update whose largest singular value is about `size`."""
    a, b = gaussian(rank, n, seed) / n**0.5, gaussian(m, rank, seed + 1) / m**0.5
    return LowRank(a.float(), b.float(), size)


def merged(base: Tensor, update: LowRank) -> Tensor:
    return base.double() + update.scaling * (update.b.double() @ update.a.double())
