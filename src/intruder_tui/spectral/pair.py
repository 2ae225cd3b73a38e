"""A pair of weights before any factorisation: checked, oriented wide, its norms and the measures of dW."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.cosines import empty_matches
from intruder_tui.spectral.matrices import (
    CHUNK_ELEMENTS,
    Difference,
    Matrix,
    Stored,
    Updated,
    far_from_one,
    largest,
    unit_for,
)
from intruder_tui.spectral.measures import (
    effective_rank,
    energy_ranks,
    low_rank_sigma,
    rounding_floor,
    stable_rank,
)
from intruder_tui.spectral.operators import panel_rows
from intruder_tui.spectral.values import Comparison, LowRank, SpectralError, UpdateMeasures


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """A checked pair, and what one pass over it tells.

    Attributes:
        base, tuned: [m, n] as given, on one device; or the update's factors.
        transposed: whether the weights are tall, so that the short side is V.
        unit: the power of two that brings the largest entry near 1.
        norm_base, norm_tuned, norm_delta: Frobenius norms of the weights times `unit`.
        inner: <W0, W1> of the weights times `unit`.
    """

    base: Tensor
    tuned: Tensor | LowRank
    transposed: bool
    unit: float
    norm_base: float
    norm_tuned: float
    norm_delta: float
    inner: float

    @property
    def weight_cosine(self) -> float | None:
        """<W0, W1> / (norm_F(W0) norm_F(W1)); None where a norm is 0."""
        if self.norm_base == 0.0 or self.norm_tuned == 0.0:
            return None
        return max(-1.0, min(1.0, self.inner / self.norm_base / self.norm_tuned))

    @property
    def vanished(self) -> bool:
        """Whether the tuned weight is nothing but zeros."""
        return isinstance(self.tuned, Tensor) and self.norm_tuned == 0.0 and not bool(self.tuned.any())

    @property
    def wide_base(self) -> Tensor:
        """The base with its shorter side as rows."""
        return self.base.T if self.transposed else self.base

    @property
    def wide_tuned(self) -> Tensor | LowRank:
        """The tuned weight, or its factors, with the shorter side as rows."""
        if not self.transposed:
            return self.tuned
        return self.tuned.transposed() if isinstance(self.tuned, LowRank) else self.tuned.T

    def matrices(self) -> tuple[Stored, Matrix]:
        """Base and tuned as wide matrices times `unit`."""
        base, tuned = Stored(self.wide_base, self.unit), self.wide_tuned
        return base, Updated.by(base, tuned) if isinstance(tuned, LowRank) else Stored(tuned, self.unit)

    def parts(self) -> tuple[Stored, Matrix, Difference | None]:
        """`matrices`, and dW alike; None where it is known by its factors."""
        base, tuned = self.matrices()
        return base, tuned, Difference(tuned, base) if isinstance(tuned, Stored) else None


def check(base: Tensor, tuned: Tensor | LowRank) -> float:
    """max |x| over both weights, or a bound on it where the tuned one is known by its update.

    Raises:
        SpectralError: shapes that differ, an empty matrix, values that are not finite.
    """
    if base.ndim != 2:
        raise SpectralError(f"base has {base.ndim} dimensions, a matrix has 2")
    if base.numel() == 0:
        raise SpectralError(f"base is empty: {base.shape[0]} x {base.shape[1]}")
    if isinstance(tuned, LowRank):
        (m, r_b), (r_a, n) = tuned.b.shape, tuned.a.shape
        if r_a != r_b:
            raise SpectralError(f"the update's factors are {m} x {r_b} and {r_a} x {n}; their ranks differ")
        if not math.isfinite(tuned.scaling):
            raise SpectralError(f"the update's scaling is {tuned.scaling}")
        parts = [(tuned.a, "the update's factor A"), (tuned.b, "the update's factor B")]
        what = "the update"
    else:
        parts = [(tuned, "tuned")]
        what = "tuned"
    if tuple(tuned.shape) != tuple(base.shape):
        theirs = " x ".join(str(d) for d in tuned.shape)
        raise SpectralError(f"base is {base.shape[0]} x {base.shape[1]}, {what} is {theirs}")
    sizes = [largest(base, "base"), *(largest(t, name) for t, name in parts)]
    if not isinstance(tuned, LowRank):
        return max(sizes)
    return max(sizes[0], min(sys.float_info.max, abs(tuned.scaling) * sizes[1] * sizes[2] * len(tuned.a)))


def survey(base: Tensor, tuned: Tensor | LowRank) -> Pair:
    """Check a pair and take its norms.

    Raises:
        SpectralError: as `check`.
    """
    unit = unit_for(check(base, tuned))
    transposed = base.shape[0] > base.shape[1]
    if isinstance(tuned, LowRank):
        update = LowRank(tuned.a.to(base.device), tuned.b.to(base.device), tuned.scaling)
        norm_base, crossed = _norm_and_cross(base, update, unit)
        sigma = low_rank_sigma(update)
        size = float(sigma.max()) if len(sigma) else 0.0
        # Their own squares may underflow.
        norm_delta = size * unit * float((sigma / size).norm()) if size else 0.0
        inner = norm_base**2 + crossed
        norm_tuned = math.sqrt(max(0.0, norm_base**2 + 2 * crossed + norm_delta**2))
        return Pair(base, update, transposed, unit, norm_base, norm_tuned, norm_delta, inner)
    moved = tuned.to(base.device)
    least = torch.float64 if far_from_one(unit) else torch.float32
    dtype = torch.promote_types(torch.promote_types(base.dtype, moved.dtype), least)
    norms = _norms(base, moved, unit, dtype)
    if norms[2] == 0.0 and not torch.equal(base, moved):
        norms = _norms(base, moved, unit, torch.float64)
    norm_base, norm_tuned, norm_delta = norms
    inner = (norm_base**2 + norm_tuned**2 - norm_delta**2) / 2
    return Pair(base, moved, transposed, unit, norm_base, norm_tuned, norm_delta, inner)


def _norms(base: Tensor, tuned: Tensor, unit: float, dtype: torch.dtype) -> tuple[float, float, float]:
    """Frobenius norms of base, tuned and difference, all times `unit`; panels of rows in `dtype`."""
    sums = torch.zeros(3, dtype=torch.float64, device=base.device)
    # Entries near 1 need no scaling before they are squared: that would be a pass of its own.
    plain = 2.0**-32 <= unit <= 2.0**32
    height = panel_rows(base)
    for top in range(0, base.shape[0], height):
        w0 = base[top : top + height].to(dtype)
        w1 = tuned[top : top + height].to(dtype)
        if not plain:
            w0, w1 = w0 * unit, w1 * unit
        # Not norms: those of so many entries are 1e-5 off, where `sum` adds by halves.
        sums += torch.stack([w.square().sum() for w in (w0, w1, w1 - w0)])
    one, two, three = (math.sqrt(float(x)) * (unit if plain else 1.0) for x in sums)
    return one, two, three


def _norm_and_cross(base: Tensor, update: LowRank, unit: float) -> tuple[float, float]:
    """norm_F(W0) and <W0, dW> = scaling * sum of (b^T W0) * a, both weights times `unit`."""
    dtype = torch.promote_types(base.dtype, torch.float64 if far_from_one(unit) else torch.float32)
    total = torch.zeros((), dtype=torch.float64, device=base.device)
    crossed = torch.zeros_like(total)
    height = max(1, CHUNK_ELEMENTS // base.shape[1])
    a = update.a.to(dtype)
    for top in range(0, base.shape[0], height):
        rows = base[top : top + height].to(dtype) * unit
        crossed += (update.b[top : top + height].to(dtype).T @ rows).mul_(a).sum(dtype=torch.float64)
        total += rows.square_().sum()
    return math.sqrt(float(total)), float(crossed) * (update.scaling * unit)


def measure(pair: Pair, sigma: Tensor | None = None) -> UpdateMeasures:
    """All measures of dW; those of a zero update are None.

    `sigma` ([shorter side] float64) are the singular values of a dense dW; without them what needs them is
    left out. Those of a low-rank one are found here.
    """
    floor: float | None = None
    if isinstance(pair.tuned, LowRank):
        sigma = low_rank_sigma(pair.tuned)
    else:
        floor = rounding_floor(pair.base, pair.tuned)
    none = torch.zeros(0, dtype=torch.float64)
    if pair.norm_delta == 0.0:
        return UpdateMeasures(none, 0.0, 0.0, None, None, None, floor)
    return UpdateMeasures(
        sigma=none if sigma is None else sigma,
        frobenius=pair.norm_delta / pair.unit,
        relative_norm=pair.norm_delta / pair.norm_base if pair.norm_base else math.inf,
        effective_rank=None if sigma is None else effective_rank(sigma),
        stable_rank=None if sigma is None else stable_rank(sigma),
        energy_ranks=None if sigma is None else energy_ranks(sigma),
        rounding_floor=floor,
    )


def unchanged(pair: Pair) -> Comparison:
    """The comparison of a weight with itself."""
    none = torch.zeros(0, dtype=torch.float64)
    cosine = 1.0 if pair.norm_base else None
    return Comparison(none, none, empty_matches(), empty_matches(), measure(pair), cosine, "none", (), True)


def vanished(pair: Pair, sigma_base: Tensor | None = None) -> Comparison:
    """The comparison with a tuned weight of zeros: no vector is left of it."""
    none = torch.zeros(0, dtype=torch.float64)
    sigma = torch.zeros(min(pair.base.shape), dtype=torch.float64)
    return Comparison(
        sigma_base=none if sigma_base is None else sigma_base,
        sigma_tuned=sigma,
        left=empty_matches(),
        right=empty_matches(),
        update=measure(pair),
        weight_cosine=None,
        tier="certificate",
        notes=rank_note("tuned weight", len(sigma), len(sigma)),
        unchanged=False,
    )


def rank_note(name: str, missing: int, total: int) -> tuple[str, ...]:
    """What is to be said of a matrix whose singular values are partly zero."""
    if not missing:
        return ()
    return (
        f"{missing} of {total} singular values of the {name} are numerically zero; they have no direction.",
    )
