"""What is known of one matrix pair: frozen, numpy only, enough for any side, k and eps.

Notation follows the paper (arXiv 2410.21228): W0 base and W1 tuned weight, both m x n and oriented
[out, in]; q = min(m, n); vectors are ranked by descending singular value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Definition, Side, Verdict

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


class Tier(StrEnum):
    """How an answer was reached."""

    CERTIFICATE = "certificate"
    """Bounds on best(j), rigorous, without a full factorisation."""
    EXACT = "exact"
    """Values, from a symmetric eigendecomposition of the smaller side's Gram matrix."""
    FLOAT64 = "float64"
    """Values, from a float64 singular value decomposition."""
    NONE = "none"
    """Nothing had to be computed: both weights are the same."""


@dataclass(frozen=True, eq=False, slots=True)
class Traits:
    """What each tuned vector y_j is made of, C being its cosines with all base vectors; all [l].

    Attributes:
        participation: float32, 1 / sum_i C[i, j]^4: how many base vectors y_j is effectively made of.
        window_share: float32, energy of y_j within base vectors j - window .. j + window.
        update_share: float32, energy of y_j in the column space of dW (row space on the V side); NaN where dW
            fills too much of the space for the share to say anything.
        cluster_size: int32, how many base vectors the cluster of `Similarity.overlap` has; 1 where none does
            better than a single vector.
        tied: int32, how many tuned singular values are tied with sigma_j, itself included.
        window: half width of the neighbourhood.
    """

    participation: Floats
    window_share: Floats
    update_share: Floats
    cluster_size: Ints
    tied: Ints
    window: int


def _nothing() -> Floats:
    return np.empty(0, np.float32)


@dataclass(frozen=True, eq=False, slots=True)
class Similarity:
    """Best matches of the l highest-ranking tuned vectors on one side (l = the stored limit).

    Attributes:
        lower: [l] float32, a lower bound of best(j) = max_i |cos(x_i, y_j)| over all base vectors i < q.
        upper: [l] float32, an upper bound of best(j); equal to `lower` where the value is known.
        index: [l] int32, the i that attains best(j); -1 where unknown.
        block: [b, b] float32, |cos|, rows base, columns tuned; a column is NaN, or all is [0, 0],
            where no value is known.
        traits: what lies behind each match; None where only bounds are known.
        least, most: [l] float32, where best(j) is a value the range that its numerical error leaves, ties
            included; empty for `lower` and `upper` themselves.
        overlap: [l] float32, largest norm of y_j's projection on the span of a cluster of tied base vectors,
            best(j) where no cluster does better; empty where only bounds are known. `most` is no smaller.
    """

    lower: Floats
    upper: Floats
    index: Ints
    block: Floats
    traits: Traits | None = None
    least: Floats = field(default_factory=_nothing)
    most: Floats = field(default_factory=_nothing)
    overlap: Floats = field(default_factory=_nothing)

    def exact(self, j: int) -> bool:
        """Whether best(j) is a value rather than an interval."""
        return bool(self.lower[j] == self.upper[j])

    @property
    def surely(self) -> Floats:
        """[l], certainly an intruder at every eps above it."""
        return self.most if len(self.most) else self.upper

    @property
    def possibly(self) -> Floats:
        """[l], certainly matched at every eps up to it."""
        return self.least if len(self.least) else self.lower

    def verdict(self, j: int, eps: float) -> Verdict:
        """The verdict on tuned vector j at threshold eps."""
        if float(self.surely[j]) < eps:
            return Verdict.INTRUDER
        if float(self.possibly[j]) >= eps:
            return Verdict.MATCHED
        if not self.exact(j):
            return Verdict.UNDECIDED
        tied = len(self.overlap) and float(self.overlap[j]) > float(self.upper[j])
        return Verdict.CLUSTERED if tied and float(self.overlap[j]) >= eps else Verdict.BORDERLINE

    def verdicts(self, definition: Definition) -> list[Verdict]:
        """Verdicts for every examined vector, j < min(k, l)."""
        k, eps = min(definition.k, len(self.lower)), definition.eps
        # As `verdict`, but numpy is asked once: tens of thousands of matrices are counted at a time.
        ends = zip(self.surely[:k].tolist(), self.possibly[:k].tolist(), strict=True)
        return [
            Verdict.INTRUDER if most < eps else Verdict.MATCHED if least >= eps else self.verdict(j, eps)
            for j, (most, least) in enumerate(ends)
        ]


@dataclass(frozen=True, eq=False, slots=True)
class Update:
    """Measures of dW = W1 - W0 (see `spectral.measures` for the formulas).

    Attributes:
        sigma: [r] float32, singular values of dW, descending; empty where they were not computed.
        frobenius: norm_F(dW).
        relative_norm: norm_F(dW) / norm_F(W0).
        effective_rank, stable_rank: None where undefined (dW = 0) or not computed.
        energy_ranks: fewest leading sigma whose squares sum to 90, 95, 99 % of the energy; None alike.
        adapter_rank: r from the adapter's configuration; None for a full checkpoint.
        rounding_floor: norm_F of what rounding to the tuned file's dtype puts into dW; None where nothing was
            merged.
    """

    sigma: Floats
    frobenius: float
    relative_norm: float
    effective_rank: float | None
    stable_rank: float | None
    energy_ranks: tuple[int, int, int] | None
    adapter_rank: int | None
    rounding_floor: float | None


@dataclass(frozen=True, eq=False, slots=True)
class MatrixResult:
    """Everything a view may ask of one analysed matrix pair.

    Attributes:
        shape: (m, n), out x in.
        unchanged: dW is exactly zero; the arrays are then empty.
        sigma_base: [q] float32, descending; empty where not computed.
        sigma_tuned: [l or more] float32, descending.
        left, right: similarity of the U and of the V side.
        weight_cosine: <W0, W1> / (norm_F(W0) norm_F(W1)); None where a norm is 0.
        tier, device: which method answered, and where ("cpu", "cuda:0 NVIDIA H200").
        notes: what the reader must know, a sentence each.
    """

    shape: tuple[int, int]
    unchanged: bool
    sigma_base: Floats
    sigma_tuned: Floats
    left: Similarity
    right: Similarity
    update: Update
    weight_cosine: float | None
    tier: Tier
    device: str
    notes: tuple[str, ...] = ()

    def side(self, side: Side) -> Similarity:
        """The similarity on one side."""
        return self.left if side is Side.LEFT else self.right

    def summary(self) -> Summary:
        """The part that badges, counts and sweeps need."""
        return Summary(
            self.unchanged,
            self.left,
            self.right,
            self.tier,
            self.update.relative_norm,
            self.weight_cosine,
        )


@dataclass(frozen=True, eq=False, slots=True)
class Summary:
    """The light part of a result: bounds of both sides (blocks may be empty), enough for any count.

    `relative_norm` is that of `Update`, `weight_cosine` that of the result; None where it is not known.
    """

    unchanged: bool
    left: Similarity
    right: Similarity
    tier: Tier
    relative_norm: float | None = None
    weight_cosine: float | None = None

    def side(self, side: Side) -> Similarity:
        """The similarity on one side."""
        return self.left if side is Side.LEFT else self.right

    def ranked(self, definition: Definition, *verdicts: Verdict) -> list[int]:
        """Ranks j < k of the tuned vectors with one of these verdicts."""
        found = self.side(definition.side).verdicts(definition)
        return [j for j, verdict in enumerate(found) if verdict in verdicts]

    def intruders(self, definition: Definition) -> list[int]:
        """Ranks j < k of the tuned vectors that are certainly intruders."""
        return self.ranked(definition, Verdict.INTRUDER)

    def open(self, definition: Definition) -> list[int]:
        """Ranks j < k of the tuned vectors that are neither certainly intruders nor certainly none."""
        found = self.side(definition.side).verdicts(definition)
        return [j for j, verdict in enumerate(found) if verdict.open]

    def undecided(self, definition: Definition) -> list[int]:
        """Ranks j < k of which only an interval is known, and eps lies inside it."""
        return self.ranked(definition, Verdict.UNDECIDED)
