"""The definition of an intruder dimension in force: side, k and eps.

They are settings of a view, never of a computation: every result holds what any of them needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LARGEST_K = 100_000


class Side(StrEnum):
    """Which singular vectors are compared."""

    LEFT = "U"
    """Left vectors: the output space (the paper's choice)."""
    RIGHT = "V"
    """Right vectors: the input space."""


class Verdict(StrEnum):
    """What is known of one tuned singular vector. Only an intruder is counted; the last three are named."""

    INTRUDER = "intruder"
    """best(j) < eps, beyond any rounding, and so is the overlap with every cluster of tied base vectors."""
    MATCHED = "matched"
    """best(j) >= eps, beyond any rounding."""
    CLUSTERED = "clustered"
    """best(j) may fall below eps, but the overlap with the span of a cluster of tied base vectors does not.

    Single cosines are ill-defined there: the direction is the base's own, spread over vectors whose choice
    within the span is arbitrary.
    """
    BORDERLINE = "borderline"
    """best(j) is known, and eps lies within its numerical error."""
    UNDECIDED = "undecided"
    """Only an interval is known so far, and eps lies inside it."""

    @property
    def open(self) -> bool:
        """Whether it is neither certainly an intruder nor certainly none."""
        return self not in (Verdict.INTRUDER, Verdict.MATCHED)


@dataclass(frozen=True, slots=True)
class Definition:
    """Tuned vector j < k is an intruder when best(j) < eps (strict); the defaults are the paper's.

    Raises:
        ValueError: k outside 1..100000, or eps outside 0..1.
    """

    side: Side = Side.LEFT
    k: int = 10
    eps: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.k <= LARGEST_K:
            raise ValueError(f"k is {self.k}; it must lie between 1 and {LARGEST_K}")
        if not 0.0 <= self.eps <= 1.0:
            raise ValueError(f"eps is {self.eps}; it must lie between 0 and 1")
