"""Matrices that are read in float64 column chunks and never copied whole.

Everything here is *wide*: rows <= columns. A tall weight is compared as its transpose, which swaps U and V.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.values import LowRank, SpectralError

CHUNK_ELEMENTS = 1 << 22
"""Elements of one float64 chunk (32 MiB)."""
GRAM_ROWS = 1024


class Matrix(ABC):
    """A wide matrix of `rows` x `columns` on `device`, scaled by a power of two that its maker chose."""

    rows: int
    columns: int
    device: torch.device
    parts: float = 0.0
    """Bound on the norms of what is summed to it beyond its own; 0 where nothing can cancel."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Tensor:
        """Columns start..stop: [rows, stop - start] float64."""

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        """All columns from the left, a chunk at a time."""
        width = max(64, CHUNK_ELEMENTS // self.rows)
        for start in range(0, self.columns, width):
            stop = min(start + width, self.columns)
            yield slice(start, stop), self.read(start, stop)

    def gram(self) -> Tensor:
        """W W^T: [rows, rows] float64, only the lower triangle filled."""
        out = torch.zeros(self.rows, self.rows, dtype=torch.float64, device=self.device)
        for _, chunk in self.chunks():
            for top in range(0, self.rows, GRAM_ROWS):
                low = min(top + GRAM_ROWS, self.rows)
                out[top:low, :low].addmm_(chunk[top:low], chunk[:low].T)
        return out

    def pull(self, vectors: Tensor) -> Tensor:
        """W^T x for each column x: [rows, c] -> [columns, c] float64."""
        out = torch.empty(self.columns, vectors.shape[1], dtype=torch.float64, device=self.device)
        for where, chunk in self.chunks():
            torch.mm(chunk.T, vectors, out=out[where])
        return out

    def push(self, vectors: Tensor) -> Tensor:
        """W x for each column x: [columns, c] -> [rows, c] float64."""
        out = torch.zeros(self.rows, vectors.shape[1], dtype=torch.float64, device=self.device)
        for where, chunk in self.chunks():
            out.addmm_(chunk, vectors[where])
        return out

    def triangle(self) -> Tensor:
        """The R of a QR factorisation of W^T, without its Q: [rows, rows] float64.

        Built chunk by chunk: the R of R stacked on the next rows (tall-skinny QR, Demmel et al., arXiv
        0808.2664).
        """
        kept = torch.zeros(0, self.rows, dtype=torch.float64, device=self.device)
        for _, chunk in self.chunks():
            kept = torch.linalg.qr(torch.cat((kept, chunk.T)), mode="r").R
        return kept


@dataclass(frozen=True, eq=False)
class Stored(Matrix):
    """A tensor in any float dtype, times `unit`."""

    tensor: Tensor
    unit: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.tensor.shape[0])
        object.__setattr__(self, "columns", self.tensor.shape[1])
        object.__setattr__(self, "device", self.tensor.device)

    def read(self, start: int, stop: int) -> Tensor:
        return self.tensor[:, start:stop].to(torch.float64, copy=True).mul_(self.unit)


@dataclass(frozen=True, eq=False)
class Updated(Matrix):
    """A stored base plus a low-rank update, summed in float64: no merge rounding."""

    base: Stored
    b: Tensor
    a: Tensor

    @staticmethod
    def by(base: Stored, update: LowRank) -> Updated:
        """The base plus scaling * b @ a, in the base's unit."""
        b = update.b.to(base.device, torch.float64) * (update.scaling * base.unit)
        return Updated(base, b, update.a.to(base.device, torch.float64))

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.base.rows)
        object.__setattr__(self, "columns", self.base.columns)
        object.__setattr__(self, "device", self.base.device)
        # norm(W0) <= norm(W0 + dW) + norm(dW)
        object.__setattr__(self, "parts", 2.0 * float(self.b.norm()) * float(self.a.norm()))

    def read(self, start: int, stop: int) -> Tensor:
        return self.base.read(start, stop).addmm_(self.b, self.a[:, start:stop])


@dataclass(frozen=True, eq=False)
class Difference(Matrix):
    """tuned - base, formed in float64."""

    tuned: Stored
    base: Stored

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.base.rows)
        object.__setattr__(self, "columns", self.base.columns)
        object.__setattr__(self, "device", self.base.device)

    def read(self, start: int, stop: int) -> Tensor:
        return self.tuned.read(start, stop).sub_(self.base.read(start, stop))


@dataclass(frozen=True, eq=False)
class Squared(Matrix):
    """A matrix whose Gram matrix is known already (`square`, [rows, rows] float64)."""

    whole: Matrix
    square: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", self.whole.parts)
        object.__setattr__(self, "rows", self.whole.rows)
        object.__setattr__(self, "columns", self.whole.columns)
        object.__setattr__(self, "device", self.whole.device)

    def read(self, start: int, stop: int) -> Tensor:
        return self.whole.read(start, stop)

    def gram(self) -> Tensor:
        return self.square


def squared(matrices: Sequence[Matrix]) -> list[Squared]:
    """The same matrices with their Gram matrices, from products of all of them at once.

    They have one shape and lie on one device.
    """
    first = matrices[0]
    squares = torch.zeros(len(matrices), first.rows, first.rows, dtype=torch.float64, device=first.device)
    width = max(64, CHUNK_ELEMENTS // (first.rows * len(matrices)))
    for start in range(0, first.columns, width):
        stop = min(start + width, first.columns)
        chunk = torch.stack([matrix.read(start, stop) for matrix in matrices])
        squares.baddbmm_(chunk, chunk.mT)
    return [Squared(matrix, square) for matrix, square in zip(matrices, squares, strict=True)]


@dataclass(frozen=True, eq=False)
class Projected(Matrix):
    """basis^T W, with the orthonormal columns of `basis` ([rows of W, t], float64)."""

    whole: Matrix
    basis: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", self.whole.parts)
        object.__setattr__(self, "rows", self.basis.shape[1])
        object.__setattr__(self, "columns", self.whole.columns)
        object.__setattr__(self, "device", self.whole.device)

    def read(self, start: int, stop: int) -> Tensor:
        return self.basis.T @ self.whole.read(start, stop)


def largest(tensor: Tensor, name: str) -> float:
    """max |x| over a tensor; 0 for an empty one.

    Raises:
        SpectralError: a value is not finite.
    """
    if tensor.numel() == 0:
        return 0.0
    low, high = torch.aminmax(tensor)
    if not (math.isfinite(low) and math.isfinite(high)):
        count = tensor.numel() - int(torch.isfinite(tensor).sum())
        raise SpectralError(f"{name} has {count} of {tensor.numel()} values that are not finite")
    return max(abs(float(low)), abs(float(high)))


def far_from_one(unit: float) -> bool:
    """Whether float32 numbers times such a unit may overflow or lose digits."""
    return not 2.0**-100 <= unit <= 2.0**100


def unit_for(magnitude: float) -> float:
    """The power of two that brings `magnitude` near 1, so that squares neither overflow nor vanish."""
    return math.ldexp(1.0, -max(-1000, min(1000, math.frexp(magnitude)[1])))
