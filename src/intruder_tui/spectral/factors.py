"""Singular values and short-side singular vectors of a wide matrix, checked, without a full-size copy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.matrices import Matrix, Projected

EPS = torch.finfo(torch.float64).eps
ZERO_MARGIN = 10.0
TAIL = 1e-10
"""Eigenvalues of a Gram matrix below this share of the largest have lost too many digits to the squaring."""
LOST = 1e-14
"""Eigenvalues of a Gram matrix below this share of the largest have lost all of them."""
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

    The float64 Gram matrix and its eigendecomposition answer ("exact"). An answer that fails its check is
    replaced by a float64 SVD of the triangle that a QR of the matrix leaves ("float64").
    """
    gram = matrix.gram()
    notes: list[str] = []
    for device in dict.fromkeys((matrix.device, torch.device("cpu"))):
        found = _eigen(gram, device)
        if found is None:
            notes.append(f"The eigenvalue solver failed on {device}.")
        elif _checks(matrix, *found):
            squares, vectors = found
            del gram, found
            sigma, order = _sharpen(matrix, squares, vectors).sort(descending=True, stable=True)
            if not torch.equal(order, torch.arange(len(order), device=order.device)):
                vectors = vectors[:, order]
            return Factors(vectors, sigma, numerical_rank(sigma, matrix.columns), "exact", tuple(notes))
        else:
            notes.append(f"The eigenvectors found on {device} failed their check.")
    del gram
    vectors, sigma, _ = torch.linalg.svd(matrix.triangle().T)
    return Factors(vectors, sigma, numerical_rank(sigma, matrix.columns), "float64", tuple(notes))


def singular_values(matrix: Matrix) -> Tensor:
    """Singular values of a wide matrix by the eigenvalues of its Gram matrix: [rows] float64, descending.

    Values below 1e-7 * sigma_1 are lost in the rounding of the squares and are returned as zero.
    """
    try:
        squares = torch.linalg.eigvalsh(matrix.gram(), UPLO="L").flip(0)
    except RuntimeError:  # no convergence, cuSOLVER's own failures and lack of memory are all of this kind
        return factorise(matrix).sigma
    if not bool(torch.isfinite(squares).all()):
        return factorise(matrix).sigma
    squares[squares < LOST * squares[0]] = 0.0
    sigma: Tensor = squares.sqrt()
    return sigma


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


def _sharpen(matrix: Matrix, squares: Tensor, vectors: Tensor) -> Tensor:
    """Singular values from the Gram matrix's eigenvalues; `vectors` is improved in place.

    Eigenvalues far below the largest drown in the rounding of the squares. Their eigenvectors still span the
    right space, and the matrix restricted to it has a Gram matrix with digits down to its own scale.
    """
    sigma = squares.clamp(min=0.0).sqrt()
    start, size = 0, len(sigma)
    while True:
        head = start + int((squares >= TAIL * squares[0]).sum())
        if head in (start, size):
            return sigma
        start = head
        tail = Projected(matrix, vectors[:, start:])
        found = _eigen(tail.gram(), matrix.device)
        if found is None:
            return sigma
        squares, rotation = found
        sigma[start:] = squares.clamp(min=0.0).sqrt()
        vectors[:, start:] = vectors[:, start:] @ rotation
        if float(sigma[start]) <= ZERO_MARGIN * matrix.columns * EPS * float(sigma[0]):
            return sigma
