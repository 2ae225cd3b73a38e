"""Our exact tier against the peers' method in one process: `python tests/benchmarks/bench_exact.py [--full]`.

The peers' method is two float32 SVDs and the product of the left vectors: one side, no spectrum of dW. Ours
answers both sides, all three spectra and the measures, in float64.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from intruder_tui.spectral import LowRank, compare_exact


def peers(base: Tensor, tuned: Tensor) -> Tensor:
    """Best match of every left vector by two SVDs and a product."""
    u0 = torch.linalg.svd(base.float(), full_matrices=False)[0]
    u1 = torch.linalg.svd(tuned.float(), full_matrices=False)[0]
    return (u0.T @ u1).abs().amax(0)


def timed(work: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="4096 x 4096 as well")
    parser.add_argument("--sizes", type=int, nargs="*", help="other sizes")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    table = Table(title=f"Exact tier, {args.threads} thread(s), torch {torch.__version__}")
    for heading in ("size", "two SVDs", "exact, merged", "ratio", "exact, LoRA", "ratio", "difference"):
        table.add_column(heading, justify="right")
    for size in args.sizes or [768, 2048, *([4096] if args.full else [])]:
        generator = torch.Generator().manual_seed(size)
        base = torch.randn(size, size, generator=generator) / size**0.5
        b = torch.randn(size, 16, generator=generator) / size**0.5
        a = torch.randn(16, size, generator=generator) / size**0.5
        tuned, update = base + 2.0 * b @ a, LowRank(a, b, 2.0)
        naive = timed(lambda: peers(base, tuned))  # noqa: B023
        merged = timed(lambda: compare_exact(base, tuned))  # noqa: B023
        factored = timed(lambda: compare_exact(base, update))  # noqa: B023
        ours = compare_exact(base, tuned, limit=10) if size <= 1024 else None
        gap = float((peers(base, tuned)[:10].double() - ours.left.lower).abs().max()) if ours else None
        table.add_row(
            str(size),
            f"{naive:.2f} s",
            f"{merged:.2f} s",
            f"{naive / merged:.2f} x",
            f"{factored:.2f} s",
            f"{naive / factored:.2f} x",
            "" if gap is None else f"{gap:.0e}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
