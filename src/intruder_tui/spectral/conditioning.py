"""How far float64 rounding may have turned a computed singular vector, and what that leaves of best(j)."""

from __future__ import annotations

import torch
from torch import Tensor

from intruder_tui.spectral.factors import EPS, Factors
from intruder_tui.spectral.traits import clusters

NOISE = 32.0
"""Backward error of a Gram matrix and its eigendecomposition over 2^-52 * norm: three times what is seen."""


def angles(factors: Factors, *, spans: bool) -> Tensor:
    """Bound on the angle between each computed vector and the true one, both sides: [rank] float64, CPU.

    Davis & Kahan 1970: at most residual / gap. A Gram matrix's residual is that of sigma^2, so its vectors
    lose sigma_1 / sigma_i more than those of a singular value decomposition. The long side, W^T x / sigma,
    loses as much again to the division. Where terms cancel, what is left has the rounding of the terms.

    Args:
        spans: take a cluster of tied values as one: the angle is that of its span.
    """
    sigma = factors.sigma.cpu()
    size, rank = len(sigma), factors.rank
    if rank == 0:
        return sigma[:0]
    group = clusters(sigma) if spans else torch.arange(size)
    first = torch.searchsorted(group, group)
    last = torch.searchsorted(group, group, right=True) - 1
    ends = sigma.new_tensor([torch.inf])
    padded = torch.cat((ends, sigma, -ends))
    gap = torch.minimum(padded[first] - sigma[first], sigma[last] - padded[last + 2])[:rank]
    gap, sigma = gap.clamp(min=1e-300), sigma[:rank]
    unit = NOISE * EPS
    top = float(sigma[0]) + factors.parts
    found: Tensor = unit * top / sigma + unit * top / gap
    if factors.tier == "float64":
        return found.clamp(max=1.0)
    for start, following in zip(factors.stages, (*factors.stages[1:], rank), strict=True):
        scale = unit * sigma[min(start, rank - 1)].square()
        own = slice(start, following)
        found[own] += scale / (sigma[own] * gap[own])
        if following < rank:
            # What a stage leaves of its own vectors in the ones below it.
            below = slice(following, rank)
            found[below] += scale / (sigma[below] * (sigma[following - 1] - sigma[below]).clamp(min=1e-300))
    return found.clamp(max=1.0)


def stretched(turns: Tensor, norm: float, length: Tensor) -> Tensor:
    """Angles of W^T x / |W^T x| where those of x are at most `turns`: [k] float64, at most pi / 2.

    x = cos(t) x_j + sin(t) e has the image cos(t) sigma_j y_j + sin(t) W^T e, the second part orthogonal to
    the first and no longer than sin(t) `norm`, with norm >= norm_2(W) and `length` = |W^T x|.
    """
    stretch = torch.where(length > 0, norm / length, torch.inf).clamp(min=1.0)
    return (stretch * turns.clamp(0.0, torch.pi / 2).sin()).clamp(max=1.0).asin()


class Ranges:
    """What rounding leaves of each best(j), filled a panel of |cos| at a time.

    Tied base vectors count by their span, since a single cosine among them has no value of its own; so do
    tied tuned vectors, for the upper end.
    """

    def __init__(self, base: Factors, tuned: Factors, count: int) -> None:
        """`count` is how many tuned vectors are compared."""
        self._base = angles(base, spans=False)
        number = clusters(base.sigma[: base.rank]).cpu()
        tied = torch.bincount(number)[number] > 1
        # `most` is given the overlap with the span, which no vector in it exceeds.
        self._spread = torch.where(tied, 0.0, self._base)
        self._turned = float(angles(base, spans=True)[tied].amax()) if bool(tied.any()) else 0.0
        self._own = angles(tuned, spans=False)[:count]
        self._span = angles(tuned, spans=True)[:count]
        self._low = torch.zeros(count, dtype=torch.float64)
        self._high = torch.zeros(count, dtype=torch.float64)
        self._joint = torch.full((count,), torch.inf, dtype=torch.float64)
        self._groups = [
            (first, last) for first, last in _tied(clusters(tuned.sigma[: tuned.rank]).cpu()) if last <= count
        ]

    def add(self, panel: Tensor, row: int, column: int) -> None:
        """Take in |cos|: base rows from `row`, tuned columns from `column`."""
        rows, where = slice(row, row + len(panel)), slice(column, column + panel.shape[1])
        spread = self._spread[rows, None].to(panel.device)
        error = self._base[rows, None].to(panel.device)
        self._high[where] = torch.maximum(self._high[where], (panel + spread).amax(0).cpu())
        self._low[where] = torch.maximum(self._low[where], (panel - error).amax(0).cpu())
        for first, last in self._groups:
            if where.start <= first and last <= where.stop:
                held = panel[:, first - column : last - column].square().sum(1).sqrt()
                most = (held + spread[:, 0]).amax().cpu()
                before = self._joint[first] if row else most.new_zeros(())
                self._joint[first:last] = torch.maximum(before, most)

    def least(self, part: Tensor) -> Tensor:
        """[count], best(j) is no smaller; `part` ([count]) is what one vector of a cluster holds at least."""
        return (torch.maximum(self._low, part - self._turned) - self._own).clamp(min=0.0)

    def most(self, overlap: Tensor, shares: Tensor) -> Tensor:
        """[count], neither best(j) nor the overlap with a cluster's span ([count]) is larger.

        `shares` ([c, count]) holds the energy of each vector in each cluster of tied base vectors.
        """
        joint = overlap.clone()
        for first, last in self._groups:
            joint[first:last] = self._joint[first:last]
            if len(shares):
                held = shares[:, first:last].sum(1).amax().sqrt()
                joint[first:last] = torch.maximum(joint[first:last], held)
        high = torch.maximum(self._high, overlap + self._turned) + self._own
        joint = torch.maximum(joint + self._turned, self._high) + self._span
        return torch.minimum(high, joint).clamp(max=1.0)


def _tied(number: Tensor) -> list[tuple[int, int]]:
    """First and past-the-last index of every cluster of more than one."""
    sizes = torch.bincount(number) if len(number) else number
    ends = sizes.cumsum(0)
    return [(int(ends[c] - sizes[c]), int(ends[c])) for c in torch.nonzero(sizes > 1)[:, 0].tolist()]
