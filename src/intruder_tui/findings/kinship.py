"""Whether a tuned weight looks like a version of its base weight at all."""

from __future__ import annotations

import math
from enum import StrEnum

UNRELATED_BELOW = 0.3
"""Cosine of W0 and W1, as vectors, below which they are hardly versions of one weight."""

FEWEST = 3
"""Changed matrices that it takes to doubt the base of a whole checkpoint."""


class Kinship(StrEnum):
    """What the sizes of W0, W1 and dW say of the two weights."""

    VERSIONS = "versions of one weight"
    OUTGROWN = "the update is larger than the weight"
    """norm_F(dW) > norm_F(W0)."""
    UNRELATED = "unrelated, permuted or transposed"
    """Their cosine is below `UNRELATED_BELOW`, and W1 was not made from W0."""


def kinship(weight_cosine: float | None, relative_norm: float | None, *, built_on_base: bool) -> Kinship:
    """Judge a pair; `built_on_base` where an adapter makes W1 from W0 itself, so that they belong together.

    Args:
        weight_cosine: <W0, W1> / (norm_F(W0) norm_F(W1)); None where a norm is 0 or it is not known.
        relative_norm: norm_F(dW) / norm_F(W0); None where it is not known.
    """
    if weight_cosine is not None and weight_cosine < UNRELATED_BELOW and not built_on_base:
        return Kinship.UNRELATED
    if relative_norm is not None and math.isfinite(relative_norm) and relative_norm > 1:
        return Kinship.OUTGROWN
    return Kinship.VERSIONS
