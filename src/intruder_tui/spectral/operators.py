"""Products with a wide matrix that is neither formed nor widened: what Krylov methods need of it.

Blocks of vectors are held as rows: `x @ w` and `z @ w.T` with w in row order are the layouts that MKL is fast
at (`w.T @ x` with a narrow x is up to 33 times slower).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from intruder_tui.spectral.matrices import CHUNK_ELEMENTS, largest, unit_for
from intruder_tui.spectral.values import LowRank

COPY_BYTES = 1 << 28
"""Up to this size a weight in another dtype is widened once; above it, panel by panel in each product."""
PANEL_ELEMENTS = 1 << 23
"""Elements of a panel that is widened for one product."""
CACHED_ELEMENTS = 1 << 19
"""Elements of a panel that stays in a processor's cache between its two products of a square."""
MANY_ROWS = 2560
"""From so many rows on, W z on a CPU is made in panels of rows (below, they cost what they gain)."""
PUSHED_ROWS = 512
"""Rows of such a panel: over all at once MKL takes 1.2 times as long with 4096 rows, 1.6 times with 8192."""
NEWER = "fp32_precision"
"""What torch calls the setting of one backend."""


@dataclass(eq=False, slots=True)
class _Pin:
    """How many are inside `full_precision`, all threads together, and the way back to the host's settings."""

    lock: Lock = field(default_factory=Lock)
    inside: int = 0
    way_back: ExitStack = field(default_factory=ExitStack)


_PIN = _Pin()


@contextmanager
def full_precision() -> Iterator[None]:
    """Float32 products in float32: no TF32, no bfloat16 pieces (their error would void the bounds).

    torch keeps these settings for the whole process: while several threads are inside, or one has entered
    again, only the first to come sets them and only the last to leave gives them back.
    """
    with _PIN.lock:
        if not _PIN.inside:
            _PIN.way_back.enter_context(_pinned())
        _PIN.inside += 1
    try:
        yield
    finally:
        with _PIN.lock:
            _PIN.inside -= 1
            if not _PIN.inside:
                _PIN.way_back.close()


@contextmanager
def _pinned() -> Iterator[None]:
    matmuls = [getattr(backend, "matmul") for backend in (torch.backends.cuda, torch.backends.mkldnn)]  # noqa: B009 (untyped)
    newer = [getattr(matmul, NEWER) for matmul in matmuls]
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # torch refuses to say where the newer settings were used
        before = None
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        if before is not None:
            torch.set_float32_matmul_precision(before)
        for matmul, value in zip(matmuls, newer, strict=True):
            setattr(matmul, NEWER, value)


@dataclass(frozen=True, eq=False, slots=True)
class Operator:
    """A wide matrix times `unit`, optionally plus a low-rank update, acting on rows in `dtype`.

    Attributes:
        weight: [p, n] with p <= n, any float dtype, any strides.
        unit: a power of two that brings the largest entry near 1.
        dtype: float32 or float64, of vectors and sums.
        factors: (b [p, r], a [r, n]) in `dtype`, already times the scaling and the unit; or None.
        parts: bound on the norms of what is summed beyond that of the sum; 0 where nothing can cancel.
    """

    weight: Tensor
    unit: float
    dtype: torch.dtype
    factors: tuple[Tensor, Tensor] | None = None
    parts: float = 0.0

    @staticmethod
    def of(weight: Tensor, unit: float, dtype: torch.dtype) -> Operator:
        """The operator of a stored weight; a small one is widened here, once."""
        if weight.dtype != dtype and weight.numel() * dtype.itemsize <= COPY_BYTES:
            weight = weight.to(dtype)
        return Operator(weight, unit, dtype)

    def updated(self, update: LowRank) -> Operator:
        """This matrix plus scaling * b @ a (of the same orientation)."""
        b = update.b.to(self.weight.device, torch.float64) * (update.scaling * self.unit)
        a = update.a.to(self.weight.device, torch.float64)
        # norm(W0) <= norm(W0 + dW) + norm(dW)
        parts = 2 * product_norm(b, a)
        size = unit_for(largest(a, "the update's factor A"))
        factors = (b / size).to(self.dtype), (a * size).to(self.dtype)
        return Operator(self.weight, self.unit, self.dtype, factors, parts)

    @property
    def rows(self) -> int:
        return self.weight.shape[0]

    @property
    def columns(self) -> int:
        return self.weight.shape[1]

    @property
    def device(self) -> torch.device:
        return self.weight.device

    def pull(self, x: Tensor) -> Tensor:
        """W^T x of each row x: [b, p] -> [b, n]."""
        scaled = x * self.unit
        if self.weight.dtype == self.dtype:
            out = scaled @ self.weight
        else:
            out = torch.cat([scaled @ panel for _, panel in self._panels()], dim=1)
        if self.factors is not None:
            b, a = self.factors
            out.addmm_(x @ b, a)
        return out

    def push(self, z: Tensor) -> Tensor:
        """W z of each row z: [b, n] -> [b, p]."""
        scaled = z * self.unit
        if self.weight.dtype == self.dtype:
            parts = [scaled @ rows.T for rows in _row_panels(self.weight)]
            out = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        else:
            out = torch.zeros(len(z), self.rows, dtype=self.dtype, device=self.device)
            for where, panel in self._panels():
                _add_product(out, scaled[:, where], panel)
        if self.factors is not None:
            b, a = self.factors
            out.addmm_(z @ a.T, b.T)
        return out

    def square(self, x: Tensor, *, short: bool = True) -> Tensor:
        """W W^T x (`short`) or W^T W x of each row x, reading (and widening) W once where that is faster."""
        weight = self.weight if short else self.weight.T
        widened = weight.dtype != self.dtype
        if not widened and (weight.stride(0) != 1 or weight.device.type != "cpu"):
            # Panels of columns that lie apart gain nothing from staying in the cache.
            return self.push(self.pull(x)) if short else self.pull(self.push(x))
        scaled = x * self.unit
        out = torch.zeros_like(x)
        b, a = (
            self.factors
            if self.factors is not None
            else (x.new_zeros(self.rows, 0), x.new_zeros(0, self.columns))
        )
        if not short:
            b, a = a.T, b.T
        on_b = x @ b
        on_a = torch.zeros_like(on_b)
        for where in _cuts(weight, PANEL_ELEMENTS if widened else CACHED_ELEMENTS):
            panel = weight[:, where].to(self.dtype)
            image = scaled @ panel
            if self.factors is not None:
                image.addmm_(on_b, a[:, where])
                on_a.addmm_(image, a[:, where].T)
            _add_product(out, image, panel)
        return out.mul_(self.unit).addmm_(on_a, b.T)

    def _panels(self) -> Iterator[tuple[slice, Tensor]]:
        for where in _cuts(self.weight, PANEL_ELEMENTS):
            yield where, self.weight[:, where].to(self.dtype)


def _cuts(weight: Tensor, most: int) -> Iterator[slice]:
    """The columns in panels of about `most` elements and even width."""
    rows, columns = weight.shape
    count = max(1, round(rows * columns / most))
    width = max(64, -(-columns // count))
    for start in range(0, columns, width):
        yield slice(start, min(start + width, columns))


def panel_rows(weight: Tensor) -> int:
    """How many rows to take at once for sums over entries: on a CPU float32 copies stay in its cache."""
    elements = CACHED_ELEMENTS // 2 if weight.device.type == "cpu" else CHUNK_ELEMENTS
    return max(1, elements // max(1, weight.shape[1]))


def _row_panels(weight: Tensor) -> tuple[Tensor, ...]:
    """The matrix in panels of rows where products with their transposes are faster one by one, else whole."""
    if weight.device.type != "cpu" or weight.stride(1) != 1 or len(weight) < MANY_ROWS:
        return (weight,)
    return torch.split(weight, PUSHED_ROWS)


def _add_product(out: Tensor, z: Tensor, weight: Tensor) -> None:
    """out += z @ weight.T."""
    panels = _row_panels(weight)
    parts = torch.split(out, [len(panel) for panel in panels], dim=1)
    for part, panel in zip(parts, panels, strict=True):
        part.addmm_(z, panel.T)


def normalised(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Unit rows and their lengths before, [k] float64 on the CPU; `rows` is overwritten, zero ones stay."""
    length = rows.norm(dim=1, keepdim=True)
    rows.div_(torch.where(length > 0, length, 1.0))
    return rows, length[:, 0].double().cpu()


def product_norm(b: Tensor, a: Tensor) -> float:
    """norm_2(b a) from the triangles of both factors: b [p, r] and a [r, n], float64."""
    if not b.numel() or not a.numel():
        return 0.0
    left, right = torch.linalg.qr(b, mode="r").R, torch.linalg.qr(a.T, mode="r").R
    return float(torch.linalg.matrix_norm(left @ right.T, 2))


class Symmetric(Protocol):
    """A symmetric positive semidefinite operator on rows."""

    @property
    def size(self) -> int:
        """Length of a row."""

    @property
    def dtype(self) -> torch.dtype:
        """float32 or float64."""

    @property
    def device(self) -> torch.device:
        """Where rows lie."""

    @property
    def parts(self) -> float:
        """Bound on the square roots of the norms of what is summed to A; 0 where nothing can cancel."""

    def __call__(self, x: Tensor) -> Tensor:
        """A x of each row x: [b, size] -> [b, size]."""


@dataclass(frozen=True, eq=False, slots=True)
class Square:
    """W W^T (`short`) or W^T W of an operator, as a symmetric operator on rows."""

    operator: Operator
    short: bool = True

    @property
    def size(self) -> int:
        return self.operator.rows if self.short else self.operator.columns

    @property
    def dtype(self) -> torch.dtype:
        return self.operator.dtype

    @property
    def device(self) -> torch.device:
        return self.operator.device

    @property
    def parts(self) -> float:
        return self.operator.parts

    def __call__(self, x: Tensor) -> Tensor:
        """A x of each row x: [b, size] -> [b, size]."""
        return self.operator.square(x, short=self.short)
