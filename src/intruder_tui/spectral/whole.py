"""The whole matrix of cosines between the singular vectors of a base weight and of its tuned version."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from intruder_tui.spectral.basefactors import BaseFactors, pack_base
from intruder_tui.spectral.exact import Stage, silent
from intruder_tui.spectral.factors import Factors, factorise
from intruder_tui.spectral.operators import full_precision
from intruder_tui.spectral.pair import survey
from intruder_tui.spectral.values import LowRank

BASE_ROWS = 1024
TUNED_COLUMNS = 512

Panel = tuple[int, int, Tensor]
"""(i, j, |cos|): base vectors from i on by tuned vectors from j on, float32 on the weight's device."""


class WholeCosines:
    """|cos(x_i, y_j)| for all base vectors i and tuned vectors j, a panel at a time; either side.

    Directions whose singular value is numerically zero are left out. The tuned vectors are float64, those of
    the base what `BaseFactors` holds of them: values are right to its rounding, about 3e-4 in float16.

    Attributes:
        shape: (rank of the base, rank of the tuned weight).
        sigma_base, sigma_tuned: float64 on the CPU, descending, one for each row and column.
    """

    def __init__(
        self,
        base: Tensor,
        tuned: Tensor | LowRank,
        kept: BaseFactors | None = None,
        *,
        on_base: Callable[[BaseFactors], None] | None = None,
        on_stage: Stage = silent,
    ) -> None:
        """Factorise what is not known yet.

        Args:
            base, tuned: as for `compare_exact`.
            kept: the base's factors, where they are known.
            on_base: is given the base's factors where they had to be computed.

        Raises:
            SpectralError: as `compare_exact`.
        """
        on_stage("reading")
        pair = survey(base, tuned)
        self._transposed = pair.transposed
        self._base, self._tuned = pair.matrices()
        self._unit = pair.unit
        if kept is None:
            on_stage("factorising base")
            kept = pack_base(factorise(self._base), pair.unit)
            if on_base is not None:
                on_base(kept)
        on_stage("factorising tuned")
        self._ours: BaseFactors = kept
        self._theirs: Factors = factorise(self._tuned)
        self.shape = (kept.rank, self._theirs.rank)
        self.sigma_base = kept.sigma[: kept.rank].cpu()
        self.sigma_tuned = self._theirs.sigma[: self._theirs.rank].cpu() / pair.unit

    def panels(self, *, left: bool) -> Iterator[Panel]:
        """All panels of one side, U where `left`, column after column."""
        found = self._long() if left == self._transposed else self._short()
        while True:
            with full_precision():  # not while the caller works
                panel = next(found, None)
            if panel is None:
                return
            yield panel

    def _short(self) -> Iterator[Panel]:
        for column in range(0, self.shape[1], TUNED_COLUMNS):
            stop = min(column + TUNED_COLUMNS, self.shape[1])
            seen = self._theirs.vectors[:, column:stop].float()
            for row in range(0, self.shape[0], BASE_ROWS):
                panel = self._rows(row) @ seen
                yield row, column, panel.abs_().clamp_(max=1.0)

    def _long(self) -> Iterator[Panel]:
        """|y0_i . y1_j| = |x0_i . (W0 y1_j)| / sigma0_i, with y1_j = W1^T x1_j normalised."""
        inverse = 1.0 / (self._ours.sigma[: self.shape[0], None] * self._unit)
        inverse = inverse.to(self._theirs.vectors.device)
        for column in range(0, self.shape[1], TUNED_COLUMNS):
            stop = min(column + TUNED_COLUMNS, self.shape[1])
            ours = self._tuned.pull(self._theirs.vectors[:, column:stop])
            ours /= ours.norm(dim=0)
            seen = self._base.push(ours)
            del ours
            for row in range(0, self.shape[0], BASE_ROWS):
                rows = self._rows(row, torch.float64)
                panel = (rows @ seen).mul_(inverse[row : row + len(rows)])
                yield row, column, panel.float().abs_().clamp_(max=1.0)

    def _rows(self, row: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Base vectors from `row` on, by rows."""
        stop = min(row + BASE_ROWS, self.shape[0])
        return self._ours.columns(row, stop, dtype).T.to(self._theirs.vectors.device)
