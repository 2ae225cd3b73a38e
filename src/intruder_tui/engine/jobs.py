"""A job: a small frozen value that says which matrix pair to analyse and how thoroughly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.checkpoint.pairs import MatrixPair


class Depth(StrEnum):
    """How far a job goes."""

    VERDICT = "verdict"
    """Certified bounds that decide the top k at eps, by the cheapest way."""
    EXACT = "exact"
    """Values for every vector up to the stored limit, whatever k and eps."""


@dataclass(frozen=True, slots=True)
class Job:
    """One matrix pair to analyse; hashable, picklable.

    `k` and `eps` are what a verdict has to decide (both sides at once); an exact one has 0: it holds for any.
    """

    pair: MatrixPair
    depth: Depth = Depth.EXACT
    k: int = 0
    eps: float = 0.0

    @classmethod
    def verdict(cls, pair: MatrixPair, k: int, eps: float) -> Job:
        """Decide the top k at eps."""
        return cls(pair, Depth.VERDICT, k, eps)

    @property
    def name(self) -> str:
        """The matrix's name, for people."""
        return self.pair.name

    @property
    def loosely(self) -> Job:
        """The verdict on the same pair that has to decide nothing in particular."""
        return Job(self.pair, Depth.VERDICT)

    @property
    def exactly(self) -> Job:
        """The exact job on the same pair."""
        return Job(self.pair)
