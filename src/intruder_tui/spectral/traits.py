"""What lies behind a low best match: a new direction, mixing among neighbours, or a tie."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from intruder_tui.spectral.values import Traits

CLUSTER_GAP = 1e-5
"""Neighbouring singular values closer than this share of themselves count as tied."""


def clusters(sigma: Tensor, gap: float = CLUSTER_GAP) -> Tensor:
    """The number of the cluster of each singular value ([r], descending): [r] int64, counted from 0."""
    if sigma.numel() == 0:
        return torch.zeros(0, dtype=torch.int64, device=sigma.device)
    apart = (sigma[:-1] - sigma[1:]) > gap * sigma[:-1]
    return torch.cat((apart.new_zeros(1, dtype=torch.int64), apart.long().cumsum(0)))


class TraitSums:
    """Sums over all base vectors of the squared cosines, filled a panel at a time.

    Args:
        base, tuned: singular values of the directions that are compared ([r], [l]).
        window: base vectors j - window .. j + window are the neighbourhood of tuned vector j.
    """

    def __init__(self, base: Tensor, tuned: Tensor, window: int) -> None:
        self._window = window
        count = len(tuned)
        self._fourth = torch.zeros(count, dtype=torch.float64)
        self._near = torch.zeros(count, dtype=torch.float64)
        number = clusters(base).cpu()
        sizes = torch.bincount(number) if len(number) else torch.zeros(0, dtype=torch.int64)
        tied = sizes > 1
        self._sizes = sizes[tied]
        place = torch.full((len(sizes),), -1, dtype=torch.int64)
        place[tied] = torch.arange(int(tied.sum()))
        self._place = place[number] if len(number) else number
        self._shares = torch.zeros(len(self._sizes), count, dtype=torch.float64)
        own = clusters(tuned).cpu()
        self._own = torch.bincount(own)[own] if count else own

    def add(self, panel: Tensor, row: int, column: int) -> None:
        """Take in |cos|: base rows from `row`, tuned columns from `column`."""
        height, width = panel.shape
        where = slice(column, column + width)
        squares = panel.square()
        self._fourth[where] += squares.square().sum(0).cpu()
        i = torch.arange(row, row + height, device=panel.device)[:, None]
        j = torch.arange(column, column + width, device=panel.device)
        near = (i - j).abs() <= self._window
        self._near[where] += torch.where(near, squares, 0.0).sum(0).cpu()
        place = self._place[row : row + height]
        tied = place >= 0
        if bool(tied.any()):
            self._shares[:, where] = self._shares[:, where].index_add(
                0, place[tied], squares[tied.to(panel.device)].cpu()
            )

    def shares(self) -> Tensor:
        """[c, l], energy of each tuned vector in each cluster of tied base vectors."""
        return self._shares

    def least_shares(self) -> Tensor:
        """What one vector of some cluster holds of each tuned vector at least, however it is chosen: [l].

        One of n vectors holds 1 / sqrt(n) of the overlap with their span.
        """
        if not len(self._sizes):
            return torch.zeros_like(self._near)
        return (self._shares / self._sizes[:, None]).amax(0).sqrt()

    def traits(self, best: Tensor) -> Traits:
        """The traits, given the best single match of each tuned vector ([l])."""
        overlap, size = best.clone(), torch.ones_like(self._own)
        if len(self._sizes):
            share, which = self._shares.max(dim=0)
            wider = share.sqrt() > overlap
            overlap = torch.where(wider, share.sqrt().clamp(max=1.0), overlap)
            size = torch.where(wider, self._sizes[which], size)
        return Traits(
            participation=torch.where(self._fourth > 0, 1.0 / self._fourth, torch.inf),
            window_share=self._near.clamp(max=1.0),
            window=self._window,
            update_share=torch.zeros(0, dtype=torch.float64),
            cluster_overlap=overlap,
            cluster_size=size,
            tuned_cluster_size=self._own,
        )


def random_direction_floor(vectors: int, dimension: int) -> tuple[float, float]:
    """Mean and 95th percentile of the best match of a random direction with `vectors` orthonormal ones.

    Each |cos| is that of a Gaussian over sqrt(dimension), to O(1 / dimension), and the maximum that of as
    many independent ones: P(max <= t) = erf(t / sqrt 2)^vectors.
    """
    if vectors == 0:
        return 0.0, 0.0
    if dimension == 1:
        return 1.0, 1.0
    t = torch.linspace(0, 12, 24_001, dtype=torch.float64)
    below = torch.erf(t / math.sqrt(2.0)) ** vectors
    scale = 1.0 / math.sqrt(dimension)
    mean = float(torch.trapezoid(1.0 - below, t)) * scale
    high = float(t[int((below >= 0.95).int().argmax())]) * scale
    return min(1.0, mean), min(1.0, high)
