"""What an engine is given: a job or a study, small frozen values that say what to compute of which pair."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.definition import Side
from intruder_tui.studies.answers import StudyKind


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


@dataclass(frozen=True, slots=True)
class Study:
    """A further answer about one matrix pair; hashable, picklable. `side` is set where one side is asked for.

    Raises:
        ValueError: cosines without a side, or another kind with one.
    """

    pair: MatrixPair
    kind: StudyKind
    side: Side | None = None

    def __post_init__(self) -> None:
        if (self.kind is StudyKind.COSINES) != (self.side is not None):
            raise ValueError(f"{self.kind}: side is {self.side}")

    @property
    def name(self) -> str:
        """The matrix's name, for people."""
        return self.pair.name


Work = Job | Study
"""Whatever stands in an engine's queue."""
