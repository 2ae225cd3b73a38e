"""Everything about one GPU in one call: `python tests/benchmarks/bench_gpu.py [--json FILE]`.

Sections, the most wanted first, each skipped once the budget is spent: a simulated scan of a 7B pair, the
tiers with their agreement with float64, base factors for all shapes, transfer and read rates, eigh and SVD
drivers by size. `--device cpu --tiny` runs all of it at toy sizes, as a smoke test.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
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

K, EPS = 10, 0.5
T = TypeVar("T")
LLAMA_7B = {(4096, 4096): 128, (11008, 4096): 64, (4096, 11008): 32}
TINY = {(96, 96): 2, (160, 96): 1, (96, 160): 1}


class Bench:
    """A device, a clock, and the rows that were measured."""

    def __init__(self, device: torch.device, budget: float, tiny: bool) -> None:
        self.device, self.tiny = device, tiny
        self.rows: list[dict[str, object]] = []
        self._console = Console(width=150)
        self._end = perf_counter() + budget

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self._end - perf_counter()

    def timed(self, work: Callable[[], T], warm: int = 1) -> tuple[float, T]:
        """Seconds of the last call and its result, after `warm` calls that do not count."""
        for _ in range(warm):
            work()
        self._wait()
        start = perf_counter()
        result = work()
        self._wait()
        return perf_counter() - start, result

    def record(self, section: str, **values: object) -> None:
        """Keep a row, and print it at once: a run that is cut short has said what it knew."""
        self.rows.append({"section": section, **values})
        self._console.print(
            f"[{section}] " + "  ".join(f"{k} {_text(v)}" for k, v in values.items()), markup=False
        )

    def print_tables(self) -> None:
        """All rows, a table per section."""
        for section in dict.fromkeys(row["section"] for row in self.rows):
            rows = [r for r in self.rows if r["section"] == section]
            headings = [h for h in dict.fromkeys(h for r in rows for h in r) if h != "section"]
            table = Table(title=str(section))
            for heading in headings:
                table.add_column(heading, justify="right")
            for row in rows:
                table.add_row(*(_text(row[h]) if h in row else "" for h in headings))
            self._console.print(table)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def make_pair(m: int, n: int, device: torch.device, seed: int = 0) -> tuple[Tensor, LowRank]:
    """A bfloat16 base with a heavy head on a bulk, and a rank-16 update that reaches its top 10."""
    generator = torch.Generator(device=device).manual_seed(seed * 7919 + m * 31 + n)
    base = torch.randn(m, n, generator=generator, device=device).div_(max(m, n) ** 0.5)
    width = min(40, m, n)
    head = 2.2 + 4 * torch.arange(1, width + 1, device=device) ** -0.8
    left = torch.linalg.qr(torch.randn(m, width, generator=generator, device=device)).Q
    right = torch.linalg.qr(torch.randn(n, width, generator=generator, device=device)).Q
    base.addmm_(left * head, right.T)
    b = torch.randn(m, 16, generator=generator, device=device) / m**0.5
    a = torch.randn(16, n, generator=generator, device=device) / n**0.5
    return base.bfloat16(), LowRank(a, b, 3.0)


def merge(base: Tensor, update: LowRank) -> Tensor:
    """The update merged, rounded to the base's dtype as a merge would."""
    return (base.float() + update.scaling * update.b @ update.a).to(base.dtype)


def naive(base: Tensor, tuned: Tensor, driver: str | None) -> Tensor:
    """The peers' method: two SVDs and a product."""
    u0 = torch.linalg.svd(base.float(), full_matrices=False, driver=driver)[0]
    u1 = torch.linalg.svd(tuned.float(), full_matrices=False, driver=driver)[0]
    return (u0.T @ u1).abs().amax(0)


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
    """Each tier's time and its agreement with float64, by shape."""
    larger = [(1024, 1024), (2048, 2048), (4096, 4096), (4096, 11008), (11008, 4096)]
    for m, n in TINY if bench.tiny else larger:
        if bench.left < 60 and not bench.tiny:
            return
        _tiers(bench, m, n)


def _tiers(bench: Bench, m: int, n: int) -> None:
    base, update = make_pair(m, n, bench.device)
    tuned = merge(base, update)
    small = 0 if bench.tiny else 512
    shape = f"{m}x{n}"

    def certificate(right: bool) -> Comparison:
        return compare_certified(base, tuned, k=K, eps=EPS, right=right, escalate=False, small=small)

    seconds, exact = bench.timed(lambda: compare_exact(base, tuned, limit=256), warm=0)
    bench.record("tiers", shape=shape, tier="exact", seconds=seconds)
    seconds, found = bench.timed(lambda: certificate(True))
    bench.record("tiers", shape=shape, tier="certificate, U and V", seconds=seconds, **verdicts(found, exact))
    seconds, found = bench.timed(lambda: certificate(False), warm=0)
    bench.record("tiers", shape=shape, tier="certificate, U", seconds=seconds)
    seconds, factors = bench.timed(lambda: factorise_base(base), warm=0)
    bench.record("tiers", shape=shape, tier="base factors", seconds=seconds)
    seconds, found = bench.timed(lambda: compare_with_factors(factors, base, tuned, k=K))
    bench.record("tiers", shape=shape, tier="with factors", seconds=seconds, **verdicts(found, exact))
    coordinates = BaseCoordinates(factors, base, update)
    seconds, _ = bench.timed(lambda: coordinates.at(2.5, k=K))
    bench.record("tiers", shape=shape, tier="LoRA scaling", seconds=seconds)
    if bench.device.type == "cuda":
        bench.record("memory", shape=shape, peak_gigabytes=torch.cuda.max_memory_allocated() / 2**30)
        torch.cuda.reset_peak_memory_stats()


def drivers(bench: Bench) -> None:
    """eigh in float32 and float64, and the SVD drivers, by size."""
    for size in (64, 96) if bench.tiny else (1024, 2048, 4096, 8192):
        base, update = make_pair(size, size, bench.device)
        for dtype in (torch.float32, torch.float64):
            if bench.left > 30 or bench.tiny:
                _eigh(bench, base.to(dtype))
        for driver in ("gesvd", "gesvdj", "gesvda") if bench.device.type == "cuda" else (None,):
            if size <= 4096 and (bench.left > 60 or bench.tiny):
                _naive(bench, base, merge(base, update), driver)


def _eigh(bench: Bench, weight: Tensor) -> None:
    gram = weight @ weight.T
    seconds, _ = bench.timed(lambda: torch.linalg.eigh(gram), warm=int(len(gram) <= 2048))
    bench.record("eigh", size=len(gram), dtype=str(gram.dtype), seconds=seconds)


def _naive(bench: Bench, base: Tensor, tuned: Tensor, driver: str | None) -> None:
    label = driver or "default"
    try:
        seconds, _ = bench.timed(lambda: naive(base, tuned, driver), warm=int(len(base) <= 1024))
    except RuntimeError as error:
        bench.record("two SVDs", size=len(base), driver=label, failed=str(error)[:60])
    else:
        bench.record("two SVDs", size=len(base), driver=label, seconds=seconds)


def scan(bench: Bench) -> None:
    """A 7B pair's matrices one after the other, as a scan would; four distinct weights a shape, in turn."""
    total = 0.0
    counts = {"matrices": 0, "intruders": 0, "open": 0}
    for (m, n), times in (TINY if bench.tiny else LLAMA_7B).items():
        pool = []
        for seed in range(4):
            base, update = make_pair(m, n, bench.device, seed)
            pool.append((base, merge(base, update)))
        _verdict(bench, *pool[0], seed=0)
        for number in range(times):
            seconds, found = _verdict(bench, *pool[number % len(pool)], seed=number)
            total += seconds
            counts["matrices"] += 1
            counts["intruders"] += int((found.left.upper < EPS).sum())
            counts["open"] += int(((found.left.upper >= EPS) & (found.left.lower < EPS)).sum())
            if bench.left < 30 and not bench.tiny:
                break
    bench.record("7B scan, verdicts on U", seconds=total, **counts)


def _verdict(bench: Bench, base: Tensor, tuned: Tensor, seed: int) -> tuple[float, Comparison]:
    small = 0 if bench.tiny else 512
    return bench.timed(
        lambda: compare_certified(
            base, tuned, k=K, eps=EPS, right=False, escalate=False, small=small, seed=seed
        ),
        warm=0,
    )


def factors_of_7b(bench: Bench) -> None:
    """Time for the base factors of all shapes, from one matrix each."""
    total = 0.0
    for (m, n), times in (TINY if bench.tiny else LLAMA_7B).items():
        seconds = _factors(bench, make_pair(m, n, bench.device)[0])
        bench.record("base factors", shape=f"{m}x{n}", seconds=seconds, matrices=times)
        total += seconds * times
    bench.record("base factors", shape="all", seconds=total)


def _factors(bench: Bench, base: Tensor) -> float:
    return bench.timed(lambda: factorise_base(base))[0]


def rates(bench: Bench) -> None:
    """Reading a file into pinned memory, and copying to the device."""
    size = 1 << (24 if bench.tiny else 31)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=bench.device.type == "cuda")
    seconds, _ = bench.timed(lambda: host.to(bench.device, copy=True))
    bench.record("rates", what="host to device", gigabytes_per_second=size / seconds / 1e9)
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(1 << 20) * (size >> 20))
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        view = memoryview(host.numpy())
        with Path(file.name).open("rb", buffering=0) as source:
            start = perf_counter()
            done = 0
            while done < size:
                got = source.readinto(view[done : done + (16 << 20)])
                if not got:
                    break
                done += got
            bench.record(
                "rates", what="file to memory", gigabytes_per_second=done / (perf_counter() - start) / 1e9
            )


def main() -> None:
    """Run every section that the budget has room for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tiny", action="store_true", help="toy sizes: a smoke test")
    parser.add_argument("--budget", type=float, default=540.0, help="seconds in all")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    parser.add_argument("--only", nargs="*", help="names of sections")
    args = parser.parse_args()
    device = torch.device(args.device)
    bench = Bench(device, args.budget, args.tiny)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    bench.record(
        "machine", device=name, torch=torch.__version__, cuda=str(torch.version.cuda), cores=os.cpu_count()
    )
    sections = {"scan": scan, "tiers": tiers, "factors": factors_of_7b, "rates": rates, "drivers": drivers}
    for title, section in sections.items():
        if args.only and title not in args.only:
            continue
        if bench.left < 20:
            bench.record("skipped", what=title)
            continue
        try:
            section(bench)
        except RuntimeError as error:
            bench.record("failed", what=title, error=str(error)[:120])
        if args.json:
            args.json.write_text(json.dumps(bench.rows, indent=1))
    bench.print_tables()


if __name__ == "__main__":
    main()
