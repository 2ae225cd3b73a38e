"""Block Lanczos with full reorthogonalisation: A Q = Q T + (a rest in the last block alone).

Golub & Underwood 1977; blocks are held as rows, so that Q here is the transpose of the textbook's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.operators import Symmetric
from intruder_tui.spectral.values import SpectralError

BACKWARD_ERROR = {torch.float32: 2e-6, torch.float64: 1e-13}
"""Error of the relation above over norm(A): four times what float32 shows, and more for float64."""
CHECKED_COLUMNS = 8
CHECK_TOLERANCE = 1e-11
MOST_PASSES = 5
LEAST_PIVOT, NEAR_ONE = 0.03, 0.9
"""Smallest over largest pivot for a Cholesky factor to be used at all, and to leave rows orthonormal."""


def private_generator(device: torch.device, seed: int) -> torch.Generator:
    """A generator whose stream no weights were drawn from: plain seeds such as 0 are everyone's."""
    return torch.Generator(device=device).manual_seed(
        (seed * 0x9E3779B97F4A7C15 + 0x51A7E5C0FFEE17) % (1 << 63)
    )


def small_eigen(t: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (descending) and eigenvectors of a symmetric matrix: [s, s] float64 on the CPU.

    Raises:
        SpectralError: neither the eigenvalue solver nor an SVD gives eigenvectors that pass their check.
    """
    step = max(1, len(t) // CHECKED_COLUMNS)
    for solver in (_by_eigh, _by_svd):
        try:
            values, vectors = solver(t)
        except RuntimeError:  # no convergence
            continue
        sample = vectors[:, ::step]
        overlap = vectors.T @ sample
        overlap[::step].diagonal().sub_(1.0)
        residual = (t @ sample - sample * values[::step]).norm(dim=0).amax()
        good = (residual <= CHECK_TOLERANCE * values.abs().amax()) & (overlap.abs().amax() <= CHECK_TOLERANCE)
        if bool(good):
            return values, vectors
    raise SpectralError(f"the eigenvectors of a {len(t)} x {len(t)} Lanczos matrix failed their check")


def _by_eigh(t: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(t)
    return values.flip(0), vectors.flip(1)


def _by_svd(t: Tensor) -> tuple[Tensor, Tensor]:
    """The same where the eigenvalue solver fails, for the positive semidefinite matrices that occur here."""
    vectors = torch.linalg.svd(t)[0]
    values, order = (vectors * (t @ vectors)).sum(0).sort(descending=True)
    return values, vectors[:, order]


@dataclass(frozen=True, eq=False, slots=True)
class Ritz:
    """The eigendecomposition of T, float64 on the CPU, by descending Ritz value.

    Attributes:
        values: [s], Ritz values.
        first: [b, s], the rows of T's eigenvectors that belong to the first block.
        last: [c, s], those of the last block; empty rows once the whole space is exhausted.
        vectors: [s, s], all of them.
        residuals: [s], norm(A y - theta y) of each Ritz vector, rounding included.
        rounding: the share of the residuals that is a bound on rounding, in units of A.
        coupling: [c, d], the last block's rest: A Q - Q T = coupling times the next block.
    """

    values: Tensor
    first: Tensor
    last: Tensor
    vectors: Tensor
    residuals: Tensor
    rounding: float
    coupling: Tensor


class BlockLanczos:
    """Grows an orthonormal basis of the block Krylov space of A and a start block.

    Attributes:
        start: [b, b] float64 on the CPU, coordinates of the start block: start_j = sum_i start[i, j] * q_i.
    """

    def __init__(self, a: Symmetric, start: Tensor, steps: int, seed: int) -> None:
        """Orthonormalise the rows of `start` ([b, size]); `steps` is how many blocks may come."""
        self._a = a
        self._generator = private_generator(a.device, seed)
        room = min(a.size, len(start) * (steps + 1))
        self._basis = torch.empty(room, a.size, dtype=a.dtype, device=a.device)
        self._edges = [0]
        self._diagonal: list[Tensor] = []
        self._coupling: list[Tensor] = []
        wide = start.to(a.dtype)
        self._append(wide)
        self.start = (wide @ self._block(0).T).T.double().cpu()

    @property
    def steps(self) -> int:
        """How many blocks have been multiplied by A."""
        return len(self._diagonal)

    @property
    def exhausted(self) -> bool:
        """Whether the basis spans the whole space, so that T knows everything."""
        return self._edges[-1] == self._a.size and self.steps == len(self._edges) - 1

    @property
    def full(self) -> bool:
        """Whether no further step is possible."""
        return self.steps == len(self._edges) - 1

    def basis(self) -> Tensor:
        """[s, size], the rows whose products with A are known."""
        return self._basis[: self._edges[self.steps]]

    def step(self) -> None:
        """Multiply the newest block by A and append the block that its rest spans."""
        newest = self._block(self.steps)
        image = self._a(newest)
        known = self._basis[: self._edges[-1]]
        # The second pass of "twice is enough" (Kahan, Parlett) is made on the normalised block in `_append`.
        coefficients = image @ known.T
        image -= coefficients @ known
        own = coefficients[:, self._edges[-2] : self._edges[-1]].double()
        self._diagonal.append((own + own.T) / 2)
        self._append(image)
        if self._edges[-1] > self._edges[-2] and len(self._edges) - 1 > self.steps:
            self._coupling.append((image @ self._block(self.steps).T).double())

    def ritz(self) -> Ritz:
        """Ritz values and the parts of T's eigenvectors that bounds are made of."""
        edges = self._edges[: self.steps + 1]
        size = edges[-1]
        self._fetch()
        t = torch.zeros(size, size, dtype=torch.float64)
        for j, diagonal in enumerate(self._diagonal):
            t[edges[j] : edges[j + 1], edges[j] : edges[j + 1]] = diagonal
        for j in range(self.steps - 1):
            across = self._coupling[j]
            t[edges[j] : edges[j + 1], edges[j + 1] : edges[j + 2]] = across
            t[edges[j + 1] : edges[j + 2], edges[j] : edges[j + 1]] = across.T
        values, vectors = small_eigen(t)
        rounding = self._rounding(float(values[0].clamp(min=0.0)))
        if self.exhausted:
            last, coupling = vectors[:0], torch.zeros(0, 0, dtype=torch.float64)
            residuals = torch.zeros_like(values)
        else:
            last, coupling = vectors[edges[-2] :], self._coupling[-1]
            residuals = (coupling.T @ last).norm(dim=0)
        return Ritz(values, vectors[: edges[1]], last, vectors, residuals + rounding, rounding, coupling)

    def _fetch(self) -> None:
        """Bring the blocks of T that still lie on a GPU to the CPU, in one copy."""
        new = [
            (blocks, j)
            for blocks in (self._diagonal, self._coupling)
            for j, block in enumerate(blocks)
            if block.device.type != "cpu"
        ]
        if new:
            flat = torch.cat([blocks[j].flatten() for blocks, j in new]).cpu()
            for (blocks, j), part in zip(new, torch.split(flat, [b[j].numel() for b, j in new]), strict=True):
                blocks[j] = part.view(blocks[j].shape)

    def _rounding(self, largest: float) -> float:
        """Bound on the error of products: of W^T x by its parts, whose sum may have cancelled, then of W."""
        share, norm = BACKWARD_ERROR[self._a.dtype], math.sqrt(largest)
        parts = max(norm, self._a.parts)
        return share * parts * max(norm, share * parts)

    def _block(self, j: int) -> Tensor:
        return self._basis[self._edges[j] : self._edges[j + 1]]

    def _append(self, rows: Tensor) -> None:
        """Append an orthonormal block, orthogonal to the basis, that spans what the rows hold."""
        room = min(len(self._basis), self._a.size) - self._edges[-1]
        count = min(len(rows), room)
        if count == 0:
            return
        known = self._basis[: self._edges[-1]]
        block = _orthonormal(rows).rows
        for _ in range(MOST_PASSES):
            block = block - (block @ known.T) @ known
            found = _orthonormal(block)
            hollow = found.shortest < 0.5
            if hollow:
                # Where the rows were only rounding their directions lie in the basis: random ones take over.
                # `_orthonormal` keeps what is more than rounding out of such directions, so nothing is lost.
                inside = block.norm(dim=1, keepdim=True) < 0.5
                noise = torch.randn(
                    block.shape, generator=self._generator, dtype=block.dtype, device=block.device
                )
                block = torch.where(inside, noise / noise.norm(dim=1, keepdim=True), block)
                found = _orthonormal(block - (block @ known.T) @ known)
            block = found.rows
            if found.pivot > NEAR_ONE and not hollow:
                # What the pass took out was little, so that nothing of the basis was magnified.
                break
        block = block[:count]
        start = self._edges[-1]
        self._basis[start : start + count] = block
        self._edges.append(start + count)


@dataclass(frozen=True, eq=False, slots=True)
class _Orthonormal:
    """Nearly orthonormal rows of a span.

    Attributes:
        pivot: near 1 where the rows were orthonormal already.
        shortest: length of the shortest of them as they were.
    """

    rows: Tensor
    pivot: float
    shortest: float


def _orthonormal(rows: Tensor) -> _Orthonormal:
    """Rows of the same span and nearly orthonormal.

    A Cholesky factor of the Gram matrix costs a fraction of Householder's reflections and keeps the span as
    well, but leaves rows orthonormal only up to the square of their condition. Where the rows may be
    dependent the directions come by how much the rows hold of them: a row that only rounding tells from the
    ones before it would have any direction, and take a part of what the following ones hold.
    """
    gram = rows @ rows.T
    factor, failed = torch.linalg.cholesky_ex(gram)
    low, high = torch.aminmax(factor.diagonal())
    # Read together: a GPU is waited for once.
    told = torch.stack((low, high, gram.diagonal().amin(), failed.to(gram.dtype)))
    least, most, square, bad = told.tolist()
    shortest = math.sqrt(max(0.0, square))
    if not bad and least >= LEAST_PIVOT * most:
        return _Orthonormal(torch.linalg.solve_triangular(factor, rows, upper=False), least / most, shortest)
    directions, triangle = torch.linalg.qr(rows.T)
    turn = torch.linalg.svd(triangle.double().cpu())[0].to(rows)
    return _Orthonormal(turn.T @ directions.T, 0.0, shortest)
