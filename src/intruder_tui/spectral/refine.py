"""When eigenvectors of a Gram matrix are not good enough, and what is better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from intruder_tui.spectral.conditioning import angles
from intruder_tui.spectral.factors import Factors, factorise_directly
from intruder_tui.spectral.matrices import Matrix
from intruder_tui.spectral.values import Matches

LEADING = 128
"""How many of the highest-ranking vectors are looked after: as many as the block of cosines shows."""
DOUBT = 1e-6
"""A best match whose rounding is larger than this may be shown, or judged, wrongly."""
GAIN = 2.0
"""What a factorisation without squaring has to gain to be worth its several-fold time."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Which of the two factorisations leaves a leading match in doubt that a better one would not."""

    base: bool
    tuned: bool


def unsettled(base: Factors, tuned: Factors, *sides: Matches) -> Unsettled:
    """Look for leading matches whose rounding shows, and for whose vectors it comes from."""
    ours, theirs = _improvable(base, spans=True), _improvable(tuned, spans=False)
    doubtful_base = doubtful_tuned = False
    for side in sides:
        wide = (side.most - side.least)[:LEADING] > DOUBT
        index = side.index[: len(wide)]
        doubtful_tuned |= bool((wide & theirs[: len(wide)]).any())
        doubtful_base |= bool(ours[index[wide & (index >= 0)]].any())
    return Unsettled(doubtful_base, doubtful_tuned)


def refined(matrix: Matrix, factors: Factors) -> Factors:
    """The same factors without squaring; the old ones where that decomposition fails."""
    try:
        found = factorise_directly(matrix)
    except RuntimeError:  # no convergence, or no memory
        return factors
    return replace(found, notes=factors.notes)


def _improvable(factors: Factors, *, spans: bool) -> torch.Tensor:
    """Whether each vector's rounding shows and would shrink without squaring: [rank] bool."""
    now = angles(factors, spans=spans)
    without = angles(replace(factors, tier="float64"), spans=spans)
    return (now > DOUBT / 2) & (GAIN * without < now)
