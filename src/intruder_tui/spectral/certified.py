"""The certificate tier: verdicts on the top k from a bound, without factorising anything."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from intruder_tui.spectral.certificate import Wanted, certify, eigenvalue_floor
from intruder_tui.spectral.exact import Stage, compare_exact, silent
from intruder_tui.spectral.lanczos import BACKWARD_ERROR
from intruder_tui.spectral.matrices import far_from_one
from intruder_tui.spectral.measures import low_rank_sigma
from intruder_tui.spectral.operators import Operator, Square, full_precision, normalised
from intruder_tui.spectral.pair import Pair, measure, survey, unchanged, vanished
from intruder_tui.spectral.topk import TopVectors, is_complete, top_vectors
from intruder_tui.spectral.values import Comparison, LowRank, Matches

SMALL = 512
"""Up to this shorter side the exact tier is as fast (on a CPU)."""
LARGE_SHARE = 25
"""Above k = shorter side / 25 Krylov methods cost more than a factorisation."""
MOST_ANGLE = 0.5
"""Tuned vectors less sure than this (radians) get no bounds."""
MARGIN = 1e-6
"""How far bounds stay from eps, so that a verdict survives their rounding to float32."""
REACH = 1e-6
"""Rounding of the vectors themselves (radians), beside what is measured."""


def compare_certified(
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    k: int = 10,
    eps: float = 0.5,
    left: bool = True,
    right: bool = True,
    escalate: bool = True,
    strict: bool = False,
    small: int = SMALL,
    seed: int = 0,
    on_stage: Stage = silent,
) -> Comparison:
    """Bound best(j) for the k highest-ranking tuned vectors, as far as `eps` needs it.

    Args:
        base, tuned: as for `compare_exact`.
        k, eps: the definition whose verdicts are wanted. The bounds hold for any other eps as well, but need
            not decide it.
        left, right: the sides that are wanted; the other one gets bounds 0 and 1.
        escalate: compute every value when a verdict stays open.
        strict: prove by a Cholesky factorisation that no top vector was missed, where otherwise the start's
            randomness vouches for it; where that fails nothing is claimed. It costs a whole Gram matrix. The
            bounds against the base go on resting on random probes.
        small: up to this shorter side every value is computed at once; 0 for never.
        seed: of the random start; the bounds hold with probability 1 - 1e-7 or better over it.
        on_stage: is told each stage as it begins.

    Raises:
        SpectralError: as `compare_exact`.
    """
    shorter = min(base.shape) if base.ndim == 2 else 0
    if shorter <= small or k >= max(2, shorter) or (small and k > max(10, shorter // LARGE_SHARE)):
        return compare_exact(base, tuned, on_stage=on_stage)
    on_stage("reading")
    pair = survey(base, tuned)
    if pair.norm_delta == 0.0:
        return unchanged(pair)
    if pair.vanished:
        return vanished(pair)
    with full_precision():
        found = _Certificate(pair, k, eps, seed, on_stage)
        if strict:
            found.prove()
        short, long = (right, left) if pair.transposed else (left, right)
        short_matches = found.short() if short else unknown(k)
        long_matches = found.long() if long else unknown(k)
    asked = [m for m, on in ((short_matches, short), (long_matches, long)) if on]
    if escalate and not all(decided(m, eps) for m in asked):
        return compare_exact(base, tuned, on_stage=on_stage)
    sigma = found.top.values.clamp(min=0.0).sqrt() / pair.unit
    return Comparison(
        sigma_base=torch.zeros(0, dtype=torch.float64),
        sigma_tuned=sigma,
        left=long_matches if pair.transposed else short_matches,
        right=short_matches if pair.transposed else long_matches,
        update=measure(pair),
        weight_cosine=pair.weight_cosine,
        tier="certificate",
        notes=(),
        unchanged=False,
    )


def unknown(k: int) -> Matches:
    """Nothing is known of k vectors."""
    return bounded(torch.zeros(k, dtype=torch.float64), torch.ones(k, dtype=torch.float64))


def bounded(lower: Tensor, upper: Tensor) -> Matches:
    """Matches of which only bounds are known."""
    index = torch.full((len(lower),), -1, dtype=torch.int64)
    return Matches(lower, upper, index, torch.zeros(0, 0, dtype=torch.float64), lower, upper)


def decided(matches: Matches, eps: float) -> bool:
    """Whether every vector's bounds are sound and lie on one side of eps; NaN decides nothing."""
    sound = (matches.lower >= 0.0) & (matches.lower <= matches.upper)
    return bool((sound & ((matches.upper < eps) | (matches.lower >= eps))).all())


def intersected(one: Comparison, other: Comparison) -> Comparison:
    """What both comparisons of one pair know; values, notes and what else there is are those of `one`."""

    def side(ours: Matches, theirs: Matches) -> Matches:
        count = len(ours.lower)
        lower = torch.maximum(ours.lower, theirs.lower[:count])
        upper = torch.minimum(ours.upper, theirs.upper[:count])
        sound = lower <= upper
        lower, upper = torch.where(sound, lower, 0.0), torch.where(sound, upper, 1.0)
        return replace(ours, lower=lower, upper=upper, least=lower, most=upper)

    return replace(one, left=side(one.left, other.left), right=side(one.right, other.right))


def working_dtype(*tensors: Tensor, unit: float) -> torch.dtype:
    """float32, or float64 for float64 weights and for vectors that the unit may take out of its range."""
    wide = any(t.dtype == torch.float64 for t in tensors) or far_from_one(unit)
    return torch.float64 if wide else torch.float32


def cancels(pair: Pair) -> bool:
    """Whether W0 + dW may be under a tenth of the norms of W0 and dW, so that float32 loses its digits.

    Then norm_2(W1) <= norm_2(dW) / 4.5, so that <W0, dW> = <W1, dW> - norm_F(dW)^2 is at most the largest
    times the sum of dW's singular values over 4.5, less the sum of their squares; and norm_2(W0) <=
    1.23 norm_2(dW).
    """
    if not isinstance(pair.tuned, LowRank):
        return False
    sigma = low_rank_sigma(pair.tuned) * pair.unit
    if not len(sigma) or float(sigma[0]) * 1.3 * math.sqrt(min(pair.base.shape)) < pair.norm_base:
        return False
    crossed = pair.inner - pair.norm_base**2
    return crossed <= float(sigma[0] * sigma.sum()) / 4 - pair.norm_delta**2


def operators(pair: Pair) -> tuple[Operator, Operator]:
    """Base and tuned as operators on the wide orientation."""
    tuned = pair.wide_tuned
    if isinstance(tuned, LowRank):
        dtype = torch.float64 if cancels(pair) else working_dtype(pair.base, unit=pair.unit)
        base = Operator.of(pair.wide_base, pair.unit, dtype)
        return base, base.updated(tuned)
    dtype = working_dtype(pair.base, tuned, unit=pair.unit)
    return Operator.of(pair.wide_base, pair.unit, dtype), Operator.of(tuned, pair.unit, dtype)


class _Certificate:
    """One pair's top vectors, and the bounds of each side from them."""

    def __init__(self, pair: Pair, k: int, eps: float, seed: int, on_stage: Stage) -> None:
        self._pair, self._eps, self._seed, self._on_stage = pair, eps, seed, on_stage
        self._base, self._tuned = operators(pair)
        on_stage("finding the top vectors")
        self.top: TopVectors = top_vectors(Square(self._tuned), k, seed=seed)

    def prove(self) -> None:
        """Keep the top vectors only if they are certainly all there are."""
        self._on_stage("proving that nothing was missed")
        if is_complete(self._pair.matrices()[1], self.top):
            # What is known of the largest eigenvalue without luck.
            ceiling = float(self.top.values[0] + self.top.residuals.norm())
            self.top = replace(self.top, ceiling=min(self.top.ceiling, ceiling))
        else:
            self.top = replace(self.top, gaps=torch.zeros_like(self.top.gaps))

    def short(self) -> Matches:
        """Bounds on the shorter side."""
        self._on_stage("bounding the matches")
        angles = self.top.angles() + REACH
        return self._match(Square(self._base), self.top.rows, angles)

    def long(self) -> Matches:
        """Bounds on the longer side, whose vectors are W1^T x / sigma."""
        self._on_stage("bounding the matches on the other side")
        rows, length = normalised(self._tuned.pull(self.top.rows))
        # W1^T turns the residual of x into one of y, at most sigma_1 / sigma_j times as large.
        norm = max(self.top.ceiling**0.5, self._tuned.parts)
        stretch = torch.where(length > 0, norm / length, torch.inf)
        gaps = torch.minimum(self.top.gaps, self.top.values.clamp(min=0.0))
        known = (gaps > 0) & (length > 0)
        sine = torch.where(known, self.top.residuals * stretch / gaps.clamp(min=1e-300), 1.0)
        angles = sine.clamp(max=1.0).asin() + REACH * stretch.clamp(min=1.0)
        square = Square(self._base, short=False)
        if self._base.columns == self._base.rows:
            return self._match(square, rows, angles)
        # What a tuned vector has outside the base's row space matches nothing: it lies at eigenvalue 0.
        floor = eigenvalue_floor(Square(self._base), seed=self._seed + 13)
        return self._match(square, rows, angles, floor)

    def _match(self, a: Square, rows: Tensor, angles: Tensor, floor: float = 0.0) -> Matches:
        if self._eps <= 0.0:
            return unknown(len(rows))  # no cosine is below eps
        if self._pair.norm_base == 0.0 and not bool(self._pair.base.any()):
            nothing = torch.zeros(len(rows), dtype=torch.float64)
            return bounded(nothing, nothing)  # a base of zeros has no directions
        # A cosine of rounded vectors has the error of their norms.
        error = BACKWARD_ERROR[a.dtype]
        wide = math.acos(self._eps)
        sure = angles < MOST_ANGLE
        enough = (wide - angles).clamp(min=0.0).cos() + error + MARGIN
        small = (wide + angles).clamp(max=math.pi).cos() - error - MARGIN
        wanted = Wanted(
            enough=torch.where(sure & (enough < 1.0), enough, 2.0),
            small=torch.where(sure, small, 0.0).clamp(min=0.0),
        )
        found = certify(a, rows, wanted, floor=floor, seed=self._seed + 7)
        lower = ((found.lower - error).clamp(0.0, 1.0).acos() + angles).clamp(max=math.pi / 2).cos()
        upper = ((found.upper + error).clamp(0.0, 1.0).acos() - angles).clamp(min=0.0).cos()
        lower = torch.where(sure & (found.lower > 0.0), lower, 0.0)
        upper = torch.where(sure, upper, 1.0)
        sound = lower <= upper
        return bounded(torch.where(sound, lower, 0.0), torch.where(sound, upper, 1.0))
