"""Cosines between the singular vectors of two wide matrices, and the best match of each tuned vector."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from intruder_tui.spectral.conditioning import Ranges
from intruder_tui.spectral.factors import Factors
from intruder_tui.spectral.matrices import Matrix
from intruder_tui.spectral.traits import TraitSums
from intruder_tui.spectral.values import Matches

BASE_ROWS = 1024
TUNED_COLUMNS = 512


class _Running:
    """The maximum over base vectors and the leading block, filled a panel of cosines at a time."""

    def __init__(self, base: Factors, tuned: Factors, count: int, block: int, window: int) -> None:
        size = min(block, count)
        self._sums = TraitSums(base.sigma[: base.rank], tuned.sigma[:count], window)
        self._ranges = Ranges(base, tuned, count)
        self.best = torch.zeros(count, dtype=torch.float64)
        self.index = torch.full((count,), -1, dtype=torch.int64)
        self.block = torch.zeros(size, size, dtype=torch.float64)

    def add(self, panel: Tensor, row: int, column: int) -> None:
        """Take in a panel of |cos|: base rows from `row`, tuned columns from `column`."""
        self._sums.add(panel, row, column)
        self._ranges.add(panel, row, column)
        best, index = (t.cpu() for t in panel.max(dim=0))
        where = slice(column, column + panel.shape[1])
        better = best > self.best[where]
        self.best[where] = torch.where(better, best, self.best[where])
        self.index[where] = torch.where(better, index + row, self.index[where])
        size = self.block.shape[0]
        if row < size and column < size:
            part = panel[: size - row, : size - column].cpu()
            self.block[row : row + part.shape[0], column : column + part.shape[1]] = part

    def matches(self, update_share: Tensor) -> Matches:
        traits = replace(self._sums.traits(self.best), update_share=update_share)
        least = torch.minimum(self._ranges.least(self._sums.least_shares()), self.best)
        most = torch.maximum(self._ranges.most(traits.cluster_overlap, self._sums.shares()), self.best)
        return Matches(self.best, self.best, self.index, self.block, least, most, traits)


def empty_matches() -> Matches:
    """No vectors."""
    none = torch.zeros(0, dtype=torch.float64)
    square = torch.zeros(0, 0, dtype=torch.float64)
    return Matches(none, none, torch.zeros(0, dtype=torch.int64), square, none, none)


def compare_short(
    base: Factors, tuned: Factors, limit: int, block: int, window: int, span: Tensor | None
) -> Matches:
    """Matches on the short side, |X0^T X1|, for the first `limit` tuned vectors.

    `span` ([rows, r], orthonormal) is the space of the update; None leaves its share out.
    """
    count = min(limit, tuned.rank)
    if count == 0:
        return empty_matches()
    running = _Running(base, tuned, count, block, window)
    ours = tuned.vectors[:, :count]
    for row in range(0, base.rank, BASE_ROWS):
        panel = base.vectors[:, row : min(row + BASE_ROWS, base.rank)].T @ ours
        running.add(panel.abs_().clamp_(max=1.0), row, 0)
    return running.matches(_share(span, ours))


def compare_long(
    base: Factors,
    base_matrix: Matrix,
    tuned: Factors,
    tuned_matrix: Matrix,
    limit: int,
    block: int,
    window: int,
    span: Tensor | None,
) -> Matches:
    """Matches on the long side, |Y0^T Y1|, without Y0: its columns are W0^T x_i / sigma_i.

    |y0_i . y1_j| = |x0_i . (W0 y1_j)| / sigma0_i, with y1_j = W1^T x1_j normalised.
    """
    count = min(limit, tuned.rank)
    if count == 0:
        return empty_matches()
    running = _Running(base, tuned, count, block, window)
    inverse = 1.0 / base.sigma[: base.rank, None]
    shares = []
    for column in range(0, count, TUNED_COLUMNS):
        ours = tuned_matrix.pull(tuned.vectors[:, column : min(column + TUNED_COLUMNS, count)])
        ours /= ours.norm(dim=0)
        shares.append(_share(span, ours))
        seen = base_matrix.push(ours)
        del ours
        for row in range(0, base.rank, BASE_ROWS):
            rows = slice(row, min(row + BASE_ROWS, base.rank))
            panel = (base.vectors[:, rows].T @ seen).mul_(inverse[rows])
            running.add(panel.abs_().clamp_(max=1.0), row, column)
    return running.matches(torch.cat(shares))


def _share(span: Tensor | None, columns: Tensor) -> Tensor:
    """Energy of each column in an orthonormal span: [c] on the CPU, or nothing."""
    if span is None:
        return torch.zeros(0, dtype=torch.float64)
    return (span.T @ columns).square().sum(0).clamp(max=1.0).cpu()
