"""Everything about one GPU in one call: `python -m tests.benchmarks.bench_gpu [--json FILE]`.

Sections, the most wanted first: a simulated scan of a 7B pair, base factors of all its shapes, the time of
the peers' method for it, small matrices one by one and together, the tiers with their agreement with float64,
the error of float32 products, memory at 8192 x 28672, read and copy rates, eigenvalue and SVD solvers by
size. What does not fit into the budget is left out, and a row says so; the time of a solver is foretold from
its last size before it is started.
`--device cpu --tiny` runs all of it at toy sizes, as a smoke test.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter

import torch
from tests.benchmarks.clock import Bench
from tests.benchmarks.hardware import CUBIC, make_pair, merge, precision, rates, solvers
from torch import Tensor

from intruder_tui.spectral import (
    BaseCoordinates,
    Comparison,
    compare_certified,
    compare_exact,
    compare_together,
    compare_with_factors,
    factorise_base,
)
from intruder_tui.spectral.factors import factorise_directly
from intruder_tui.spectral.matrices import Stored

K, EPS = 10, 0.5
LLAMA_7B = {(4096, 4096): 128, (11008, 4096): 64, (4096, 11008): 32}
LARGER = [(1024, 1024), (2048, 2048), (4096, 4096), (4096, 11008), (11008, 4096)]
SMALL_SHAPES = [(128, 896), (384, 384), (1536, 384), (512, 3584), (1024, 1024)]
BATCH = 16
TINY = {(96, 96): 2, (160, 96): 1, (96, 160): 1}
THREADS = (1, 4, 16)
"""Matrices in work at a time: their small eigenproblems are solved on as many CPU cores."""
SCAN = "7B scan, verdicts on U and V"


def naive(base: Tensor, tuned: Tensor) -> Tensor:
    """The peers' method: two SVDs and a product."""
    u0 = torch.linalg.svd(base.float(), full_matrices=False)[0]
    u1 = torch.linalg.svd(tuned.float(), full_matrices=False)[0]
    return (u0.T @ u1).abs().amax(0)


def certificate(bench: Bench, base: Tensor, tuned: Tensor, *, right: bool, seed: int = 0) -> Comparison:
    """Verdicts at the benchmark's k and eps; open ones stay open."""
    return compare_certified(base, tuned, k=K, eps=EPS, right=right, escalate=False, small=0, seed=seed)


def scan(bench: Bench) -> None:
    """A 7B pair's matrices, both sides; four distinct weights of each shape, in turn.

    The command `scan` takes one after another; several at a time, each in a thread with a stream of its own,
    are what more could be had.
    """
    work: list[tuple[Tensor, Tensor]] = []
    for (m, n), times in (TINY if bench.tiny else LLAMA_7B).items():
        made = [make_pair(m, n, bench.device, seed) for seed in range(4)]
        pool = [(base, merge(base, update)) for base, update in made]
        certificate(bench, *pool[0], right=True)
        work += [pool[number % 4] for number in range(times)]
    bench.wait()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for at_once in THREADS:
            if bench.room(f"scan, {at_once} at a time", 60.0):
                _scan(bench, work, at_once)
    finally:
        torch.set_num_threads(threads)


def _scan(bench: Bench, work: Sequence[tuple[Tensor, Tensor]], at_once: int) -> None:
    def verdict(number: int) -> Comparison:
        # Without a stream of its own a thread would wait for what the others gave to the device.
        stream = torch.cuda.Stream(bench.device) if bench.device.type == "cuda" else None
        with torch.cuda.stream(stream) if stream else nullcontext():
            return certificate(bench, *work[number], right=True, seed=number)

    with ThreadPoolExecutor(at_once) as pool:
        timed = bench.timed(lambda: list(pool.map(verdict, range(len(work)))), warm=0)
    sides = [side for found in timed.result for side in (found.left, found.right)]
    bench.record(
        SCAN,
        at_once=f"{at_once}, as scan does" if at_once == 1 else at_once,
        matrices=len(work),
        **timed.told(),
        intruders=sum(int((side.upper < EPS).sum()) for side in sides),
        open=sum(int(((side.upper >= EPS) & (side.lower < EPS)).sum()) for side in sides),
    )


def factors_of_7b(bench: Bench) -> None:
    """Base factors of all matrices, from one of each shape."""
    total = 0.0
    for (m, n), times in (TINY if bench.tiny else LLAMA_7B).items():
        base = make_pair(m, n, bench.device)[0]
        timed = bench.timed(lambda base=base: factorise_base(base))
        bench.record("base factors", shape=f"{m}x{n}", **timed.told(), matrices=times)
        total += timed.seconds * times
    bench.record("base factors", shape="all, from one of each shape", seconds=total)


def naive_of_7b(bench: Bench) -> None:
    """The peers' method on one pair of each shape, and what that makes for all of them."""
    total, complete, expected = 0.0, True, 40.0
    for (m, n), times in (TINY if bench.tiny else LLAMA_7B).items():
        if not bench.room(f"two SVDs {m}x{n}", expected, reserve=120.0):
            complete = False
            continue
        base, update = make_pair(m, n, bench.device)
        tuned = merge(base, update)
        timed = bench.timed(lambda base=base, tuned=tuned: naive(base, tuned), warm=0)
        bench.record("two SVDs, float32, default driver", shape=f"{m}x{n}", **timed.told(), matrices=times)
        total, expected = total + timed.seconds * times, 3 * timed.seconds
    if complete:
        what = "all, extrapolated from one of each shape"
        bench.record("two SVDs, float32, default driver", shape=what, seconds=total)


def small(bench: Bench) -> None:
    """Matrices that may go straight to the exact tier: one by one, and a batch of one shape at once."""
    for m, n in [(24, 40)] if bench.tiny else SMALL_SHAPES:
        pairs = []
        for seed in range(3 if bench.tiny else BATCH):
            base, update = make_pair(m, n, bench.device, seed)
            pairs.append((base, merge(base, update)))
        shown = {"shape": f"{m}x{n}", "matrices": len(pairs)}
        for way, work in (
            ("two SVDs", lambda pairs=pairs: [naive(*pair) for pair in pairs]),
            ("exact, one by one", lambda pairs=pairs: [compare_exact(*pair) for pair in pairs]),
            ("exact, together", lambda pairs=pairs: compare_together(pairs)),
            ("certificate", lambda pairs=pairs: [certificate(bench, *pair, right=True) for pair in pairs]),
        ):
            if bench.room(f"{way} {m}x{n}", 5.0):
                timed = bench.timed(work)
                bench.record("small matrices", **shown, way=way, each=timed.seconds / len(pairs))


def verdicts(found: Comparison, exact: Comparison) -> dict[str, int]:
    """Wrong and open verdicts, both sides, and intervals that miss the exact value."""
    wrong = open_ = missed = 0
    for ours, theirs in ((found.left, exact.left), (found.right, exact.right)):
        best = theirs.lower[: len(ours.lower)]
        intruder, matched = ours.upper < EPS, ours.lower >= EPS
        wrong += int((intruder & (best >= EPS) | matched & (best < EPS)).sum())
        open_ += int((~intruder & ~matched).sum())
        missed += int(((ours.lower > best + 1e-9) | (ours.upper < best - 1e-9)).sum())
    return {"wrong": wrong, "open": open_, "missed": missed}


def tiers(bench: Bench) -> None:
    """Each tier's time and its agreement with the exact one, by shape."""
    expected = 10.0
    for m, n in TINY if bench.tiny else LARGER:
        if bench.room(f"tiers {m}x{n}", expected, reserve=60.0):
            start = perf_counter()
            _tiers(bench, m, n)
            expected = CUBIC * (perf_counter() - start)


def _tiers(bench: Bench, m: int, n: int) -> None:
    base, update = make_pair(m, n, bench.device)
    tuned = merge(base, update)

    def row(tier: str, work: Callable[[], object], warm: int = 1) -> object:
        timed = bench.timed(work, warm)
        agreement = verdicts(timed.result, exact) if isinstance(timed.result, Comparison) else {}
        bench.record("tiers", shape=f"{m}x{n}", tier=tier, **timed.told(), **agreement)
        return timed.result

    first = bench.timed(lambda: compare_exact(base, tuned, limit=256), warm=0)
    exact = first.result
    bench.record("tiers", shape=f"{m}x{n}", tier=f"exact ({exact.tier})", **first.told())
    row("certificate, U and V", lambda: certificate(bench, base, tuned, right=True))
    bench.record(
        "tiers",
        shape=f"{m}x{n}",
        tier="certificate, U",
        **bench.timed(lambda: certificate(bench, base, tuned, right=False)).told(),
    )
    factors = factorise_base(base)
    row("with factors, U and V", lambda: compare_with_factors(factors, base, tuned, k=K))
    coordinates = BaseCoordinates(factors, base, update)
    row("LoRA at another scaling", lambda: coordinates.at(2.5, k=K))
    if max(m, n) <= 4096 and bench.room(f"float64 SVD {m}x{n}", first.seconds * 20, reserve=60.0):
        row("float64 SVD, one weight", lambda: factorise_directly(Stored(tuned)), warm=0)


def memory(bench: Bench) -> None:
    """What the tiers hold beside the two weights."""
    for m, n in TINY if bench.tiny else [(8192, 28672)]:
        base, update = make_pair(m, n, bench.device)
        tuned = merge(base, update)
        weights = 2 * base.numel() * base.element_size() / 1e9
        timed = bench.timed(lambda base=base, tuned=tuned: certificate(bench, base, tuned, right=True))
        shown = {"shape": f"{m}x{n}", "weights GB": weights}
        bench.record("memory beside the weights", **shown, tier="certificate", **timed.told())
        if bench.room(f"exact {m}x{n}", 40.0, reserve=30.0):
            timed = bench.timed(lambda base=base, tuned=tuned: compare_exact(base, tuned), warm=0)
            bench.record("memory beside the weights", **shown, tier=timed.result.tier, **timed.told())


SECTIONS = {
    "scan": scan,
    "factors": factors_of_7b,
    "naive": naive_of_7b,
    "small": small,
    "tiers": tiers,
    "precision": precision,
    "memory": memory,
    "rates": rates,
    "solvers": solvers,
}


def compared(bench: Bench) -> None:
    """The peers' total over each of ours, where both are known."""
    totals = [row["seconds"] for row in bench.rows if "extrapolated" in str(row.get("shape"))]
    for row in bench.rows:
        if totals and row["section"] == SCAN:
            ratio = float(str(totals[0])) / float(str(row["seconds"]))
            bench.record("two SVDs over the scan", at_once=row["at_once"], ratio=ratio)


def main(arguments: Sequence[str] | None = None) -> Bench:
    """Run every section that the budget has room for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="toy sizes: a smoke test")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds in all")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    parser.add_argument("--only", nargs="*", choices=SECTIONS, help="names of sections")
    args = parser.parse_args(arguments)
    device = torch.device(args.device)
    bench = Bench(device, args.budget, tiny=args.tiny)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    bench.record(
        "machine", device=name, torch=torch.__version__, cuda=str(torch.version.cuda), cores=os.cpu_count()
    )
    for title in args.only or SECTIONS:
        try:
            if bench.room(title, 10.0):
                SECTIONS[title](bench)
        except RuntimeError as error:
            bench.record("failed", what=title, error=str(error).splitlines()[0][:120])
        if device.type == "cuda":
            torch.cuda.empty_cache()
        if args.json:
            args.json.write_text(json.dumps(bench.rows, indent=1))
    compared(bench)
    bench.print_tables()
    return bench


if __name__ == "__main__":
    main()
