"""Singular values and short-side singular vectors of a wide matrix, checked, without a full-size copy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.matrices import Matrix

EPS = torch.finfo(torch.float64).eps
ZERO_MARGIN = 10.0
TAIL = 1e-10
"""Eigenvalues of the Gram matrix below this share of the largest have lost digits to the squaring."""
CHECKED_COLUMNS = 8
TOLERANCE = 1e-11


@dataclass(frozen=True, eq=False, slots=True)
class Factors:
    """W = X diag(sigma) Y^T of a wide matrix, without Y.

    Attributes:
        vectors: [rows, rows] float64, X by columns, in the order of sigma.
        sigma: [rows] float64, descending, on the matrix's device.
        rank: how many sigma are numerically above zero.
        tier: "exact" or "float64".
        notes: sentences about how the answer was reached.
    """

    vectors: Tensor
    sigma: Tensor
    rank: int
    tier: str
    notes: tuple[str, ...]


def numerical_rank(sigma: Tensor, columns: int) -> int:
    """How many sigma lie above 10 * columns * 2^-52 * sigma_1 (numpy's `matrix_rank` rule with a margin)."""
    if sigma.numel() == 0:
        return 0
    return int((sigma > ZERO_MARGIN * columns * EPS * sigma[0]).sum())


def factorise(matrix: Matrix) -> Factors:
    """Short-side singular vectors and singular values, accurate to about 2^-52 * sigma_1.

    The float64 Gram matrix and its eigendecomposition answer ("exact"). Their small eigenvalues are below the
    rounding of the squares, so that part is factorised again by QR and SVD of the matrix itself, restricted
    to its span. An answer that fails its check is replaced by a float64 SVD of the whole ("float64").
    """
    gram = matrix.gram()
    notes: list[str] = []
    for device in dict.fromkeys((matrix.device, torch.device("cpu"))):
        found = _eigen(gram, device)
        if found is None:
            notes.append(f"The eigenvalue solver failed on {device}.")
            continue
        squares, vectors = found
        if _checks(matrix, squares, vectors):
            return _with_tail(matrix, squares, vectors, tuple(notes))
        notes.append(f"The eigenvectors found on {device} failed their check.")
    del gram
    vectors, sigma = _resolve(matrix, None)
    return Factors(vectors, sigma, numerical_rank(sigma, matrix.columns), "float64", tuple(notes))


def singular_values(matrix: Matrix) -> Tensor:
    """Singular values of a wide matrix: [rows] float64, descending, accurate to about 2^-52 * sigma_1."""
    try:
        squares = torch.linalg.eigvalsh(matrix.gram(), UPLO="L").flip(0)
    except RuntimeError:  # no convergence, cuSOLVER's own failures and lack of memory are all of this kind
        return factorise(matrix).sigma
    if bool(torch.isfinite(squares).all()) and bool(squares[-1] >= TAIL * squares[0]):
        sigma: Tensor = squares.sqrt()
        return sigma
    return factorise(matrix).sigma


def _eigen(gram: Tensor, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Eigenvalues (descending) and eigenvectors of a symmetric matrix; None when the solver gives up."""
    try:
        squares, vectors = torch.linalg.eigh(gram.to(device), UPLO="L")
    except RuntimeError:  # no convergence, cuSOLVER's own failures and lack of memory are all of this kind
        return None
    return squares.flip(0).to(gram.device), vectors.flip(1).to(gram.device)


def _checks(matrix: Matrix, squares: Tensor, vectors: Tensor) -> bool:
    """Whether all is finite and sampled columns are orthonormal eigenvectors of W W^T, by W itself."""
    if not (bool(torch.isfinite(squares).all()) and bool(torch.isfinite(vectors).all())):
        return False
    count = min(CHECKED_COLUMNS, matrix.rows)
    columns = torch.linspace(0, matrix.rows - 1, count, device=vectors.device).round().long()
    sample = vectors[:, columns]
    overlap = vectors.T @ sample
    overlap[columns, torch.arange(count, device=columns.device)] -= 1.0
    residual = matrix.push(matrix.pull(sample)) - sample * squares[columns]
    return bool(overlap.abs().amax() <= TOLERANCE) and bool(
        residual.norm(dim=0).amax() <= TOLERANCE * squares[0]
    )


def _with_tail(matrix: Matrix, squares: Tensor, vectors: Tensor, notes: tuple[str, ...]) -> Factors:
    head = int((squares >= TAIL * squares[0]).sum()) if bool(squares[0] > 0) else 0
    sigma = squares.clamp(min=0.0).sqrt()
    if head < matrix.rows:
        tail_vectors, tail_sigma = _resolve(matrix, vectors[:, head:])
        vectors[:, head:] = tail_vectors
        sigma[head:] = tail_sigma
        if head and bool(tail_sigma[0] > sigma[head - 1]):
            order = sigma.argsort(descending=True, stable=True)
            sigma, vectors = sigma[order], vectors[:, order]
    return Factors(vectors, sigma, numerical_rank(sigma, matrix.columns), "exact", notes)


def _resolve(matrix: Matrix, basis: Tensor | None) -> tuple[Tensor, Tensor]:
    """Vectors [rows, t] and singular values [t] of the matrix within the span of `basis` ([rows, t])."""
    triangle = matrix.triangle(basis)
    vectors, sigma, _ = torch.linalg.svd(triangle.T, full_matrices=False)
    return (vectors if basis is None else basis @ vectors), sigma
