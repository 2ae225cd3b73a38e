"""What the mathematics takes and gives: plain frozen values around tensors."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


class SpectralError(Exception):
    """A matrix pair that has no answer; the message is one line with the numbers in it."""


@dataclass(frozen=True, eq=False, slots=True)
class LowRank:
    """An update by its factors, dW = scaling * b @ a (LoRA, arXiv 2106.09685).

    Attributes:
        a: [r, n], any float dtype.
        b: [m, r], any float dtype.
        scaling: alpha / r, or alpha / sqrt(r) under rank stabilisation.
    """

    a: Tensor
    b: Tensor
    scaling: float

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the shape of dW."""
        return self.b.shape[0], self.a.shape[1]

    def transposed(self) -> LowRank:
        """The factors of dW transposed."""
        return LowRank(self.b.T, self.a.T, self.scaling)


@dataclass(frozen=True, eq=False, slots=True)
class Traits:
    """What each tuned vector y_j is made of, C being the cosines with all base vectors: [l] each, CPU.

    Attributes:
        participation: float64, 1 / sum_i C[i, j]^4: how many base vectors y_j is effectively made of. 1 is
            the same vector, a handful is local mixing, the order of q is foreign; infinite where C is zero.
        window_share: float64, energy of y_j within base vectors j - window .. j + window.
        window: the half width of that neighbourhood.
        update_share: float64, energy of y_j in the column space of dW (row space on the V side); empty where
            the update fills too much of the space for the share to say anything.
        cluster_overlap: float64, largest norm of y_j's projection on a cluster of tied base vectors; best(j)
            itself where no cluster does better.
        cluster_size: int64, how many base vectors that cluster has.
        tuned_cluster_size: int64, how many tuned singular values are tied with sigma_j, itself included;
            above 1 y_j itself is only one of many choices.
    """

    participation: Tensor
    window_share: Tensor
    window: int
    update_share: Tensor
    cluster_overlap: Tensor
    cluster_size: Tensor
    tuned_cluster_size: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Matches:
    """Best matches of the l highest-ranking tuned vectors on one side.

    best(j) = max over all base vectors i of |cos(x_i, y_j)|. Directions whose singular value is numerically
    zero belong to neither matrix: a base one is never a match, and a tuned one has no entry.

    Attributes:
        lower: [l] float64 on the CPU, a lower bound of best(j).
        upper: [l] float64, an upper bound of best(j); equal to `lower` where best(j) is known.
        index: [l] int64, the i that attains best(j); -1 where unknown.
        block: [b, b] float64, |cos|, rows base i, columns tuned j, b <= l; a column is NaN, or all is [0, 0],
            where unknown.
        least, most: [l] float64, what best(j) may be within its own rounding, for any choice among tied
            vectors; `most` holds the overlap with the span of tied base vectors too. `lower` and `upper`
            themselves where those are bounds.
        traits: what lies behind each match; None where only bounds are known.
    """

    lower: Tensor
    upper: Tensor
    index: Tensor
    block: Tensor
    least: Tensor
    most: Tensor
    traits: Traits | None = None


@dataclass(frozen=True, eq=False, slots=True)
class UpdateMeasures:
    """Measures of dW = W1 - W0; `measures` has the formulas.

    Attributes:
        sigma: [min(m, n)] or [min(m, n, r)] float64 on the CPU, singular values of dW, descending; empty
            where they were not computed.
        frobenius: norm_F(dW).
        relative_norm: norm_F(dW) / norm_F(W0); infinite for a base of zeros.
        effective_rank, stable_rank: None where undefined (dW = 0) or not computed.
        energy_ranks: fewest leading sigma whose squares sum to 90, 95 and 99 %; None alike.
        rounding_floor: norm_F of what storing W1 in its dtype puts into dW; None for a `LowRank`.
    """

    sigma: Tensor
    frobenius: float
    relative_norm: float
    effective_rank: float | None
    stable_rank: float | None
    energy_ranks: tuple[int, int, int] | None
    rounding_floor: float | None


@dataclass(frozen=True, eq=False, slots=True)
class Comparison:
    """What is known of one matrix pair.

    Attributes:
        sigma_base: [q] float64 on the CPU, singular values of W0, descending; empty where not computed.
        sigma_tuned: [l or more] float64, singular values of W1, descending.
        left, right: matches of the U side (output space) and of the V side (input space).
        update: measures of dW.
        weight_cosine: <W0, W1> / (norm_F(W0) norm_F(W1)); None where a norm is 0.
        tier: "exact" (Gram and eigh in float64), "float64" (a float64 singular value decomposition),
            "certificate" (bounds), "none" (nothing to compute).
        notes: sentences a reader must know.
        unchanged: dW is exactly zero; the tensors are then empty.
    """

    sigma_base: Tensor
    sigma_tuned: Tensor
    left: Matches
    right: Matches
    update: UpdateMeasures
    weight_cosine: float | None
    tier: str
    notes: tuple[str, ...]
    unchanged: bool
