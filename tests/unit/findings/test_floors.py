"""The random-direction floor, against drawing random directions."""

from __future__ import annotations

import numpy as np
import pytest

from intruder_tui.definition import Side
from intruder_tui.findings.floors import floor_of, random_floor


@pytest.mark.parametrize(("dimension", "vectors"), [(64, 64), (768, 768), (512, 64)])
def test_floor_agrees_with_random_directions(dimension: int, vectors: int) -> None:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((400, dimension))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    drawn = np.abs(directions[:, :vectors]).max(1).mean()
    assert random_floor(dimension, vectors) == pytest.approx(drawn, rel=0.04)


def test_each_side_has_its_own_dimension() -> None:
    assert floor_of((1024, 256), Side.LEFT) == random_floor(1024, 256)
    assert floor_of((1024, 256), Side.RIGHT) == random_floor(256, 256)


def test_one_dimension_has_floor_one() -> None:
    assert random_floor(1, 1) <= 1
