"""The leading eigenvectors of W W^T from products alone, each with a bound on its angle.

Block Lanczos from a random start. A start from the base's vectors would be nearer, but blind: where a deep
direction has moved into the top k it converges to the others and never sees that one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from intruder_tui.spectral.factors import EPS
from intruder_tui.spectral.lanczos import BlockLanczos, Ritz, private_generator
from intruder_tui.spectral.matrices import Matrix
from intruder_tui.spectral.operators import Symmetric
from intruder_tui.spectral.windows import FAILURE, Windows

EXTRA_COLUMNS = 8
FIRST_CHECK = 6
GAIN_PER_STEP = 9.0
"""What a step divides the angles by, as a rule: says when it is worth the while to look again."""
MOST_DIMENSIONS = 1024
HASTE, PATIENCE = 2, 8
"""How often windows are cut in the first proof, which one more step may make easy, and in all later ones."""
SETTLED = 3.0
"""Residuals within this many times the rounding bound gain nothing from more steps."""
GOOD_ANGLE = 5e-3
"""Tuned vectors this sure (radians) are sure enough for verdicts."""


@dataclass(frozen=True, eq=False, slots=True)
class TopVectors:
    """The k leading eigenvectors of a square.

    Attributes:
        rows: [k, size] in the operator's dtype, unit vectors by descending eigenvalue.
        values: [k] float64 on the CPU, Ritz values (eigenvalues from below).
        residuals: [k], norm(A x - theta x), rounding included.
        gaps: [k], distance of each Ritz value to the nearest place where another eigenvalue may lie; 0 where
            even the rank of the vector is open.
        ceiling: an upper bound on all eigenvalues.
        floor: no other eigenvalue lies above it, as far as the gaps speak at all.
    """

    rows: Tensor
    values: Tensor
    residuals: Tensor
    gaps: Tensor
    ceiling: float
    floor: float

    def angles(self) -> Tensor:
        """[k], bound on the angle between each row and the eigenvector of its rank (Davis & Kahan 1970)."""
        sine = torch.where(self.gaps > 0, self.residuals / self.gaps.clamp(min=1e-300), 1.0)
        return sine.clamp(max=1.0).asin()


def top_vectors(a: Symmetric, k: int, *, seed: int = 0, good: float = GOOD_ANGLE) -> TopVectors:
    """The k leading eigenvectors of A, k < A.size, iterated until their angles are under `good`.

    That nothing lies above or between them is proved by the random start itself, see `Windows.hiding`: it
    fails with probability below 1e-12 per eigenvector, over random numbers that A's maker can't know.
    """
    width = min(k + EXTRA_COLUMNS, a.size)
    generator = private_generator(a.device, seed)
    start = torch.randn(width, a.size, generator=generator, dtype=a.dtype, device=a.device)
    most = min(MOST_DIMENSIONS // width, -(-a.size // width))
    lanczos = BlockLanczos(a, start, most, seed + 1)
    known, check, tried = -1, FIRST_CHECK, False
    while True:
        lanczos.step()
        done = lanczos.full or lanczos.steps >= most
        if not done and lanczos.steps < check:
            continue
        ritz = lanczos.ritz()
        excess = _excess(ritz, k, good)
        check = lanczos.steps + max(1, math.ceil(math.log(max(1.0, excess), GAIN_PER_STEP)))
        if excess > 1.0 and not done:
            continue
        gaps, ceiling = _gaps(lanczos, ritz, k, width, a.size, PATIENCE if done or tried else HASTE)
        tried = True
        found = TopVectors(
            rows=_combine(ritz.vectors[:, :k], lanczos.basis()),
            values=ritz.values[:k],
            residuals=ritz.residuals[:k],
            gaps=gaps,
            ceiling=ceiling,
            floor=_floor(ritz.values, k),
        )
        settled = ritz.residuals[:k] <= SETTLED * ritz.rounding
        enough = (found.angles() <= good) | (settled & (gaps > 0))
        count = int((gaps > 0).sum())
        if done or bool(enough.all()) or (bool(settled.all()) and count <= known):
            return found
        known = count if bool(settled.all()) else -1


def ceiling_of(ritz: Ritz, steps: int, probes: int, size: int) -> float:
    """An upper bound on the largest eigenvalue, from the largest Ritz value of a random start.

    Kuczynski & Wozniakowski 1992, theorem 4.2: P(theta < (1 - e) lambda) <= 1.648 sqrt(size)
    exp(-sqrt(e) (2 steps - 1)) for one random vector; `probes` independent ones must all fail.
    """
    largest = max(0.0, float(ritz.values[0])) + ritz.rounding
    if len(ritz.last) == 0:
        return largest
    root = max(0.0, math.log(1.648) + 0.5 * math.log(size) - math.log(FAILURE) / probes) / (2 * steps - 1)
    return largest / (1.0 - root**2) if root < 0.9 else math.inf


def is_complete(matrix: Matrix, top: TopVectors) -> bool:
    """Whether the k vectors certainly stand for all eigenvalues of W W^T above `top.floor`: no luck involved.

    At least k lie there when the least Ritz value does by the norm of the residuals (Kahan 1967). At most k
    do when floor * I - W W^T + X diag(theta) X^T is positive definite (Weyl), which a float64 Cholesky
    factorisation of the whole Gram matrix decides, with room for its rounding (Higham 2002, theorem 10.3).
    """
    if not float(top.values[-1] - top.residuals.norm()) > top.floor:
        return False
    gram = matrix.gram()
    sizes = float(gram.trace()) + matrix.rows * top.floor + float(top.values.sum())
    rounding = (matrix.rows + matrix.columns) * EPS * sizes
    rows = top.rows.to(torch.float64)
    gram.neg_().addmm_((rows * top.values.to(rows.device)[:, None]).T, rows)
    gram.diagonal().add_(top.floor - rounding)
    return int(torch.linalg.cholesky_ex(gram)[1]) == 0


def _floor(theta: Tensor, k: int) -> float:
    return float(theta[k - 1] + (theta[k] if len(theta) > k else 0.0)) / 2


def _excess(ritz: Ritz, k: int, good: float) -> float:
    """How many times too large the worst angle is, or its residual where rounding is nearer; an estimate."""
    theta, residuals = ritz.values, ritz.residuals[:k]
    below = theta[:k] - torch.cat((theta[1 : k + 1], theta.new_zeros(1)))[:k]
    above = torch.cat((theta.new_full((1,), math.inf), theta[: k - 1] - theta[1:k]))
    sine = residuals / torch.minimum(below, above).clamp(min=1e-300)
    settled = residuals / max(SETTLED * ritz.rounding, 1e-300)
    return float(torch.minimum(sine / good, settled).amax())


def _gaps(
    lanczos: BlockLanczos, ritz: Ritz, k: int, probes: int, size: int, patience: int
) -> tuple[Tensor, float]:
    theta, residuals = ritz.values, ritz.residuals
    ceiling = ceiling_of(ritz, lanczos.steps, probes, size)
    gaps = torch.zeros(k, dtype=torch.float64)
    if not math.isfinite(ceiling):
        return gaps, ceiling
    # The j-th eigenvalue is at least the j-th Ritz value (Cauchy's interlacing).
    low = (theta - ritz.rounding).tolist()
    if len(ritz.last):
        count, floor = _counted(lanczos, ritz, k, ceiling, patience)
        high = [*(theta[:count] + _joint(residuals[:count].flip(0)).flip(0)).tolist(), floor]
    else:
        count, high = k, [*(theta + residuals).tolist(), -math.inf]
    for j in range(count):
        above = low[j - 1] - float(theta[j]) if j else math.inf
        gap = min(above, float(theta[j]) - high[j + 1])
        # Below that two eigenvalues can't be told apart: neither has a vector, those below keep theirs.
        gaps[j] = gap if gap > float(residuals[j]) else 0.0
    return gaps, ceiling


def _joint(residuals: Tensor) -> Tensor:
    """[k], how far the eigenvalues are that the first, the first two, ... of some Ritz values stand for.

    As many eigenvalues as there are Ritz values lie within the norm of their joint residual (Kahan 1967),
    which is at most the root of the sum of squares.
    """
    return residuals.square().cumsum(0).sqrt()


def _counted(lanczos: BlockLanczos, ritz: Ritz, k: int, ceiling: float, patience: int) -> tuple[int, float]:
    """How many of the k leading Ritz values stand for all eigenvalues above some floor, and that floor.

    No more eigenvalues than Ritz values may lie above the floor, and those that the Ritz values stand for
    must be above it themselves: else one of them could leave its place to an eigenvalue that was not seen.
    """
    theta = ritz.values
    least = theta[:k] - _joint(ritz.residuals[:k])
    windows = Windows(ritz, lanczos.start, 0, ceiling)
    count = k
    while count:
        floor, left = _floor(theta, count), count - 1
        if float(least[count - 1]) > floor:
            hidden = windows.hiding([(floor, ceiling)], patience)[0]
            if not hidden:
                return count, floor
            floor = max(b for _, b in hidden)
            seen = int((theta[:count] > floor).sum())
            if seen and float(least[seen - 1]) > floor:
                return seen, floor
            left = min(left, seen)
        count = left
    return 0, ceiling


def _combine(coordinates: Tensor, basis: Tensor) -> Tensor:
    """Unit rows from Ritz coordinates ([s, k], float64) and the Krylov basis ([s, size])."""
    rows: Tensor = coordinates.T.contiguous().to(basis.device, basis.dtype) @ basis
    return rows.div_(rows.norm(dim=1, keepdim=True))
