"""The exact tier: every value, from a float64 eigendecomposition of the shorter side's Gram matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.cosines import compare_long, compare_short, empty_matches
from intruder_tui.spectral.factors import Factors, factorise, singular_values
from intruder_tui.spectral.matrices import Difference, Matrix, Stored, Updated, largest, unit_for
from intruder_tui.spectral.measures import (
    effective_rank,
    energy_ranks,
    low_rank_sigma,
    rounding_floor,
    stable_rank,
)
from intruder_tui.spectral.values import Comparison, LowRank, SpectralError, UpdateMeasures

Stage = Callable[[str], None]


def silent(_stage: str) -> None:
    """The stage listener of those who do not listen."""


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """A checked pair, oriented wide, and what one pass over it tells.

    Attributes:
        base, tuned: the matrices, both times `unit`.
        transposed: whether the weights were tall, so that the short side is V.
        unit: a power of two.
        delta: dW by its factors, or as the difference of two stored matrices.
        norm_base, norm_tuned, norm_delta: Frobenius norms of the scaled matrices.
        inner: <W0, W1> of the scaled matrices.
    """

    base: Stored
    tuned: Matrix
    transposed: bool
    unit: float
    delta: LowRank | Difference
    norm_base: float
    norm_tuned: float
    norm_delta: float
    inner: float


def compare_exact(
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    limit: int = 4096,
    block: int = 128,
    on_stage: Stage = silent,
) -> Comparison:
    """Compare the singular vectors of a base weight with those of its tuned version, value for value.

    Args:
        base: [m, n], any float dtype, any device; everything large is computed there.
        tuned: [m, n] in any float dtype, or the update by its factors.
        limit: how many of the highest-ranking tuned vectors get a best match on each side.
        block: how many leading vectors the block of cosines holds.
        on_stage: is told each stage as it begins.

    Raises:
        SpectralError: shapes that differ, an empty matrix, values that are not finite.
    """
    on_stage("reading")
    pair = survey(base, tuned)
    update = measure(pair, base, tuned, on_stage)
    if update.frobenius == 0.0:
        return unchanged(pair, update)
    on_stage("factorising base")
    base_factors = factorise(pair.base)
    on_stage("factorising tuned")
    tuned_factors = factorise(pair.tuned)
    on_stage("comparing")
    short = compare_short(base_factors, tuned_factors, limit, block)
    long = compare_long(base_factors, pair.base, tuned_factors, pair.tuned, limit, block)
    notes = (*rank_note("base", base_factors), *rank_note("tuned", tuned_factors))
    return Comparison(
        sigma_base=base_factors.sigma.cpu() / pair.unit,
        sigma_tuned=tuned_factors.sigma.cpu() / pair.unit,
        left=long if pair.transposed else short,
        right=short if pair.transposed else long,
        update=update,
        weight_cosine=weight_cosine(pair),
        tier="float64" if "float64" in (base_factors.tier, tuned_factors.tier) else "exact",
        notes=notes,
        unchanged=False,
    )


def check(base: Tensor, tuned: Tensor | LowRank) -> float:
    """max |x| over both weights.

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
    return max(sizes[:2]) if not isinstance(tuned, LowRank) else sizes[0]


def survey(base: Tensor, tuned: Tensor | LowRank) -> Pair:
    """Check a pair, orient it wide, and take its norms in one pass.

    Raises:
        SpectralError: as `check`.
    """
    unit = unit_for(check(base, tuned))
    transposed = base.shape[0] > base.shape[1]
    stored = Stored(base.T if transposed else base, unit)
    delta: LowRank | Difference
    other: Matrix
    if isinstance(tuned, LowRank):
        delta = tuned.transposed() if transposed else tuned
        other = Updated.by(stored, delta)
    else:
        moved = tuned.to(base.device)
        other = Stored(moved.T if transposed else moved, unit)
        delta = Difference(other, stored)
    sums = torch.zeros(4, dtype=torch.float64, device=base.device)
    for where, w0 in stored.chunks():
        w1 = other.read(where.start, where.stop)
        sums[0] += w0.square().sum()
        sums[1] += w1.square().sum()
        sums[2] += (w0 * w1).sum()
        sums[3] += w1.sub_(w0).square().sum()
    norm_base, norm_tuned, norm_delta = (math.sqrt(float(sums[i])) for i in (0, 1, 3))
    return Pair(stored, other, transposed, unit, delta, norm_base, norm_tuned, norm_delta, float(sums[2]))


def measure(pair: Pair, base: Tensor, tuned: Tensor | LowRank, on_stage: Stage) -> UpdateMeasures:
    """All measures of dW; those of a zero update are None."""
    on_stage("measuring the update")
    floor: float | None = None
    if isinstance(pair.delta, LowRank):
        sigma = low_rank_sigma(pair.delta)
        frobenius = float(sigma.norm())
    else:
        assert isinstance(tuned, Tensor)
        floor = rounding_floor(base, tuned.dtype)
        frobenius = pair.norm_delta / pair.unit
        none = torch.zeros(0, dtype=torch.float64)
        sigma = singular_values(pair.delta).cpu() / pair.unit if frobenius else none
    if frobenius == 0.0:
        return UpdateMeasures(sigma[:0], 0.0, 0.0, None, None, None, floor)
    norm_base = pair.norm_base / pair.unit
    return UpdateMeasures(
        sigma=sigma,
        frobenius=frobenius,
        relative_norm=frobenius / norm_base if norm_base else math.inf,
        effective_rank=effective_rank(sigma),
        stable_rank=stable_rank(sigma),
        energy_ranks=energy_ranks(sigma),
        rounding_floor=floor,
    )


def weight_cosine(pair: Pair) -> float | None:
    """<W0, W1> / (norm_F(W0) norm_F(W1)); None where a norm is 0."""
    if pair.norm_base == 0.0 or pair.norm_tuned == 0.0:
        return None
    return max(-1.0, min(1.0, pair.inner / (pair.norm_base * pair.norm_tuned)))


def unchanged(pair: Pair, update: UpdateMeasures) -> Comparison:
    """The comparison of a weight with itself."""
    none = torch.zeros(0, dtype=torch.float64)
    cosine = 1.0 if pair.norm_base else None
    return Comparison(none, none, empty_matches(), empty_matches(), update, cosine, "none", (), True)


def rank_note(name: str, factors: Factors) -> tuple[str, ...]:
    """Sentences about how a factorisation was reached and what it lacks."""
    missing = factors.sigma.numel() - factors.rank
    if not missing:
        return factors.notes
    total = factors.sigma.numel()
    lost = f"{missing} of {total} singular values of the {name} are numerically zero; they have no direction."
    return (*factors.notes, lost)
