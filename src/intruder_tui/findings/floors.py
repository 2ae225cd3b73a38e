"""Null bands: what best(j) would be if nothing were behind it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from intruder_tui.definition import Side


@lru_cache(maxsize=256)
def random_floor(dimension: int, vectors: int) -> float:
    """Expected max of |cos| between a random direction and `vectors` orthonormal ones in R^`dimension`.

    Each cosine is close to normal with variance 1 / dimension, so this is the expected largest of `vectors`
    absolute normals over sqrt(dimension): about 0.122 at 768, 0.060 at 4096. Never above 1.
    """
    step = 0.005
    inside = np.array([math.erf(x / math.sqrt(2)) for x in np.arange(step / 2, 12.0, step)])
    expected = step * float((1 - inside**vectors).sum())
    return min(1.0, expected / math.sqrt(dimension))


def floor_of(shape: tuple[int, int], side: Side) -> float:
    """The random-direction floor of a matrix [out, in] on one side."""
    return random_floor(shape[0] if side is Side.LEFT else shape[1], min(shape))
