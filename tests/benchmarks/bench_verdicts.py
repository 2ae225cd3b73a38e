"""Verdicts of the certificate against float64 SVDs, counted: `python -m tests.benchmarks.bench_verdicts`.

The 36 linear weights of all-MiniLM-L6-v2, four planted updates each, at eps 0.3, 0.5 and 0.7, k = 10, both
sides: 8,640 verdicts, counted for each eps and together. Exit code 1 where one is wrong or an interval does
not hold its value.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import repeat
from time import perf_counter

from tests.support.real_weights import KINDS, THRESHOLDS, linear_weights, tally


def main() -> None:
    """Count, and print the sums."""
    start = perf_counter()
    weights = linear_weights().values()
    count: Counter[str] = sum(tally(weights, repeat(KINDS), repeat(THRESHOLDS)), Counter())
    for where in [f" at {eps}" for eps in THRESHOLDS] + [""]:
        verdicts, left = count[f"verdicts{where}"], count[f"open{where}"]
        print(
            f"{where.strip() or 'in all'}: {verdicts} verdicts, {count[f'wrong{where}']} wrong, {left} "
            f"({left / verdicts:.2%}) left to the exact tier; {count[f'missed{where}']} intervals miss the "
            f"float64 value"
        )
    print(f"{perf_counter() - start:.0f} s")
    sys.exit(1 if count["wrong"] or count["missed"] else 0)


if __name__ == "__main__":
    main()
