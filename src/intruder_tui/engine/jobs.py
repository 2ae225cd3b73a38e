"""A job: a small frozen value that says which matrix pair to analyse and how thoroughly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.checkpoint.pairs import MatrixPair


class Depth(StrEnum):
    """How far a job goes."""

    VERDICT = "verdict"
    """The cheapest certified answer."""
    EXACT = "exact"
    """Values for every vector up to the stored limit."""


@dataclass(frozen=True, slots=True)
class Job:
    """One matrix pair to analyse; hashable, picklable."""

    pair: MatrixPair
    depth: Depth = Depth.EXACT

    @property
    def name(self) -> str:
        """The matrix's name, for people."""
        return self.pair.name
