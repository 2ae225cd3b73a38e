"""What is known of every examined tuned vector: its match, its verdict, what it is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypedDict

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.floors import floor_of
from intruder_tui.results import MatrixResult, Similarity

MIXING = 0.5
"""An intruder with more than this share of its energy near its own rank is marked as perhaps mixed."""
BOUND = "bound"
"""The tier of what is only known to lie in an interval."""


@dataclass(frozen=True, slots=True)
class IntruderRow:
    """What is known of tuned vector j.

    Attributes:
        j: its rank.
        sigma: its singular value in W1.
        lower, upper: bounds of best(j), equal where it is a value.
        match: argbest(j), the base vector it matches best; None where unknown.
        sigma_match: that vector's singular value in W0; None where unknown.
        shift: argbest(j) - j, how far down the base its best match lies; None where unknown.
        verdict: at the definition's eps.
        floor: best(j) of a random direction.
        update_share: share of its energy in dW's column (row) space; None where unknown or without meaning.
        window_share: share of its energy within the base vectors of nearly its own rank; None where unknown.
        tier: how best(j) was had: the name of a method that gives values, or "bound".
        participation: how many base vectors it is effectively made of; None where unknown.
        cluster: (how many tied base vectors, its overlap with their span); None where no cluster does better
            than the best single vector.
    """

    j: int
    sigma: float
    lower: float
    upper: float
    match: int | None
    sigma_match: float | None
    shift: int | None
    verdict: Verdict
    floor: float
    tier: str
    update_share: float | None = None
    window_share: float | None = None
    participation: float | None = None
    cluster: tuple[int, float] | None = None

    @property
    def mixing(self) -> bool:
        """Whether it may be neighbours mixed among themselves rather than a new direction: an inference."""
        return (
            self.verdict is Verdict.INTRUDER and self.window_share is not None and self.window_share > MIXING
        )

    @property
    def words(self) -> str:
        """The verdict, and the doubt where there is one."""
        return f"{self.verdict.value}, mixing?" if self.mixing else self.verdict.value


def intruder_rows(result: MatrixResult, definition: Definition, most: int | None = None) -> list[IntruderRow]:
    """Rows for j < min(k, stored limit, most), in order of rank; `most` None takes all."""
    similarity = result.side(definition.side)
    floor = floor_of(result.shape, definition.side)
    rows = []
    for j, verdict in enumerate(similarity.verdicts(definition)[:most]):
        match = int(similarity.index[j]) if similarity.index[j] >= 0 else None
        known = match is not None and match < len(result.sigma_base)
        rows.append(
            IntruderRow(
                j=j,
                sigma=float(result.sigma_tuned[j]),
                lower=float(similarity.lower[j]),
                upper=float(similarity.upper[j]),
                match=match,
                sigma_match=float(result.sigma_base[match]) if match is not None and known else None,
                shift=None if match is None else match - j,
                verdict=verdict,
                floor=floor,
                tier=result.tier.value if similarity.exact(j) else BOUND,
                **_made_of(similarity, j),
            )
        )
    return rows


class _MadeOf(TypedDict, total=False):
    update_share: float | None
    window_share: float | None
    participation: float | None
    cluster: tuple[int, float] | None


def _made_of(similarity: Similarity, j: int) -> _MadeOf:
    """What lies behind vector j's match; nothing where only bounds are known."""
    traits = similarity.traits
    if traits is None:
        return {}
    share, size = float(traits.update_share[j]), int(traits.cluster_size[j])
    return {
        "update_share": None if math.isnan(share) else share,
        "window_share": float(traits.window_share[j]),
        "participation": float(traits.participation[j]),
        "cluster": (size, float(similarity.overlap[j])) if size > 1 else None,
    }
