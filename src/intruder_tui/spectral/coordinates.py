"""A low-rank update in the base's own coordinates: any scaling of it without touching the weights again.

With W0 = X diag(sigma) Y^T on the wide orientation, X^T (W0 + s B A) (W0 + s B A)^T X is

    diag(sigma^2) + s (C Bt^T + Bt C^T) + s^2 Bt (A A^T) Bt^T,    Bt = X^T B,  C = X^T W0 A^T,

a diagonal plus rank 2 r: a product costs O(p r), nothing is merged and nothing rounded, and the cosines of
the short side are the entries of its eigenvectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intruder_tui.spectral.basefactors import BaseFactors, intervals
from intruder_tui.spectral.certified import REACH, working_dtype
from intruder_tui.spectral.lanczos import BACKWARD_ERROR
from intruder_tui.spectral.matrices import largest, unit_for
from intruder_tui.spectral.operators import Operator, full_precision
from intruder_tui.spectral.pair import check
from intruder_tui.spectral.topk import top_vectors
from intruder_tui.spectral.values import LowRank, Matches, SpectralError

MOST_SIZE = 2.0**30
"""Norm of an update over the base's largest entry up to which float32 can square it."""


@dataclass(frozen=True, eq=False, slots=True)
class Rescaled:
    """What a scaling leads to.

    Attributes:
        sigma: [k] float64, the k largest singular values of W0 + scaling * B A.
        matches: of the short side (U where m <= n, else V), narrow intervals, with index and block.
    """

    sigma: Tensor
    matches: Matches


class BaseCoordinates:
    """One base and one update, ready for any scaling.

    Attributes:
        short_is_left: whether the short side is U.
    """

    def __init__(self, factors: BaseFactors, base: Tensor, update: LowRank) -> None:
        """Two products with the base's vectors and one with the base; everything after that is O(p r).

        Raises:
            SpectralError: shapes that differ, values that are not finite, a base that lacks full rank.
        """
        # The update's own scaling does not matter here.
        unit = unit_for(check(base, replace(update, scaling=0.0)))
        self.short_is_left = base.shape[0] <= base.shape[1]
        wide = update if self.short_is_left else update.transposed()
        if factors.rank < factors.vectors.shape[0]:
            raise SpectralError(
                f"the base has rank {factors.rank} of {factors.vectors.shape[0]}: no coordinates"
            )
        dtype = working_dtype(base, unit=unit)
        operator = Operator.of(base if self.short_is_left else base.T, unit, dtype)
        a, unit_a = _near_one(wide.a.to(base.device, torch.float64))
        b, unit_b = _near_one(wide.b.to(base.device, torch.float64))
        with full_precision():
            seen = operator.push(a.to(dtype))
            both = factors.transposed_product(torch.cat((b.T.to(dtype), seen)))
        self._gain = unit / unit_a / unit_b
        self._unit = unit
        self._factors = factors
        self._number = factors.clusters().to(base.device)
        self._squares = (factors.sigma.to(base.device) * unit).square()
        self._aa = a @ a.T
        # Columns of Bt, then those of C; products in float32 are as good as the stored vectors, see below.
        columns = both.T.contiguous()
        self._parts = {
            dtype: (columns.to(dtype), self._squares.to(dtype)) for dtype in (torch.float32, torch.float64)
        }
        # How far the rounding of the vectors, and of the products, may turn the small matrices.
        size_b, size_c = (float(torch.linalg.matrix_norm(t.double(), 2)) for t in both.chunk(2))
        size_a = float(torch.linalg.matrix_norm(self._aa, 2)) ** 0.5
        off = factors.spread + BACKWARD_ERROR[torch.float32]
        self._size_update: float = size_a * size_b * self._gain
        # W0 A^T is rounded on the scale of its factors, not on that of what is left of them.
        rounded = 2 * BACKWARD_ERROR[dtype] * float(self._squares[0]) ** 0.5 * self._size_update
        self._first_order = 4 * off * size_b * size_c * self._gain + rounded
        self._off = off

    @property
    def size(self) -> int:
        """The shorter side."""
        return len(self._squares)

    @property
    def device(self) -> torch.device:
        """Where the base lies."""
        return self._squares.device

    def precision(self, scaling: float) -> torch.dtype:
        """float32, or float64 where the update is so much larger than the base that float32 overflows."""
        return torch.float64 if abs(scaling) * self._size_update > MOST_SIZE else torch.float32

    def parts(self, scaling: float) -> float:
        """Bound on the norms of W0 and of scaling * B A together, times the unit."""
        return math.sqrt(float(self._squares[0])) + abs(scaling) * self._size_update

    def turn(self, scaling: float) -> float:
        """Bound on how far rounding may move the matrix at one scaling, in units of it.

        Raises:
            SpectralError: the update's square leaves float64.
        """
        size = abs(scaling) * self._size_update
        turn: float = abs(scaling) * self._first_order + 2 * self._off * size * size
        if not math.isfinite(turn):
            raise SpectralError(f"the update is too large to be squared at scaling {scaling:g}")
        return turn

    def at(self, scaling: float, *, k: int = 10, seed: int = 0) -> Rescaled:
        """Singular values and short-side matches of W0 + scaling * B A, for its k highest-ranking vectors."""
        k = min(k, max(1, self.size - 1))
        turn = self.turn(scaling)
        top = top_vectors(ScaledSquare(self, scaling, self.precision(scaling)), k, seed=seed, good=1e-3)
        # That of the squares themselves to float32.
        turn += torch.finfo(torch.float32).eps * float(self._squares[0])
        sine = torch.where(top.gaps > 0, (top.residuals + turn) / top.gaps.clamp(min=1e-300), 1.0)
        angles = sine.clamp(max=1.0).asin() + REACH
        cosines = top.rows.abs()
        errors = self._factors.errors.to(cosines.device, torch.float64) + BACKWARD_ERROR[cosines.dtype]
        return Rescaled(
            top.values.clamp(min=0.0).sqrt() / self._unit,
            intervals(cosines, errors.expand_as(cosines), angles, self._number),
        )

    def apply(self, x: Tensor, scaling: float) -> Tensor:
        """The matrix above times each row of x, in float32 or float64: [b, p] -> [b, p]."""
        columns, squares = self._parts[x.dtype]
        scaling = scaling * self._gain
        on_b, on_c = (x @ columns).chunk(2, dim=1)
        inner = scaling * on_c + scaling * scaling * on_b @ self._aa.to(x.dtype)
        return torch.addmm(x * squares, torch.cat((inner, scaling * on_b), dim=1), columns.T)


def _near_one(factor: Tensor) -> tuple[Tensor, float]:
    """A factor times a power of two, and that power."""
    unit = unit_for(largest(factor, "the update's factor"))
    return factor * unit, unit


@dataclass(frozen=True, slots=True)
class ScaledSquare:
    """W1 W1^T in the base's coordinates at one scaling, in float32 or float64, as `top_vectors` wants it."""

    coordinates: BaseCoordinates
    scaling: float
    dtype: torch.dtype

    @property
    def size(self) -> int:
        return self.coordinates.size

    @property
    def device(self) -> torch.device:
        return self.coordinates.device

    @property
    def parts(self) -> float:
        return self.coordinates.parts(self.scaling)

    def __call__(self, x: Tensor) -> Tensor:
        return self.coordinates.apply(x, self.scaling)
