"""What a device can do by itself: the error of its products, its rates, its solvers; and pairs for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from tests.benchmarks.clock import Bench
from torch import Tensor

from intruder_tui.spectral import LowRank
from intruder_tui.spectral.lanczos import BACKWARD_ERROR, BlockLanczos
from intruder_tui.spectral.operators import Operator, Square

DRIVERS = ("gesvdj", "gesvd", "gesvda")
CUBIC = 9.0
"""How much longer a solver takes at twice the size, at most."""


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


def precision(bench: Bench) -> None:
    """The error of float32 products and of the Lanczos relation over the norms, TF32 off and on.

    The certificate allows `BACKWARD_ERROR` for the relation A Q = Q T + rest.
    """
    try:
        for m, n in [(96, 96), (96, 160)] if bench.tiny else [(4096, 4096), (4096, 11008)]:
            base = make_pair(m, n, bench.device)[0]
            for setting, name in (("highest", "off"), ("high", "on")):
                torch.set_float32_matmul_precision(setting)
                product, relation = _errors(base)
                bench.record(
                    "float32 error over norms",
                    shape=f"{base.shape[0]}x{base.shape[1]}",
                    TF32=name,
                    product=product,
                    lanczos=relation,
                    allowed=BACKWARD_ERROR[torch.float32],
                )
    finally:
        torch.set_float32_matmul_precision("highest")


def _errors(base: Tensor) -> tuple[float, float]:
    wide = base.double()
    norm = float(torch.linalg.eigvalsh(wide @ wide.T)[-1]) ** 0.5
    generator = torch.Generator(device=base.device).manual_seed(1)
    rows = torch.randn(24, len(base), generator=generator, device=base.device)
    rows /= rows.norm(dim=1, keepdim=True)
    operator = Operator.of(base, 1.0, torch.float32)
    product = (operator.pull(rows).double() - rows.double() @ wide).norm(dim=1).amax() / norm
    steps = min(14, len(base) // 24 - 1)
    lanczos = BlockLanczos(Square(operator), rows, steps, 1)
    for _ in range(steps):
        lanczos.step()
    ritz, q = lanczos.ritz(), lanczos.basis().double()
    t = (ritz.vectors * ritz.values @ ritz.vectors.T).to(q.device)
    rest = (q @ wide) @ wide.T - t @ q
    return float(product), float(torch.linalg.matrix_norm(rest[:-24], 2)) / norm**2


def rates(bench: Bench) -> None:
    """From a file to memory, and from memory to the device."""
    size = 1 << (24 if bench.tiny else 31)
    pinned = torch.empty(size, dtype=torch.uint8, pin_memory=bench.device.type == "cuda")
    for what, host in (("pinned", pinned), ("pageable", torch.zeros(size, dtype=torch.uint8))):
        timed = bench.timed(lambda host=host: host.to(bench.device, copy=True))
        bench.record(
            "rates", what=f"{what} memory to the device", gigabytes_per_second=size / timed.seconds / 1e9
        )
    with tempfile.NamedTemporaryFile() as file:
        file.write(os.urandom(1 << 20) * (size >> 20))
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        for what in ("file to memory", "file to memory, again"):
            seconds = _read(Path(file.name), memoryview(pinned.numpy()))
            bench.record("rates", what=what, gigabytes_per_second=size / seconds / 1e9)


def _read(path: Path, view: memoryview) -> float:
    start, done = perf_counter(), 0
    with path.open("rb", buffering=0) as source:
        while got := source.readinto(view[done : done + (16 << 20)]):
            done += got
    assert done == len(view)
    return perf_counter() - start


def solvers(bench: Bench) -> None:
    """eigh in float32 and float64, and one float32 SVD by each driver, by size."""
    drivers = DRIVERS if bench.device.type == "cuda" else (None,)
    expected: dict[str, float] = {}
    for size in (64, 96) if bench.tiny else (1024, 2048, 4096, 8192):
        base = make_pair(size, size, bench.device)[0]
        for dtype in (torch.float32, torch.float64):
            gram = base.to(dtype) @ base.to(dtype).T
            _solved(bench, f"eigh {dtype}", size, expected, lambda gram=gram: torch.linalg.eigh(gram))
            del gram
        weight = base.float()
        for driver in drivers:
            _solved(
                bench,
                f"svd {driver or 'default'}",
                size,
                expected,
                lambda weight=weight, driver=driver: torch.linalg.svd(
                    weight, full_matrices=False, driver=driver
                ),
            )


def _solved(
    bench: Bench, name: str, size: int, expected: dict[str, float], work: Callable[[], object]
) -> None:
    warm = int(size <= 1024)
    if not bench.room(f"{name} {size}", (1 + warm) * expected.get(name, 5.0), reserve=10.0):
        expected[name] = CUBIC * expected.get(name, 5.0)
        return
    try:
        timed = bench.timed(work, warm)
    except RuntimeError as error:
        bench.record("solvers", size=size, solver=name, failed=str(error).splitlines()[0][:80])
    else:
        bench.record("solvers", size=size, solver=name, **timed.told())
        expected[name] = CUBIC * timed.seconds
