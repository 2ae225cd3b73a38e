"""Singular values and short-side singular vectors of a wide matrix, checked, without a full-size copy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intruder_tui.spectral.matrices import GRAM_ROWS, Matrix, Projected

EPS = torch.finfo(torch.float64).eps
ZERO_MARGIN = 10.0
TAIL = 1e-8
"""Eigenvalues of a Gram matrix below this share of the largest have lost too many digits to the squaring."""
LOST = 1e-14
"""Eigenvalues of a Gram matrix below this share of the largest have lost all of them."""
CHECKED_COLUMNS = 8
TOLERANCE = 1e-11
HOST_ROWS = 512
"""Eigenproblems up to this size are solved by the CPU: a GPU takes them one after another, a batch alike."""


@dataclass(frozen=True, eq=False, slots=True)
class Factors:
    """W = X diag(sigma) Y^T of a wide matrix, without Y.

    Attributes:
        vectors: [rows, rows] float64, X by columns, in the order of sigma.
        sigma: [rows] float64, descending, on the matrix's device.
        rank: how many sigma are numerically above zero.
        tier: "exact" (eigenvectors of Gram matrices) or "float64" (a singular value decomposition).
        stages: where the Gram matrices began that answered: the whole matrix's at 0, of its tail alone from
            there on.
        notes: sentences about how the answer was reached.
        parts: the matrix's own, see `Matrix`.
    """

    vectors: Tensor
    sigma: Tensor
    rank: int
    tier: str
    stages: tuple[int, ...]
    notes: tuple[str, ...]
    parts: float = 0.0


def numerical_rank(sigma: Tensor, columns: int) -> int:
    """How many sigma lie above 10 * columns * 2^-52 * sigma_1 (numpy's `matrix_rank` rule with a margin)."""
    if sigma.numel() == 0:
        return 0
    return int((sigma > ZERO_MARGIN * columns * EPS * sigma[0]).sum())


def factorise(matrix: Matrix) -> Factors:
    """Short-side singular vectors and singular values, accurate to about 2^-52 * sigma_1.

    The float64 Gram matrix and its eigendecomposition answer ("exact"), on the matrix's device or, where its
    solver fails, on the CPU. Where both fail their check `factorise_directly` answers, and a note says so.
    """
    notes: list[str] = []
    found = _solve(matrix, notes)
    if found is None:
        return replace(factorise_directly(matrix), notes=tuple(notes))
    squares, vectors = found
    del found
    sigma, stages = _sharpen(matrix, squares, vectors, notes)
    sigma, order = sigma.sort(descending=True, stable=True)
    if not torch.equal(order, torch.arange(len(order), device=order.device)):
        vectors = vectors[:, order]
    rank = numerical_rank(sigma, matrix.columns)
    return Factors(vectors, sigma, rank, "exact", stages, tuple(notes), matrix.parts)


def factorise_directly(matrix: Matrix) -> Factors:
    """As `factorise`, by a float64 SVD of the triangle that a QR of the matrix leaves ("float64").

    Nothing is squared: vectors of small singular values keep the digits that a Gram matrix loses.

    Raises:
        RuntimeError: the decomposition does not converge on the CPU either.
    """
    triangle = matrix.triangle().T
    # cuSOLVER's Jacobi method, torch's first choice on a GPU, is slow at this size and gives up digits.
    driver = "gesvd" if triangle.device.type == "cuda" else None
    try:
        vectors, sigma, _ = torch.linalg.svd(triangle, driver=driver)
    except RuntimeError:
        if triangle.device.type == "cpu":
            raise
        vectors, sigma, _ = (t.to(triangle.device) for t in torch.linalg.svd(triangle.cpu()))
    rank = numerical_rank(sigma, matrix.columns)
    return Factors(vectors, sigma, rank, "float64", (0,), (), matrix.parts)


def singular_values(matrix: Matrix, notes: list[str]) -> Tensor:
    """Singular values of a wide matrix by the eigenvalues of its Gram matrix: [rows] float64, descending.

    Values below 1e-7 * sigma_1 are lost in the rounding of the squares and are returned as zero. `notes` is
    told of solvers that failed.
    """
    gram = matrix.gram()
    for device in _devices(matrix):
        squares = _eigenvalues(gram, device)
        if squares is not None:
            squares[squares < LOST * squares[0]] = 0.0
            sigma: Tensor = squares.sqrt()
            return sigma
        notes.append(f"The eigenvalues of the update found on {device} failed their check.")
    del gram
    found = factorise(matrix)
    notes.extend(found.notes)
    return found.sigma


def singular_vectors(matrix: Matrix, notes: list[str]) -> tuple[Tensor, Tensor]:
    """As `singular_values`, with the short-side vectors of what is not lost: [rows, rows] by columns."""
    found = _solve(matrix, notes)
    if found is None:
        direct = factorise_directly(matrix)
        return direct.sigma, direct.vectors
    squares, vectors = found
    return squares.masked_fill_(squares < LOST * squares[0], 0.0).sqrt(), vectors


def _devices(matrix: Matrix) -> tuple[torch.device, ...]:
    """Where to solve, and where to try again."""
    host = torch.device("cpu")
    both = (host, matrix.device) if matrix.rows <= HOST_ROWS else (matrix.device, host)
    return tuple(dict.fromkeys(both))


def _solve(matrix: Matrix, notes: list[str]) -> tuple[Tensor, Tensor] | None:
    """Eigenvalues (descending) and eigenvectors of W W^T that pass their check; None where none do."""
    gram = matrix.gram()
    for device in _devices(matrix):
        found = _eigen(gram, device)
        if found is None:
            notes.append(f"The eigenvalue solver failed on {device}.")
        elif _checks(matrix, *found):
            return found
        else:
            notes.append(f"The eigenvectors found on {device} failed their check.")
    return None


def _eigen(gram: Tensor, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Eigenvalues (descending) and eigenvectors of a symmetric matrix; None when the solver gives up."""
    try:
        squares, vectors = torch.linalg.eigh(gram.to(device), UPLO="L")
        return squares.flip(0).to(gram.device), vectors.flip(1).to(gram.device)
    except RuntimeError:  # no convergence, cuSOLVER's own failures and lack of memory are all of this kind
        return None


def _eigenvalues(gram: Tensor, device: torch.device) -> Tensor | None:
    """Eigenvalues, descending, whose sum and sum of squares are those of the matrix; else None."""
    try:
        found = torch.linalg.eigvalsh(gram.to(device), UPLO="L").flip(0).to(gram.device)
    except RuntimeError:
        return None
    squares = gram.new_zeros(())
    for top in range(
        0, len(gram), GRAM_ROWS
    ):  # the upper triangle holds nothing beyond the blocks on the diagonal
        low = min(top + GRAM_ROWS, len(gram))
        squares += 2 * gram[top:low, :top].square().sum() + gram[top:low, top:low].square().sum()
    size, slack = found.norm(), len(gram) * TOLERANCE
    same = (found.sum() - gram.trace()).abs() <= slack * size and (
        size - squares.sqrt()
    ).abs() <= slack * size
    return found if bool(same) else None


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


def _sharpen(
    matrix: Matrix, squares: Tensor, vectors: Tensor, notes: list[str]
) -> tuple[Tensor, tuple[int, ...]]:
    """Singular values from the Gram matrix's eigenvalues, and the stages; `vectors` is improved in place.

    Eigenvalues far below the largest drown in the rounding of the squares. Their eigenvectors still span the
    right space, and the matrix restricted to it has a Gram matrix with digits down to its own scale.
    """
    sigma = squares.clamp(min=0.0).sqrt()
    stages: tuple[int, ...] = (0,)
    size = len(sigma)
    while True:
        start = stages[-1] + int((squares >= TAIL * squares[0]).sum())
        if start in (stages[-1], size):
            return sigma, stages
        found = _solve(Projected(matrix, vectors[:, start:]), notes)
        if found is None:
            return sigma, stages
        squares, rotation = found
        stages = (*stages, start)
        sigma[start:] = squares.clamp(min=0.0).sqrt()
        vectors[:, start:] = vectors[:, start:] @ rotation
        if float(sigma[start]) <= ZERO_MARGIN * matrix.columns * EPS * float(sigma[0]):
            return sigma, stages
