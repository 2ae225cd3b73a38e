"""Measures of an update dW by its singular values."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from intruder_tui.spectral.operators import panel_rows
from intruder_tui.spectral.values import LowRank

ENERGY_SHARES = (0.90, 0.95, 0.99)
FEW_DIGITS = 1e-10
"""Norms up to this may be of entries whose float32 squares have lost digits."""


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
    if base.dtype == dtype and dtype.itemsize == 2:
        return torch.finfo(dtype).eps * _norm(_changed, base, tuned) / math.sqrt(28)
    if torch.promote_types(base.dtype, dtype) == dtype:
        return 0.0
    return _norm(_rounded_off, base, tuned)


def _norm(part: Callable[[Tensor, Tensor, torch.dtype], Tensor], base: Tensor, tuned: Tensor) -> float:
    """norm_F of what `part` makes of panels of both."""
    norm = 0.0
    height = panel_rows(base)
    for dtype in (torch.promote_types(base.dtype, torch.float32), torch.float64):
        total = torch.zeros((), dtype=torch.float64, device=base.device)
        for top in range(0, len(base), height):
            rows = slice(top, top + height)
            total += part(base[rows], tuned[rows], dtype).square_().sum()
        norm = math.sqrt(float(total))
        if FEW_DIGITS < norm < math.inf:
            break  # no square has overflown, and those that vanished are nothing beside the others
    return norm


def _changed(base: Tensor, tuned: Tensor, dtype: torch.dtype) -> Tensor:
    """The entries of `tuned` that differ from those of `base`, and zeros: of 16 bits each, told by these."""
    before, after = base.view(torch.int16), tuned.view(torch.int16)
    return (after * (before != after)).view(tuned.dtype).to(dtype)


def _rounded_off(base: Tensor, tuned: Tensor, dtype: torch.dtype) -> Tensor:
    """What the base's entries lose in the tuned dtype, without an error of its own (Sterbenz' lemma).

    What is out of that dtype's range becomes the largest number in it.
    """
    most = torch.finfo(tuned.dtype).max
    return base.to(tuned.dtype, copy=True).clamp_(-most, most).to(dtype) - base
