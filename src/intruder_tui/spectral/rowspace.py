"""Projection on the row space of a wide matrix, with a bound on its error.

The base's right vectors of an economy SVD span only the row space. What a tuned right vector has outside
of it matches nothing, and would blur every window near zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.lanczos import BACKWARD_ERROR
from intruder_tui.spectral.operators import Operator

SHIFTS = (1e-3, 1e-4, 1e-5)
"""Lower bounds that are tried on the smallest eigenvalue of W W^T, as shares of the largest."""
ITERATIONS = 8
GOOD_ERROR = 2e-4


@dataclass(frozen=True, eq=False, slots=True)
class RowSpace:
    """Solves with W W^T by a Cholesky factor of W W^T - shift.

    Attributes:
        factor: [p, p] in the operator's dtype, lower.
        floor: a lower bound on the smallest eigenvalue of W W^T; the factor's existence proves it.
        ceiling: an upper bound on the largest.
    """

    factor: Tensor
    floor: float
    ceiling: float

    def project(self, operator: Operator, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Rows ([b, n]) projected on the row space, and a bound on each one's error ([b] float64, CPU).

        Conjugate gradients on W W^T c = W y, preconditioned by the factor. The projection is W^T c, and what
        is wrong with it lies in the row space as well: its norm is at most norm(W (y - W^T c)) / sigma_min.
        """
        rest = operator.push(rows)
        found = torch.zeros_like(rest)
        direction = torch.zeros_like(rest)
        before: Tensor | None = None
        for _ in range(ITERATIONS):
            solved: Tensor = torch.cholesky_solve(rest.T, self.factor).T
            energy = (rest.double() * solved.double()).sum(1, keepdim=True)
            if before is not None:
                direction = solved + (energy / before).to(rest.dtype) * direction
            else:
                direction = solved
            before = energy.clamp(min=1e-300)
            image = operator.push(operator.pull(direction))
            curvature = (direction.double() * image.double()).sum(1, keepdim=True).clamp(min=1e-300)
            step = (energy / curvature).to(rest.dtype)
            found = found + step * direction
            rest = rest - step * image
            if bool((self._error(rest, operator) <= GOOD_ERROR).all()):
                break
        projected = operator.pull(found)
        return projected, self._error(operator.push(rows - projected), operator)

    def _error(self, rest: Tensor, operator: Operator) -> Tensor:
        rounding = BACKWARD_ERROR[operator.dtype] * self.ceiling**0.5
        error: Tensor = (rest.double().norm(dim=1).cpu() + rounding) / self.floor**0.5
        return error


def row_space(operator: Operator, ceiling: float) -> RowSpace | None:
    """The row space of an operator without an update; None where W W^T is too near to singular.

    `ceiling` is an upper bound on the largest eigenvalue of W W^T.
    """
    gram = torch.zeros(operator.rows, operator.rows, dtype=operator.dtype, device=operator.device)
    for panel in operator.panels():
        for top in range(0, operator.rows, 1024):
            low = min(top + 1024, operator.rows)
            gram[top:low, :low].addmm_(panel[top:low], panel[:low].T)
    noise = 2 * BACKWARD_ERROR[operator.dtype] * ceiling
    taken = 0.0
    for share in SHIFTS:
        shift = share * ceiling
        if shift <= 2 * noise:
            continue
        gram.diagonal().add_(taken - shift)
        taken = shift
        factor, failed = torch.linalg.cholesky_ex(gram)
        if int(failed) == 0:
            return RowSpace(factor, shift - noise, ceiling)
    return None
