"""What a grid of scalings of one low-rank update leads to: both sides, and what part of it carries what.

The search for the top vectors, from a random start, is made in the base's own coordinates (`coordinates`),
where a product costs O(p r). The base's kept vectors are rounded, and so are the vectors found: two Krylov
steps with W0 + t dW itself, never merged, take that away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intruder_tui.spectral.basefactors import BaseFactors, compare_with_factors, intervals
from intruder_tui.spectral.certified import REACH, working_dtype
from intruder_tui.spectral.conditioning import stretched
from intruder_tui.spectral.coordinates import BaseCoordinates, ScaledSquare
from intruder_tui.spectral.exact import Stage, silent
from intruder_tui.spectral.lanczos import BACKWARD_ERROR, BlockLanczos, small_eigen
from intruder_tui.spectral.operators import Operator, Square, full_precision, normalised
from intruder_tui.spectral.pair import check
from intruder_tui.spectral.topk import TopVectors, top_vectors
from intruder_tui.spectral.values import LowRank, Matches

COMPONENTS = 32
"""The largest components of dW that shares are told of."""
NO_COMPONENT = 1e-10
"""Components below this share of the largest are rounding."""
SPARE = 2
"""Vectors found beyond those told of: the last of them has no sure neighbour."""
POLISH = 2
"""Krylov steps with the weight itself."""
DENSE = 1024
"""Up to this shorter side the square in coordinates is decomposed whole."""
TINY = 64
"""Up to this shorter side the top vectors are most of all vectors: each scaling is factorised."""


@dataclass(frozen=True, eq=False, slots=True)
class Bounds:
    """One side at one scaling, float64 on the CPU.

    Attributes:
        lower, upper: [l], narrow intervals of best(j).
        index: [l] int64, the base vector that attains it.
        shares: [l, c], energy of each vector in each component of dW; c is 0 where it could not be had.
    """

    lower: Tensor
    upper: Tensor
    index: Tensor
    shares: Tensor

    def leading(self, count: int) -> Bounds:
        """The same of the first `count` vectors."""
        return Bounds(self.lower[:count], self.upper[:count], self.index[:count], self.shares[:count])


@dataclass(frozen=True, eq=False, slots=True)
class Scaled:
    """One scaling.

    Attributes:
        sigma: [l] float64, singular values of W0 + scaling * B A, descending.
        left, right: the U and the V side.
    """

    sigma: Tensor
    left: Bounds
    right: Bounds

    def leading(self, count: int) -> Scaled:
        """The same of the first `count` vectors."""
        return Scaled(self.sigma[:count], self.left.leading(count), self.right.leading(count))


def update_components(update: LowRank) -> tuple[Tensor, Tensor, Tensor]:
    """The singular value decomposition of dW: d [c] float64 on the CPU, p [c, m] and q [c, n] by rows.

    From the triangles of QR factorisations of the factors: O((m + n) r^2). Components that are rounding, and
    those beyond `COMPONENTS`, are left out.
    """
    left, outer = torch.linalg.qr(update.b.to(torch.float64))
    right, inner = torch.linalg.qr(update.a.to(left.device, torch.float64).T)
    u, sigma, vh = torch.linalg.svd(outer @ inner.T)
    sigma = sigma * abs(update.scaling)
    count = int((sigma > NO_COMPONENT * sigma[0]).sum()) if len(sigma) else 0
    count = min(count, COMPONENTS)
    size = min(left.shape[1], right.shape[1])
    return sigma[:count].cpu(), (left @ u[:, :size])[:, :count].T, (right @ vh[:size].T)[:, :count].T


def scaling_grid(
    factors: BaseFactors,
    base: Tensor,
    update: LowRank,
    multiples: Sequence[float],
    *,
    limit: int = 32,
    seed: int = 0,
    on_stage: Stage = silent,
) -> list[Scaled]:
    """What W0 + t dW is for every multiple t of an update, for its `limit` highest-ranking vectors.

    Args:
        factors: of the base.
        base: [m, n], any float dtype.
        update: dW.
        multiples: t; 1 is the update as it is, 0 the base.
        limit: how many vectors; fewer are told of where some W0 + t dW has fewer.

    Raises:
        SpectralError: shapes that differ, an empty matrix, values that are not finite.
    """
    on_stage("finding the update's components")
    check(base, update)
    # A base with directions of no size, and one of few directions, is factorised anew for every scaling.
    if factors.rank < len(factors.sigma) or factors.rank <= TINY:
        at = _Refactorised(factors, base, update, limit).at
    else:
        at = _BothSides(factors, base, update, limit, seed).both
    grid = []
    for number, multiple in enumerate(multiples, 1):
        on_stage(f"scaling {number} of {len(multiples)}")
        grid.append(at(multiple))
    count = min((len(one.sigma) for one in grid), default=0)
    return [one.leading(count) for one in grid]


class _Refactorised:
    """Every scaling by itself, through the base's factors; without shares."""

    def __init__(self, factors: BaseFactors, base: Tensor, update: LowRank, limit: int) -> None:
        self._factors, self._base, self._update = factors, base, update
        self._limit = max(1, min(limit, factors.rank))

    def at(self, multiple: float) -> Scaled:
        update = replace(self._update, scaling=self._update.scaling * multiple)
        found = compare_with_factors(self._factors, self._base, update, k=self._limit)
        if found.unchanged:
            one = torch.ones(self._limit, dtype=torch.float64)
            same = Bounds(one, one, torch.arange(self._limit), one[:, None][:, :0])
            return Scaled(self._factors.sigma[: self._limit].cpu(), same, same)
        left, right = _bounds(found.left), _bounds(found.right)
        return Scaled(found.sigma_tuned[: len(left.lower)], left, right)


def _bounds(found: Matches, shares: Tensor | None = None) -> Bounds:
    nothing = torch.zeros(len(found.lower), 0, dtype=torch.float64)
    return Bounds(found.lower, found.upper, found.index, nothing if shares is None else shares)


class _BothSides(BaseCoordinates):
    """The base's coordinates find the top vectors; the weight itself takes their rounding away."""

    def __init__(self, factors: BaseFactors, base: Tensor, update: LowRank, limit: int, seed: int) -> None:
        super().__init__(factors, base, update)
        self._seed = seed
        self._limit = min(limit, self.size - SPARE - 1)
        self._update = update if self.short_is_left else update.transposed()
        _, ours, theirs = update_components(self._update)
        weight = base if self.short_is_left else base.T
        far = 4.0 * self._update.scaling
        dtype = torch.promote_types(working_dtype(weight, unit=self._unit), self.precision(far))
        self._base = Operator.of(weight, self._unit, dtype)
        self._ours, self._theirs = (part.to(base.device, self._base.dtype) for part in (ours, theirs))
        self._errors = factors.errors.to(base.device, torch.float64)
        self._inverse = 1.0 / self._squares.sqrt()

    def both(self, multiple: float) -> Scaled:
        """Both sides at one multiple of the update's own scaling."""
        scaled = replace(self._update, scaling=self._update.scaling * multiple)
        turn = self.turn(scaled.scaling)
        found = self._found(scaled.scaling)
        operator = self._base.updated(scaled)
        with full_precision():
            rows, values, angles = self._polished(operator, found, turn)
            near = self._near(rows, angles)
            others, length = normalised(operator.pull(rows))
            far = self._far(
                others, stretched(angles, max((found.ceiling + turn) ** 0.5, operator.parts), length)
            )
        one = _bounds(near, _energy(rows, self._ours))
        other = _bounds(far, _energy(others, self._theirs))
        left, right = (one, other) if self.short_is_left else (other, one)
        return Scaled(values.clamp(min=0.0).sqrt() / self._unit, left, right)

    def _found(self, scaling: float) -> TopVectors:
        """The leading vectors in the base's coordinates, a few more than are told of."""
        count = self._limit + SPARE
        if self.size > DENSE:
            return top_vectors(ScaledSquare(self, scaling, torch.float64), count, seed=self._seed, good=1e-3)
        square = self.apply(torch.eye(self.size, dtype=torch.float64, device=self.device), scaling)
        squares, vectors = small_eigen(square.cpu())
        rows = vectors[:, :count].T.contiguous().to(self.device)
        below, top = squares[:count] - squares[1 : count + 1], float(squares[0])
        return TopVectors(rows, squares[:count], torch.zeros_like(below), below, top, float(squares[count]))

    def _polished(self, operator: Operator, found: TopVectors, turn: float) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, eigenvalues and bounds on the rows' angles, by two Krylov steps with the weight from there.

        Eigenvalues in coordinates are within `turn` of the weight's (Weyl), so that as many of the weight's
        lie above a gap as there; those are the Ritz values, each within the norm of the residuals (Kahan).
        """
        start = self._back(found.rows.to(operator.dtype))
        lanczos = BlockLanczos(Square(operator), start, POLISH, self._seed)
        for _ in range(POLISH):
            if not lanczos.full:
                lanczos.step()
        ritz, count = lanczos.ritz(), self._limit
        rows: Tensor = ritz.vectors[:, :count].T.contiguous().to(start) @ lanczos.basis()
        rows = rows / rows.norm(dim=1, keepdim=True)
        angles = torch.full((count,), torch.pi / 2, dtype=torch.float64)
        theta = ritz.values
        for last in range(count + SPARE - 1, -1, -1):
            floor = float(found.values[last] - found.gaps[last]) + turn
            near = float(ritz.residuals[: last + 1].norm())
            if float(found.gaps[last]) > 0 and float(theta[last]) - near > floor:
                fence = torch.cat(
                    (theta[:1] * 0 + torch.inf, theta[: last + 1] - near, theta[:1] * 0 + floor)
                )
                above = fence[: last + 1] - theta[: last + 1]
                below = theta[: last + 1] - torch.cat((theta[1 : last + 1] + near, fence[-1:]))
                gaps = torch.minimum(above, below)
                sine = torch.where(gaps > 0, ritz.residuals[: last + 1] / gaps.clamp(min=1e-300), 1.0)
                known = min(count, last + 1)
                angles[:known] = sine.clamp(max=1.0).asin()[:known] + REACH
                break
        return rows, theta[:count], angles

    def _back(self, rows: Tensor) -> Tensor:
        """X z of each row z."""
        out = torch.zeros_like(rows)
        for start in range(0, self.size, 1024):
            stop = min(start + 1024, self.size)
            out += rows[:, start:stop] @ self._factors.columns(start, stop, rows.dtype).to(rows.device).T
        return out

    def _near(self, rows: Tensor, angles: Tensor) -> Matches:
        cosines = self._factors.transposed_product(rows).abs_()
        errors = self._errors + BACKWARD_ERROR[rows.dtype]
        return intervals(cosines, errors.expand_as(cosines), angles, self._number)

    def _far(self, others: Tensor, angles: Tensor) -> Matches:
        """|y0_i . y1_j| = |x0_i . (W0 y1_j)| / sigma0_i, with the errors magnified alike."""
        seen = self._base.push(others)
        cosines = self._factors.transposed_product(seen).abs_() * self._inverse.to(seen.dtype)
        size = seen.double().norm(dim=1, keepdim=True)
        top = 1.0 / float(self._inverse[0])
        errors = self._errors * size + BACKWARD_ERROR[seen.dtype] * (size + top)
        return intervals(cosines, errors * self._inverse, angles, self._number)


def _energy(rows: Tensor, parts: Tensor) -> Tensor:
    """(row . part)^2: [l, c] float64 on the CPU."""
    return (rows @ parts.T).double().square().clamp(max=1.0).cpu()
