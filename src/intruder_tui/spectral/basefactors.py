"""A base's singular vectors, computed once and reused for every tuned version of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.certified import LARGE_SHARE, REACH, bounded, operators, unknown
from intruder_tui.spectral.conditioning import angles, stretched
from intruder_tui.spectral.exact import Stage, silent
from intruder_tui.spectral.factors import Factors, factorise
from intruder_tui.spectral.lanczos import BACKWARD_ERROR
from intruder_tui.spectral.matrices import Stored, largest, unit_for
from intruder_tui.spectral.operators import CACHED_ELEMENTS, Operator, Square, full_precision, normalised
from intruder_tui.spectral.pair import Pair, measure, rank_note, survey, unchanged, vanished
from intruder_tui.spectral.topk import TopVectors, top_vectors
from intruder_tui.spectral.traits import clusters
from intruder_tui.spectral.values import Comparison, LowRank, Matches, SpectralError

FINE_SHARE = 0.25
"""Vectors with sigma below this share of the root mean square are stored with a second part."""
FINE_SCALE = 2.0**-11
BLOCK = 128
GOOD_ANGLE = 1e-3
SHOWN_ANGLE = 1e-2
"""Single cosines of tuned vectors less sure than this (radians) are not told."""


@dataclass(frozen=True, eq=False, slots=True)
class BaseFactors:
    """W0 = X diag(sigma) Y^T of the wide orientation, without Y; X may be rounded, and knows by how much.

    On the long side a rounding is magnified by 1 / sigma, so the vectors of small sigma carry a second part.

    Attributes:
        vectors: [p, r], X by columns, p the shorter side and r the numerical rank, in a storage dtype.
        fine: [p, t], what the last t columns lack, over 2^-11, in the same dtype.
        sigma: [p] float64, all singular values, descending.
        errors: [r] float32, norm of what is still missing of each column: storage, and the rounding of the
            vectors themselves, of tied ones that of their span.
        spread: float, spectral norm of what is missing of all columns.
    """

    vectors: Tensor
    fine: Tensor
    sigma: Tensor
    errors: Tensor
    spread: float

    @property
    def rank(self) -> int:
        """How many singular values are numerically above zero."""
        return self.vectors.shape[1]

    def clusters(self) -> Tensor:
        """The number of the cluster of tied singular values that each column belongs to: [r] int64."""
        return clusters(self.sigma[: self.rank]).to(self.vectors.device)

    def columns(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        """X[:, start:stop] with both parts: [p, stop - start]."""
        out = self.vectors[:, start:stop].to(dtype)
        first = self.rank - self.fine.shape[1]
        if stop > first:
            skip = max(0, first - start)
            part = self.fine[:, max(0, start - first) : stop - first]
            out[:, skip:] += part.to(dtype) * FINE_SCALE
        return out

    def transposed_product(self, rows: Tensor) -> Tensor:
        """X^T z of each row z: [b, p] -> [b, r], in the rows' dtype."""
        out = torch.zeros(len(rows), self.rank, dtype=rows.dtype, device=rows.device)
        tail = out[:, self.rank - self.fine.shape[1] :]
        elements = CACHED_ELEMENTS if rows.device.type == "cpu" else self.vectors.numel()
        height = max(1, elements // max(1, self.rank))
        for start in range(0, len(self.vectors), height):
            stop = start + height
            part = rows[:, start:stop]
            out.addmm_(part, self.vectors[start:stop].to(rows.device, rows.dtype))
            if tail.numel():
                tail.addmm_(part, self.fine[start:stop].to(rows.device, rows.dtype), alpha=FINE_SCALE)
        return out


def factorise_base(base: Tensor, *, dtype: torch.dtype = torch.float16) -> BaseFactors:
    """Factorise a base weight ([m, n], any float dtype) for `compare_with_factors`.

    Args:
        dtype: storage of the vectors; float16 halves the size of the weight's own float32 square.

    Raises:
        SpectralError: an empty matrix, values that are not finite.
    """
    if base.ndim != 2 or base.numel() == 0:
        raise SpectralError(f"base is empty: {' x '.join(str(d) for d in base.shape)}")
    unit = unit_for(largest(base, "base"))
    found = factorise(Stored(base.T if base.shape[0] > base.shape[1] else base, unit))
    return pack_base(found, unit, dtype=dtype)


def pack_base(found: Factors, unit: float, *, dtype: torch.dtype = torch.float16) -> BaseFactors:
    """Factors of `unit` times a base weight, in the form that is kept; as `factorise_base` gives them."""
    exact = found.vectors[:, : found.rank]
    coarse = exact.to(dtype)
    limit = FINE_SHARE * float(found.sigma.square().mean().sqrt())
    small = int((found.sigma[: found.rank] < limit).sum()) if dtype.itemsize < 4 else 0
    rest = exact - coarse.to(torch.float64)
    fine = (rest[:, found.rank - small :] / FINE_SCALE).to(dtype)
    rest[:, found.rank - small :] -= fine.to(torch.float64) * FINE_SCALE
    return BaseFactors(
        vectors=coarse,
        fine=fine,
        sigma=found.sigma / unit,
        errors=(rest.norm(dim=0) * (1 + 1e-6) + angles(found, spans=True).to(rest.device)).float(),
        spread=_norm(rest),
    )


def compare_with_factors(
    factors: BaseFactors,
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    k: int = 10,
    left: bool = True,
    right: bool = True,
    seed: int = 0,
    on_stage: Stage = silent,
) -> Comparison:
    """Compare the k highest-ranking tuned vectors with every base vector from the base's factors.

    Values come as narrow intervals (tier "certificate"): as wide as the rounding of the factors and the
    convergence of the tuned vectors make them. `index` and `block` hold the values themselves. A side that
    is not wanted (`left`, `right`) gets bounds 0 and 1.

    Raises:
        SpectralError: as `compare_exact`, and for factors of another shape.
    """
    on_stage("reading")
    pair = survey(base, tuned)
    shorter = min(base.shape)
    k = min(k, shorter)
    if factors.vectors.shape[0] != shorter:
        raise SpectralError(
            f"the factors are of a matrix with shorter side {factors.vectors.shape[0]}, base has {shorter}"
        )
    if pair.norm_delta == 0.0:
        return unchanged(pair)
    if pair.vanished:
        return vanished(pair, factors.sigma.cpu())
    with full_precision():
        ours, theirs = operators(pair)
        on_stage("finding the top vectors")
        top, rows, turns = _top(pair, theirs, k, seed)
        on_stage("comparing")
        both = (right, left) if pair.transposed else (left, right)
        short, long = _sides(factors, ours, theirs, rows, turns, top.ceiling, pair.unit, both)
    missing = len(factors.sigma) - factors.rank
    return Comparison(
        sigma_base=factors.sigma.cpu(),
        sigma_tuned=top.values.clamp(min=0.0).sqrt() / pair.unit,
        left=long if pair.transposed else short,
        right=short if pair.transposed else long,
        update=measure(pair),
        weight_cosine=pair.weight_cosine,
        tier="certificate",
        notes=rank_note("base", missing, len(factors.sigma)),
        unchanged=False,
    )


def _top(pair: Pair, operator: Operator, k: int, seed: int) -> tuple[TopVectors, Tensor, Tensor]:
    """The top vectors, as rows, with their angles; by a factorisation where k is too large for Krylov."""
    if k < min(max(3, operator.rows // LARGE_SHARE), operator.rows):
        top = top_vectors(Square(operator), k, seed=seed, good=GOOD_ANGLE)
        return top, top.rows, top.angles() + REACH
    found = factorise(pair.matrices()[1])
    count = min(k, found.rank)
    rows = found.vectors[:, :count].T.to(operator.dtype)
    values = found.sigma[:count].cpu().square()
    nothing = torch.zeros_like(values)
    high = float(values[0]) if count else 0.0
    top = TopVectors(rows, values, nothing, torch.full_like(values, torch.inf), high, 0.0)
    return top, rows, angles(found, spans=False)[:count] + REACH


def _sides(
    factors: BaseFactors,
    base: Operator,
    tuned: Operator,
    rows: Tensor,
    turns: Tensor,
    ceiling: float,
    unit: float,
    wanted: tuple[bool, bool],
) -> tuple[Matches, Matches]:
    """Short and long side, the `wanted` ones, in one product with the base's vectors.

    On the long side |y0_i . y1_j| = |x0_i . (W0 y1_j)| / sigma0_i, with the errors magnified alike.
    """
    short, long = unknown(len(rows)), unknown(len(rows))
    count = len(rows) if wanted[0] else 0
    asked = rows[:count]
    number = factors.clusters()
    error = factors.errors.to(rows.device)
    rounding = BACKWARD_ERROR[rows.dtype]
    if wanted[1]:
        ours, length = normalised(tuned.pull(rows))
        seen = base.push(ours)
        asked = torch.cat((asked, seen))
    cosines = factors.transposed_product(asked).abs_()
    if wanted[0]:
        found = cosines[:count]
        short = intervals(found, (error + rounding).expand_as(found), turns, number)
    if wanted[1]:
        inverse = 1.0 / (factors.sigma[: factors.rank].to(seen.device) * unit)
        size = seen.double().norm(dim=1, keepdim=True)
        top = float(factors.sigma[0]) * unit if factors.rank else 0.0
        errors = (error * size + rounding * (size + top)) * inverse
        turned = stretched(turns, max(ceiling**0.5, tuned.parts), length)
        long = intervals(cosines[count:] * inverse.to(seen.dtype), errors, turned, number)
    return short, long


def intervals(cosines: Tensor, errors: Tensor, turns: Tensor, number: Tensor) -> Matches:
    """Matches from cosines ([k, r]), their errors ([k, r]) and angles of the tuned vectors ([k]).

    `number` ([r]) says which cluster each base vector belongs to. Tied ones count by their span: one of n
    holds at least the share 1 / sqrt(n) of it, whichever vectors are chosen. `index` is -1 where another base
    vector may match as well; a column of `block` is NaN where the tuned vector is too unsure to show.
    """
    count = len(cosines)
    turns = turns.nan_to_num(nan=torch.pi / 2).clamp(0.0, torch.pi / 2)
    if cosines.shape[1] == 0:
        return bounded(torch.zeros(count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64))
    exact = cosines.double()
    low, high = exact - errors, exact + errors
    sizes = torch.bincount(number)
    tied = torch.nonzero(sizes[number] > 1)[:, 0]
    if len(tied):
        place = number[tied]
        spans = exact.new_zeros(count, len(sizes)).index_add_(1, place, exact[:, tied].square())
        misses = exact.new_zeros(count, len(sizes)).index_add_(1, place, (errors[:, tied]).double().square())
        span, miss = spans.sqrt()[:, place], misses.sqrt()[:, place]
        low[:, tied] = (span - miss) / sizes[place].sqrt()
        high[:, tied] = span + miss
    index = _leader(exact, low, high, turns)
    open_ = turns >= torch.pi / 2
    lower = low.amax(dim=1).clamp(0.0, 1.0).cpu()
    lower = torch.where(lower > 0, (lower.acos() + turns).clamp(max=torch.pi / 2).cos(), 0.0)
    upper = (high.amax(dim=1).clamp(0.0, 1.0).cpu().acos() - turns).clamp(min=0.0).cos()
    lower, upper = torch.where(open_, 0.0, lower), torch.where(open_, 1.0, upper)
    size = min(count, BLOCK)
    block = torch.zeros(size, size, dtype=torch.float64)
    part = exact[:size, :size].T.clamp(max=1.0).cpu()
    block[: part.shape[0]] = part
    block[:, turns[:size] > SHOWN_ANGLE] = torch.nan
    return Matches(lower, upper, index, block, lower, upper)


def _leader(cosines: Tensor, low: Tensor, high: Tensor, turns: Tensor) -> Tensor:
    """[k] int64 on the CPU, the base vector that no other one may exceed; -1 where there is none."""
    index = cosines.argmax(dim=1, keepdim=True)
    least = low.gather(1, index)[:, 0]
    others = high.scatter(1, index, -torch.inf).amax(dim=1)
    # A turn of the tuned vector moves every cosine by at most as much.
    sure = (least - others).cpu() >= 2 * turns
    return torch.where(sure, index[:, 0].cpu(), -1)


def _norm(matrix: Tensor) -> float:
    """An upper estimate of a spectral norm, by a few block power steps and half as much again."""
    if matrix.numel() == 0:
        return 0.0
    block = torch.randn(
        matrix.shape[1],
        min(8, matrix.shape[1]),
        dtype=matrix.dtype,
        device=matrix.device,
        generator=torch.Generator(device=matrix.device).manual_seed(1),
    )
    for _ in range(4):
        block = matrix.T @ (matrix @ torch.linalg.qr(block).Q)
    norm = float(torch.linalg.matrix_norm(block, 2))
    return 1.5 * math.sqrt(norm)
