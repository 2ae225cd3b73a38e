"""Peak memory of a tier on one bfloat16 pair: `python -m tests.benchmarks.bench_memory [--sizes 8192x28672]`.

"certificate" is the tier without a factorisation, "factors" the exact rows of the top k from the base's
factors and the making of these, "exact" every value of both sides.

Each case runs in a process of its own. What is told is the largest resident size while the comparison runs,
less the process before it held any weight: both weights count, the interpreter and torch do not (Linux).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import torch
from tests.benchmarks.bench_tiers import EPS, K, make_pair

from intruder_tui.spectral import compare_certified, compare_exact, compare_with_factors, factorise_base

TIERS = ("certificate", "factors", "exact")


def resident(what: str) -> int:
    """A size from /proc in bytes: VmRSS, or VmHWM for the largest since the last reset."""
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith(what))


def measure(m: int, n: int, tier: str, threads: int) -> None:
    """Print one line of the table."""
    torch.set_num_threads(threads)
    small, update = make_pair(64, 96, torch.bfloat16)
    compare_exact(small, update)
    compare_certified(small, update, small=0, escalate=False)
    compare_with_factors(factorise_base(small), small, update)
    before = resident("VmRSS")
    base, update = make_pair(m, n, torch.bfloat16)
    tuned = base.clone()
    for top in range(0, m, 512):
        part = slice(top, top + 512)
        tuned[part] = base[part].float().addmm_(update.b[part] * update.scaling, update.a).bfloat16()
    weights = resident("VmRSS") - before
    Path("/proc/self/clear_refs").write_text("5")
    start = perf_counter()
    if tier == "exact":
        compare_exact(base, tuned)
    elif tier == "factors":
        compare_with_factors(factorise_base(base), base, tuned, k=K)
    else:
        compare_certified(base, tuned, k=K, eps=EPS, escalate=False)
    seconds = perf_counter() - start
    peak = resident("VmHWM") - before
    print(
        f"| {m} x {n} | {tier} | {weights / 1e9:.2f} GB | {peak / 1e9:.2f} GB | {seconds:.0f} s |", flush=True
    )


def main() -> None:
    """Start a process per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["8192x28672"], help="out x in")
    parser.add_argument("--tiers", nargs="+", choices=TIERS, default=["certificate"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="measure the first case in this process")
    args = parser.parse_args()
    if args.here:
        m, n = (int(d) for d in args.sizes[0].split("x"))
        measure(m, n, args.tiers[0], args.threads)
        return
    print(
        "| shape, bfloat16 | tier, U and V | both weights | peak | time |\n|---|---|---|---|---|", flush=True
    )
    for size in args.sizes:
        for tier in args.tiers:
            command = [sys.executable, "-m", "tests.benchmarks.bench_memory", "--here", "--sizes", size]
            subprocess.run([*command, "--tiers", tier, "--threads", str(args.threads)], check=True)


if __name__ == "__main__":
    main()
