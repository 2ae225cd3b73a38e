"""Verdicts on the 36 linear weights of all-MiniLM-L6-v2, with two updates planted in each."""

from __future__ import annotations

from collections import Counter
from itertools import cycle

import pytest
from tests.support.real_weights import KINDS, linear_weights, tally


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_verdict_on_real_weights_is_wrong() -> None:
    """Each pair at one eps; `python -m tests.benchmarks.bench_verdicts` tries four updates at every eps.

    At 0.3 a certificate may take seconds: it is left to that.
    """
    weights = linear_weights()
    assert len(weights) == 36
    kinds, aims = cycle([KINDS[:2], KINDS[2:]]), cycle([(0.5,), (0.7,), (0.5,)])
    count = sum(tally(weights.values(), kinds, aims), Counter())
    assert count["verdicts"] == 36 * 2 * 2 * 10
    assert count["wrong"] == count["missed"] == 0
    assert count["open"] <= 0.02 * count["verdicts"]
