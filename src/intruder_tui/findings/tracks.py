"""Intruders followed across the checkpoints of a run: rank, singular value and best cosine (Fig. 7).

A vector of one step continues as the nearest vector of the next step that has vectors, if it is the nearest
to that one as well and their |cos|, the link, is a half or more. Where there is none, the direction has left
the kept vectors or has turned too far between the two steps, and the track ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.definition import Definition, Side, Verdict
from intruder_tui.results import Similarity
from intruder_tui.studies.answers import TunedVectors

LINK = 0.5
"""The least |cos| of a link."""

Chain = dict[int, tuple[int, float]]
"""Place among the steps -> (rank there, |cos| with the vector of the step before; 1 at the start)."""


@dataclass(frozen=True, eq=False, slots=True)
class FollowedStep:
    """What is known of one matrix at one step.

    Attributes:
        label, step: the checkpoint's name and training step; None where nothing says it.
        vectors: its top tuned vectors; None where they were not computed.
        similarity: bounds of best(j) on the side in force; None while not analysed.
        note: why the vectors are missing, or how far they are; may be empty.
    """

    label: str
    step: int | None
    vectors: TunedVectors | None
    similarity: Similarity | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A followed vector at one step: rank, singular value, link to the step before, bounds of best(j).

    `intruder` where it certainly is one under the definition in force.
    """

    j: int
    sigma: float
    link: float
    lower: float | None
    upper: float | None
    intruder: bool


@dataclass(frozen=True, slots=True)
class Track:
    """One direction over the steps, in their order; None where it is not among the kept vectors."""

    points: tuple[Point | None, ...]

    @property
    def lowest(self) -> float:
        """The lowest upper bound of its best cosine at any step; infinite where none is known."""
        known = [p.upper for p in self.points if p is not None and p.upper is not None]
        return min(known, default=float("inf"))

    @property
    def last(self) -> Point:
        """Where it was seen last."""
        return next(point for point in reversed(self.points) if point is not None)


def chains(vectors: Sequence[TunedVectors | None], side: Side) -> list[Chain]:
    """Every direction of the given steps, followed through those that have vectors."""
    found: list[Chain] = []
    before: tuple[TunedVectors, dict[int, Chain]] | None = None
    for place, one in enumerate(vectors):
        if one is None:
            continue
        here: dict[int, Chain] = {}
        if before is not None:
            links = before[0].links(one, side)
            for j, chain in before[1].items():
                to = int(links[j].argmax()) if links.shape[1] else 0
                if links.shape[1] and links[j, to] >= LINK and int(links[:, to].argmax()) == j:
                    chain[place] = (to, float(links[j, to]))
                    here[to] = chain
        for j in range(len(one.sigma)):
            if j not in here:
                here[j] = {place: (j, 1.0)}
                found.append(here[j])
        before = (one, here)
    return found


def tracks(steps: Sequence[FollowedStep], definition: Definition) -> list[Track]:
    """The directions that are certain intruders, j < k, at one step or more; the most foreign first."""
    found = []
    for chain in chains([step.vectors for step in steps], definition.side):
        points = [
            _point(step, *chain[place], definition) if place in chain else None
            for place, step in enumerate(steps)
        ]
        if any(point is not None and point.intruder for point in points):
            found.append(Track(tuple(points)))
    return sorted(found, key=lambda track: track.lowest)


def _point(step: FollowedStep, j: int, link: float, definition: Definition) -> Point:
    assert step.vectors is not None
    sigma, side = float(step.vectors.sigma[j]), step.similarity
    if side is None or j >= len(side.lower):
        return Point(j, sigma, link, None, None, False)
    intruder = j < definition.k and side.verdict(j, definition.eps) is Verdict.INTRUDER
    return Point(j, sigma, link, float(side.lower[j]), float(side.upper[j]), intruder)
