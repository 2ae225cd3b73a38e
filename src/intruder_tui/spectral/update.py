"""The update dW of a pair: its measures, and the spaces that its columns and rows span."""

from __future__ import annotations

import torch
from torch import Tensor

from intruder_tui.spectral.factors import singular_values, singular_vectors
from intruder_tui.spectral.matrices import Matrix
from intruder_tui.spectral.operators import Operator, Square, full_precision
from intruder_tui.spectral.pair import Pair, measure
from intruder_tui.spectral.topk import top_vectors
from intruder_tui.spectral.values import LowRank, UpdateMeasures

FACTORISED = 512
"""Up to this shorter side the vectors of dW come with its singular values for less than Krylov steps cost."""
NO_COMPONENT = 1e-10
"""Singular values of a low-rank dW below this share of the largest are rounding."""
LARGEST_BASIS = 64
LEAST_SPARE = 4
"""The column space of an update says something while its rank is below shorter side / 4."""

Spans = tuple[Tensor, Tensor]
"""Orthonormal columns that span dW's columns ([rows, r]) and rows ([columns, r]), wide, float64."""


def dissect(pair: Pair, delta: Matrix | None, notes: list[str]) -> tuple[UpdateMeasures, Spans | None]:
    """All measures of dW, and what it spans: for a dense dW, the vectors that hold 99 % of its energy.

    No spans where they are not a small part of the space: then everything lies in them and a share of them
    says nothing.

    Args:
        delta: a dense dW, wide, times the pair's unit; None for an update that is known by its factors.
        notes: is told of solvers that failed.
    """
    if delta is None:
        assert isinstance(pair.wide_tuned, LowRank)
        return measure(pair), _of_factors(pair.wide_tuned, pair.wide_base)
    vectors: Tensor | None = None
    if delta.rows <= FACTORISED:
        sigma, vectors = singular_vectors(delta, notes)
    else:
        sigma = singular_values(delta, notes)
    measures = measure(pair, sigma.cpu() / pair.unit)
    rank = _telling_rank(measures, delta.rows)
    if not rank:
        return measures, None
    if vectors is None:
        return measures, _leading(delta, rank)
    left = vectors[:, :rank]
    return measures, (left, torch.linalg.qr(delta.pull(left)).Q)


def _of_factors(update: LowRank, base: Tensor) -> Spans | None:
    """What dW itself spans: its factors may hold more, as those of a pruned adapter do."""
    b, a = (factor.to(base.device, torch.float64) for factor in (update.b, update.a))
    used = (b.norm(dim=0) > 0) & (a.norm(dim=1) > 0)
    b, a = b[:, used], a[used]
    if not b.numel() or b.shape[1] * LEAST_SPARE > base.shape[0]:
        return None
    left, outer = torch.linalg.qr(b)
    right, inner = torch.linalg.qr(a.T)
    u, sigma, vh = (part.to(base.device) for part in torch.linalg.svd((outer @ inner.T).cpu()))
    rank = int((sigma > NO_COMPONENT * sigma[0]).sum())
    return (left @ u[:, :rank], right @ vh[:rank].T) if rank else None


def _telling_rank(measures: UpdateMeasures, shorter: int) -> int:
    """How many vectors hold 99 % of a dense dW's energy; 0 where these are too many to say something."""
    rank = measures.energy_ranks[2] if measures.energy_ranks else 0
    return rank if rank <= LARGEST_BASIS and rank * LEAST_SPARE <= shorter else 0


def _leading(delta: Matrix, rank: int) -> Spans:
    dense = torch.empty(delta.rows, delta.columns, dtype=torch.float32, device=delta.device)
    for where, chunk in delta.chunks():
        dense[:, where] = chunk
    size = float(dense.abs().amax())
    with full_precision():
        operator = Operator(dense, 1.0 / size if size else 1.0, torch.float32)
        rows = top_vectors(Square(operator), rank).rows
        columns = operator.pull(rows)
    return torch.linalg.qr(rows.T.double()).Q, torch.linalg.qr(columns.T.double()).Q
