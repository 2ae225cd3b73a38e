"""A planted direction that grows over the steps of a run."""

from __future__ import annotations

from functools import cache

from tests.support.results import Matrix, analyse, base_weight, plant
from tests.support.studies import tuned_vectors

from intruder_tui.findings.tracks import FollowedStep

STRENGTHS = (0.35, 0.7, 1.0, 1.6)


@cache
def weights() -> tuple[Matrix, tuple[Matrix, ...]]:
    """The base, and the tuned weight of every step."""
    base = base_weight(160, 128)
    delta = plant(base, [1.0]) - base
    return base, tuple(base + strength * delta for strength in STRENGTHS)


@cache
def steps() -> tuple[FollowedStep, ...]:
    """One planted direction that grows over four steps."""
    base, tuned = weights()
    return tuple(
        FollowedStep(f"checkpoint-{n}", 100 * n, tuned_vectors(weight, 24), analyse(base, weight).left)
        for n, weight in enumerate(tuned, 1)
    )
