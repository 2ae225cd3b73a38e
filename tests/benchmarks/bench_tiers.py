"""All tiers against the peers' method: `python -m tests.benchmarks.bench_tiers [--sizes 768 4096x11008 ...]`.

The peers' method is two `torch.linalg.svd(W.float(), full_matrices=False)` and the product of the left
vectors: one side. Ratios are its time over ours, in one process with the same threads; each time is the
median of several calls after one that warms up, and a method whose call takes long is called fewer times.
Pairs are a base with a heavy head on a bulk, as trained weights have, and a rank-16 update, merged but where
LoRA is said. The table is printed in Markdown. On a machine that others use, `--cpu` counts the processor's
seconds for this process instead of the clock's.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import TypeVar

import torch
from torch import Tensor

from intruder_tui.spectral import (
    BaseCoordinates,
    Comparison,
    LowRank,
    compare_certified,
    compare_exact,
    compare_with_factors,
    factorise_base,
)

SIZES = ("768", "768x3072", "3072x768", "2048")
K, EPS = 10, 0.5
REPEATS, ENOUGH = 5, 10.0
"""Calls of each method, and the seconds after which no further call is made."""
T = TypeVar("T")


def make_pair(m: int, n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, LowRank]:
    """A base weight ([m, n]) and a rank-16 update of a few percent of its norm that reaches the top 10."""
    generator = torch.Generator().manual_seed(m * 31 + n)
    head = 2.2 + 4 * torch.arange(1, 41) ** -0.8
    left = torch.linalg.qr(torch.randn(m, 40, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(n, 40, generator=generator)).Q
    base = torch.empty(m, n, dtype=dtype)
    for top in range(0, m, 512):
        rows = torch.randn(min(512, m - top), n, generator=generator).div_(max(m, n) ** 0.5)
        base[top : top + 512] = rows.addmm_(left[top : top + 512] * head, right.T).to(dtype)
    b = torch.randn(m, 16, generator=generator) / m**0.5
    a = torch.randn(16, n, generator=generator) / n**0.5
    return base, LowRank(a, b, 3.0)


def peers(base: Tensor, tuned: Tensor) -> Tensor:
    """Best match of every left vector by two SVDs and a product."""
    u0 = torch.linalg.svd(base.float(), full_matrices=False)[0]
    u1 = torch.linalg.svd(tuned.float(), full_matrices=False)[0]
    return (u0.T @ u1).abs().amax(0)


class Stopwatch:
    """Times calls by one clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def once(self, work: Callable[[], T]) -> tuple[float, T]:
        """Seconds of one call, and what it gave."""
        start = self._clock()
        result = work()
        return self._clock() - start, result

    def __call__(self, work: Callable[[], T]) -> tuple[float, T]:
        """Median seconds of some calls after a first one, and what the last one gave."""
        spent, result = self.once(work)
        times = [spent] if spent > ENOUGH else []
        while len(times) < REPEATS and spent < ENOUGH:
            seconds, result = self.once(work)
            times.append(seconds)
            spent += seconds
        return median(times), result


def disagreements(best: Tensor, found: Comparison) -> str:
    """Wrong and open verdicts of the left side against float32 values that are not at eps itself."""
    count = len(found.left.lower)
    clear = (best[:count].double() - EPS).abs() > 1e-4
    intruder, matched = found.left.most < EPS, found.left.least >= EPS
    truth = best[:count] < EPS
    wrong = int(((intruder & ~truth | matched & truth) & clear).sum())
    return f"{wrong} / {int((~intruder & ~matched).sum())}"


def shown(seconds: float) -> str:
    """Three digits."""
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def measure(m: int, n: int, timed: Stopwatch, exact: bool) -> list[str]:
    """One row of the table."""
    base, update = make_pair(m, n)
    tuned = base + update.scaling * update.b @ update.a

    def certificate(pair: Tensor | LowRank, right: bool) -> Comparison:
        return compare_certified(base, pair, k=K, eps=EPS, right=right, escalate=False, small=0)

    naive, best = timed(lambda: peers(base, tuned))

    def cell(seconds: float) -> str:
        return f"{shown(seconds)}, {naive / seconds:.1f} x"

    one, found = timed(lambda: certificate(tuned, False))
    both, _ = timed(lambda: certificate(tuned, True))
    lora, _ = timed(lambda: certificate(update, False))
    cold, factors = timed.once(lambda: factorise_base(base))
    left, _ = timed(lambda: compare_with_factors(factors, base, tuned, k=K, right=False))
    cached, rows = timed(lambda: compare_with_factors(factors, base, tuned, k=K))
    ready, coordinates = timed(lambda: BaseCoordinates(factors, base, update))
    slider, _ = timed(lambda: coordinates.at(2.5, k=K))
    full = timed(lambda: compare_exact(base, tuned, limit=K))[0] if exact else None
    return [
        f"{m} x {n}",
        shown(naive),
        cell(one),
        cell(both),
        cell(lora),
        disagreements(best, found),
        cell(left),
        cell(cached),
        disagreements(best, rows),
        shown(ready),
        cell(slider),
        shown(cold),
        "" if full is None else cell(full),
    ]


HEADS = (
    "shape",
    "two SVDs",
    "certificate, U",
    "U and V",
    "U, from LoRA",
    "wrong / open",
    "cached base, U",
    "U and V",
    "wrong / open",
    "LoRA in base coordinates: once",
    "a scaling",
    "factors, once",
    "exact, U and V",
)


def main() -> None:
    """Measure and print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="such as 768 or 4096x11008 (out x in)")
    parser.add_argument("--exact", action="store_true", help="time the exact tier as well")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cpu", action="store_true", help="count processor seconds, all threads together")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    timed = Stopwatch(process_time if args.cpu else perf_counter)
    kind = "processor seconds" if args.cpu else "wall clock"
    print(f"k {K}, eps {EPS}, {args.threads} thread(s), torch {torch.__version__}, {kind}")
    print(f"load {os.getloadavg()}\n")
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}", flush=True)
    for size in args.sizes:
        m, n = (int(d) for d in (size.split("x") * 2)[:2])
        print(f"| {' | '.join(measure(m, n, timed, args.exact))} |", flush=True)
    print(f"\nload at the end {os.getloadavg()}; open: left to the exact tier, or within rounding of eps")


if __name__ == "__main__":
    main()
