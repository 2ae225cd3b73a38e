"""All tiers against the peers' method: `python tests/benchmarks/bench_tiers.py [--full] [--threads N]`.

The peers' method is two `torch.linalg.svd(W.float(), full_matrices=False)` and the product of the left
vectors: one side. Ratios are times of that over ours, in one process with the same threads. Pairs are a base
with a heavy head on a bulk, as trained weights have, and a rank-16 update, merged but where LoRA is said.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table
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

SHAPES = ((768, 768), (768, 3072), (3072, 768), (2048, 2048))
MORE = ((4096, 4096), (4096, 11008), (11008, 4096))
K, EPS = 10, 0.5
T = TypeVar("T")


def make_pair(m: int, n: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, LowRank]:
    """A base weight ([m, n]) and a rank-16 update of a few percent of its norm that reaches the top 10."""
    generator = torch.Generator().manual_seed(m * 31 + n)
    base = torch.randn(m, n, generator=generator).div_(max(m, n) ** 0.5)
    head = 2.2 + 4 * torch.arange(1, 41) ** -0.8
    left = torch.linalg.qr(torch.randn(m, 40, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(n, 40, generator=generator)).Q
    base.addmm_(left * head, right.T)
    b = torch.randn(m, 16, generator=generator) / m**0.5
    a = torch.randn(16, n, generator=generator) / n**0.5
    return base.to(dtype), LowRank(a, b, 3.0)


def peers(base: Tensor, tuned: Tensor) -> Tensor:
    """Best match of every left vector by two SVDs and a product."""
    u0 = torch.linalg.svd(base.float(), full_matrices=False)[0]
    u1 = torch.linalg.svd(tuned.float(), full_matrices=False)[0]
    return (u0.T @ u1).abs().amax(0)


def timed(work: Callable[[], T], repeats: int = 1) -> tuple[float, T]:
    """Least seconds of some calls, and what the last one gave."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = work()
        times.append(perf_counter() - start)
    return min(times), result


def disagreements(best: Tensor, found: Comparison) -> str:
    """Wrong and open verdicts of the left side against float32 values that are not at eps itself."""
    count = len(found.left.lower)
    clear = (best[:count].double() - EPS).abs() > 1e-4
    intruder, matched = found.left.upper < EPS, found.left.lower >= EPS
    truth = best[:count] < EPS
    wrong = int(((intruder & ~truth | matched & truth) & clear).sum())
    return f"{wrong} / {int((~intruder & ~matched).sum())}"


def measure(m: int, n: int, table: Table) -> None:
    """One row of the table."""
    base, update = make_pair(m, n)
    tuned = base + update.scaling * update.b @ update.a
    repeats = 3 if m * n <= 1 << 22 else 1
    naive, best = timed(lambda: peers(base, tuned))

    def certificate(pair: Tensor | LowRank, right: bool) -> Comparison:
        return compare_certified(base, pair, k=K, eps=EPS, right=right, escalate=False)

    one, found = timed(lambda: certificate(tuned, False), repeats)
    lora, _ = timed(lambda: certificate(update, False), repeats)
    both, _ = timed(lambda: certificate(tuned, True), repeats)
    cold, factors = timed(lambda: factorise_base(base))
    cached, rows = timed(lambda: compare_with_factors(factors, base, tuned, k=K), repeats)
    coordinates = BaseCoordinates(factors, base, update)
    slider, _ = timed(lambda: coordinates.at(2.5, k=K), repeats)
    table.add_row(
        f"{m} x {n}",
        f"{naive:.2f} s",
        f"{one:.3f} s",
        f"{naive / one:.1f} x",
        f"{naive / lora:.1f} x",
        f"{naive / both:.1f} x",
        disagreements(best, found),
        f"{cached:.3f} s",
        f"{naive / cached:.1f} x",
        disagreements(best, rows),
        f"{slider * 1e3:.0f} ms",
        f"{naive / slider:.0f} x",
        f"{cold:.1f} s",
    )


def peak(m: int, n: int, tier: str) -> None:
    """Peak memory of one bfloat16 pair; run in a process of its own."""
    base, update = make_pair(m, n, torch.bfloat16)
    tuned = base.clone()
    for rows in range(0, m, 512):
        part = slice(rows, rows + 512)
        tuned[part] = base[part].float().addmm_(update.b[part] * update.scaling, update.a).bfloat16()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if tier == "exact":
        compare_exact(base, tuned, limit=256)
    else:
        compare_certified(base, tuned, k=K, eps=EPS, escalate=False, right=tier == "certificate")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{m} x {n}: peak {after / 2**20:.2f} GB ({before / 2**20:.2f} GB before the comparison)")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="4096 x 4096 and larger as well (minutes)")
    parser.add_argument("--shapes", nargs="*", help="other shapes, such as 1024x1024")
    parser.add_argument("--threads", type=int, default=1)
    tiers = ["certificate-u", "certificate", "exact"]
    parser.add_argument("--peak", choices=tiers, help="memory alone, at the first of --shapes")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    shapes = [tuple(int(d) for d in s.split("x")) for s in args.shapes or []]
    if args.peak:
        peak(*(shapes or [(8192, 28672)])[0], args.peak)
        return
    title = f"k {K}, eps {EPS}, {args.threads} thread(s), torch {torch.__version__}"
    table = Table(title=title, caption="open: verdicts left to the exact tier")
    for heading in (
        "shape",
        "two SVDs",
        "certificate, U",
        "ratio",
        "from LoRA",
        "U and V",
        "wrong / open",
        "cached base",
        "ratio",
        "wrong / open",
        "LoRA scaling",
        "ratio",
        "factors, once",
    ):
        table.add_column(heading, justify="right")
    console = Console()
    for m, n in shapes or [*SHAPES, *(MORE if args.full else ())]:
        measure(m, n, table)
        console.print(f"{m} x {n} done")
    console.print(table)


if __name__ == "__main__":
    main()
