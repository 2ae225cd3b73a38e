"""The highest-ranking singular vectors of a tuned weight, both sides: what follows a direction over a run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.certified import LARGE_SHARE, REACH, SMALL, operators
from intruder_tui.spectral.exact import Stage, silent
from intruder_tui.spectral.factors import factorise
from intruder_tui.spectral.operators import Square, full_precision
from intruder_tui.spectral.pair import Pair, survey
from intruder_tui.spectral.topk import top_vectors
from intruder_tui.spectral.values import LowRank


@dataclass(frozen=True, eq=False, slots=True)
class Leading:
    """The l highest-ranking singular vectors of W1, on the CPU.

    Attributes:
        sigma: [l] float64, descending.
        left: [m, l], by columns; right: [n, l].
        angles: [l] float64, bound in radians on how far the left or the right vector is from the true one,
            the worse of the two; pi / 2 where a tie leaves it open.
    """

    sigma: Tensor
    left: Tensor
    right: Tensor
    angles: Tensor


def leading_vectors(
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    limit: int = 32,
    seed: int = 0,
    on_stage: Stage = silent,
) -> Leading:
    """The `limit` highest-ranking singular vectors of a tuned weight; fewer where its rank is lower.

    Args:
        base, tuned: as for `compare_exact`; the base matters only where `tuned` is an update.

    Raises:
        SpectralError: as `compare_exact`.
    """
    on_stage("reading")
    pair = survey(base, tuned)
    shorter = min(base.shape)
    if shorter <= SMALL or limit > shorter // LARGE_SHARE:
        on_stage("factorising tuned")
        sigma, rows, others, angles = _factorised(pair, limit)
    else:
        on_stage("finding the top vectors")
        with full_precision():
            sigma, rows, others, angles = _iterated(pair, limit, seed)
    left, right = (others, rows) if pair.transposed else (rows, others)
    return Leading((sigma / pair.unit).cpu(), left.cpu(), right.cpu(), angles)


def _factorised(pair: Pair, limit: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    matrix = pair.matrices()[1]
    found = factorise(matrix)
    count = min(limit, found.rank)
    rows = found.vectors[:, :count]
    others = matrix.pull(rows)
    others /= others.norm(dim=0)
    return found.sigma[:count], rows, others, torch.full((count,), REACH, dtype=torch.float64)


def _iterated(pair: Pair, limit: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    operator = operators(pair)[1]
    top = top_vectors(Square(operator), limit, seed=seed)
    others = operator.pull(top.rows)
    length = others.norm(dim=1)
    # W1^T turns the residual of x into one of y, at most sigma_1 / sigma_j times as large.
    stretch = (top.ceiling**0.5 / length.double().cpu()).clamp(min=1.0)
    gaps = torch.minimum(top.gaps, top.values.clamp(min=0.0))
    sine = torch.where(gaps > 0, top.residuals * stretch / gaps.clamp(min=1e-300), 1.0)
    angles = sine.clamp(max=1.0).asin() + REACH
    sigma = top.values.clamp(min=0.0).sqrt()
    return sigma, top.rows.T, (others / length[:, None]).T, angles
