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
    """What is known of one tuned singular vector."""

    INTRUDER = "intruder"
    """best(j) < eps."""
    MATCHED = "matched"
    """best(j) >= eps."""
    UNDECIDED = "undecided"
    """Only an interval is known, and eps lies inside it."""


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
