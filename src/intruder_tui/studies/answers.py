"""The small studies: other scalings of an adapter, and the tuned vectors themselves.

A `MatrixResult` answers for any side, k and eps. What else a person may ask costs more, or is larger, and is
had on demand: what another scaling of the adapter would lead to (`Scalings`), the tuned vectors themselves
(`TunedVectors`), the whole similarity matrix (`cosines.Cosines`). All are frozen and numpy only.

Notation as in `results`: W0 base and W1 tuned weight, m x n, [out, in], q = min(m, n); x_i and y_j are their
singular vectors, ranked by descending singular value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Definition, Side
from intruder_tui.results import Floats, Ints

Halves = NDArray[np.float16]


class StudyKind(StrEnum):
    """What is asked of a pair."""

    SCALINGS = "scalings"
    """What each scaling of a low-rank update leads to, both sides: a `Scalings`."""
    VECTORS = "vectors"
    """The top tuned singular vectors, both sides: a `TunedVectors`."""
    COSINES = "cosines"
    """|cos| of every base vector with every tuned vector, one side: a `cosines.Cosines`."""


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """One side of a `Scalings`: bounds of best(j) at g scalings for the l highest-ranking tuned vectors.

    Attributes:
        lower, upper: [g, l] float32, bounds of best(j).
        index: [g, l] int32, the i that attains the value between them; -1 where unknown.
        shares: [g, l, c] float32, energy of y_j in each component of dW: (p_c . y_j)^2 with
            dW = sum_c d_c p_c q_c^T its singular value decomposition, d_c descending (q_c on the V side).
    """

    lower: Floats
    upper: Floats
    index: Ints
    shares: Floats


@dataclass(frozen=True, eq=False, slots=True)
class Scalings:
    """W0 + t dW for a grid of multiples t of the update that the adapter makes.

    Which directions an adapter adds is fixed by the product B A alone, not by the rank index of B and A: for
    any invertible M, (B M)(M^-1 A) is the same update. Components are therefore those of dW's singular value
    decomposition, the one basis in which they are orthogonal on both sides.

    Attributes:
        multiples: [g] float64, ascending from 0; 1 is the adapter as it is.
        scaling: the adapter's own scaling, alpha / r or alpha / sqrt(r).
        adapter_rank: r; None where the update has no adapter's rank.
        sigma: [g, l] float32, singular values of W0 + t dW, descending.
        components: [c] float32, singular values d_c of dW as it is (t = 1), descending; the largest ones.
        left, right: bounds and shares on the U and on the V side.
    """

    multiples: NDArray[np.float64]
    scaling: float
    adapter_rank: int | None
    sigma: Floats
    components: Floats
    left: Spread
    right: Spread

    @property
    def limit(self) -> int:
        """How many tuned vectors are known at every scaling (l)."""
        return int(self.sigma.shape[1])

    @property
    def own(self) -> int:
        """The place of the adapter's own scaling in the grid."""
        return int(np.abs(self.multiples - 1.0).argmin())

    @property
    def scalings(self) -> NDArray[np.float64]:
        """[g], the scalings themselves: t times the adapter's own."""
        return self.multiples * self.scaling

    def side(self, side: Side) -> Spread:
        """Bounds and shares on one side."""
        return self.left if side is Side.LEFT else self.right

    def counts(self, definition: Definition) -> tuple[Ints, Ints]:
        """Intruders among the first min(k, l) vectors at each scaling: the certain ones, and with the open
        ones ([g] int32 each)."""
        spread, k = self.side(definition.side), min(definition.k, self.limit)
        certain = (spread.upper[:, :k] < definition.eps).sum(1)
        possible = (spread.lower[:, :k] < definition.eps).sum(1)
        return certain.astype(np.int32), possible.astype(np.int32)

    def intruders(self, at: int, definition: Definition) -> list[int]:
        """Ranks j < k of the vectors that are certainly intruders at grid place `at`."""
        upper = self.side(definition.side).upper[at, : definition.k]
        return [int(j) for j in np.flatnonzero(upper < definition.eps)]


@dataclass(frozen=True, eq=False, slots=True)
class TunedVectors:
    """The l highest-ranking singular vectors of W1.

    Attributes:
        sigma: [l] float32, descending.
        left: [m, l] float16, left singular vectors by columns; signs are arbitrary.
        right: [n, l] float16, right singular vectors.
        angles: [l] float32, bound in radians on how far the computed left or right vector of that rank (the
            worse of the two) is from the true one; pi / 2 where a tie leaves the vector open.
    """

    sigma: Floats
    left: Halves
    right: Halves
    angles: Floats

    def side(self, side: Side) -> Halves:
        """The vectors of one side, by columns."""
        return self.left if side is Side.LEFT else self.right

    def links(self, other: TunedVectors, side: Side) -> Floats:
        """|cos| of each vector here with each vector of another checkpoint's: [l, l of other] float32."""
        ours, theirs = (one.side(side).astype(np.float32) for one in (self, other))
        cosines: Floats = np.minimum(np.abs(ours.T @ theirs), np.float32(1.0))
        return cosines
