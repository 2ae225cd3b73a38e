"""Measures of an update dW by its singular values."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intruder_tui.spectral.values import LowRank

ENERGY_SHARES = (0.90, 0.95, 0.99)


def effective_rank(sigma: Tensor) -> float | None:
    """exp(-sum p ln p) with p = sigma / sum(sigma) (Roy & Vetterli 2007); None when all sigma are zero."""
    total = float(sigma.sum())
    if total == 0.0:
        return None
    p = sigma / total
    return math.exp(-float(torch.xlogy(p, p).sum()))


def stable_rank(sigma: Tensor) -> float | None:
    """norm_F^2 / norm_2^2; None when all sigma are zero."""
    if sigma.numel() == 0 or float(sigma[0]) == 0.0:
        return None
    return float((sigma / sigma[0]).square().sum())


def energy_ranks(sigma: Tensor) -> tuple[int, int, int] | None:
    """Fewest leading sigma (descending) whose squares sum to 90, 95 and 99 %; None when all are zero."""
    if sigma.numel() == 0 or float(sigma[0]) == 0.0:
        return None
    energy = (sigma / sigma[0]).square().cumsum(0)
    # Sums that meet a share exactly (nine of ten equal values) must not miss it by rounding.
    wanted = torch.tensor(ENERGY_SHARES, dtype=energy.dtype) * energy[-1] * (1 - 1e-12)
    ninety, ninety_five, ninety_nine = (int(i) + 1 for i in torch.searchsorted(energy, wanted))
    return ninety, ninety_five, ninety_nine


def low_rank_sigma(update: LowRank) -> Tensor:
    """Singular values of dW = scaling * b @ a from QR of its factors: [min(r, m, n)] float64 on the CPU.

    b = Q_b R_b and a^T = Q_a R_a give dW the singular values of scaling * R_b R_a^T, an r x r matrix: no
    m x n product is formed. Values at the rounding of that product are returned as exact zeros.
    """
    b = update.b.to("cpu", torch.float64)
    a = update.a.to("cpu", torch.float64)
    if b.shape[1] == 0:
        return torch.zeros(0, dtype=torch.float64)
    r_b = torch.linalg.qr(b, mode="r").R
    r_a = torch.linalg.qr(a.T, mode="r").R
    sigma: Tensor = torch.linalg.svdvals(r_b @ r_a.T) * abs(update.scaling)
    noise = float(r_b.norm() * r_a.norm()) * abs(update.scaling) * torch.finfo(torch.float64).eps
    sigma[sigma <= noise * max(update.shape)] = 0.0
    return sigma


def rounding_floor(base: Tensor, tuned: Tensor) -> float:
    """norm_F of what storing W1 in its dtype alone puts into dW.

    Where W0 has more digits than the tuned dtype it is norm_F(round(W0) - W0). Where both have the same 16
    bits W0 shows none of it, and the expected rounding of the entries that changed is given: for an entry w
    it is uniform over one unit in the last place, of variance ulp(w)^2 / 12, and with uniform mantissas
    ulp(w)^2 is 3/7 eps^2 w^2 on average. Zero elsewhere.
    """
    dtype = tuned.dtype
    total = 0.0
    height = max(1, (1 << 22) // max(1, base.shape[1]))
    if base.dtype == dtype and dtype.itemsize == 2:
        for top in range(0, base.shape[0], height):
            before, after = base[top : top + height], tuned[top : top + height]
            changed = torch.where(before != after, after, 0).float()
            total += float(changed.square_().sum(dtype=torch.float64))
        return torch.finfo(dtype).eps * math.sqrt(total / 28)
    if torch.promote_types(base.dtype, dtype) == dtype:
        return 0.0
    for top in range(0, base.shape[0], height):
        rows = base[top : top + height]
        total += float((rows.to(dtype).to(torch.float64) - rows.to(torch.float64)).square().sum())
    return math.sqrt(total)
