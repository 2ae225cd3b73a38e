"""Ticks: few, round, within the axis."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.views.ticks import decades, label, ticks


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12), st.booleans())
def test_ticks_lie_within_evenly_and_are_few(low: float, span: float, most: int, whole: bool) -> None:
    found = ticks(low, low + span, most, whole=whole)
    assert len(found) <= most
    slack = 1e-6 * max(1.0, abs(low) + span)
    if len(found) > 1:
        assert low - slack <= found[0]
        assert found[-1] <= low + span + slack
        steps = np.diff(found)
        assert np.allclose(steps, steps[0])
        digits = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
        assert min(abs(digits - d) for d in (1, 2, 5, 10)) < 1e-3
        assert not whole or all(value == round(value) for value in found)


def test_known_axes() -> None:
    assert ticks(0, 1, 6) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(0, 3, 6, whole=True) == [0, 1, 2, 3]
    assert ticks(5, 5) == [5]
    assert decades(0.02, 300) == [0.1, 1, 10, 100]
    assert [label(value) for value in (0.0, 0.25, 1000.0, 2e6)] == ["0", "0.25", "1000", "2e+06"]
