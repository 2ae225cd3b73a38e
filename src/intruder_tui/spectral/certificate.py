"""Bounds on how well any base vector matches each target, from one block Lanczos run on the base."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from intruder_tui.spectral.lanczos import BlockLanczos, private_generator
from intruder_tui.spectral.operators import Symmetric
from intruder_tui.spectral.topk import ceiling_of
from intruder_tui.spectral.windows import CLOSE, LOOSE, Windows

PROBES = 14
CHECKS = (8, 12, 16, 24, 32)
FLOOR_CHECKS = (12, 14, 16, 18, 20, 24, 32)
GOOD_FLOOR = 0.1
LARGEST_CLUSTER = 3
PATIENCE = 4
MARGINS = 4


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """Target j is matched once lower >= enough[j], an intruder once upper < small[j]: [k] float64."""

    enough: Tensor
    small: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Bounds:
    """[k] float64 on the CPU: lower <= max_i |z_i . s_j| <= upper."""

    lower: Tensor
    upper: Tensor


def eigenvalue_floor(a: Symmetric, *, seed: int = 0) -> float:
    """A lower bound on the smallest eigenvalue of A, from products alone; 0 where a few do not prove one.

    It fails with the probability of `probe_threshold` over its own random start.
    """
    generator = private_generator(a.device, seed)
    probes = torch.randn(min(PROBES, a.size), a.size, generator=generator, dtype=a.dtype, device=a.device)
    lanczos = BlockLanczos(a, probes, FLOOR_CHECKS[-1], seed + 1)
    floor = 0.0
    for check in FLOOR_CHECKS:
        while lanczos.steps < check and not lanczos.full:
            lanczos.step()
        ritz = lanczos.ritz()
        ceiling = ceiling_of(ritz, lanczos.steps, len(probes), a.size)
        if math.isfinite(ceiling):
            floor = max(floor, Windows(ritz, lanczos.start, 0, ceiling).floor())
        if lanczos.full or floor > GOOD_FLOOR * float(ritz.values[-1]):
            break
    return floor


def certify(a: Symmetric, targets: Tensor, wanted: Wanted, *, floor: float = 0.0, seed: int = 0) -> Bounds:
    """Bound max_i |z_i . s_j| over the eigenvectors z_i of A of eigenvalue >= `floor`, for each target s_j.

    `targets` ([k, size]) are unit vectors or shorter. Iterates until every one is decided or more steps are
    not worth it.
    """
    k = len(targets)
    generator = private_generator(a.device, seed)
    probes = torch.randn(PROBES, a.size, generator=generator, dtype=a.dtype, device=a.device)
    lanczos = BlockLanczos(a, torch.cat((targets, probes)), CHECKS[-1], seed + 1)
    lower = torch.zeros(k, dtype=torch.float64)
    upper = torch.ones(k, dtype=torch.float64)
    for check in CHECKS:
        while lanczos.steps < check and not lanczos.full:
            lanczos.step()
        ritz = lanczos.ritz()
        ceiling = ceiling_of(ritz, lanczos.steps, PROBES, a.size)
        if not math.isfinite(ceiling):
            continue
        windows = Windows(ritz, lanczos.start, k, ceiling)
        _raise_lower(windows, wanted, floor, lower, upper)
        _lower_upper(windows, wanted, floor, lower, upper)
        if lanczos.full or not bool(((upper >= wanted.small) & (lower < wanted.enough)).any()):
            break
    return Bounds(lower, upper)


@dataclass(frozen=True, slots=True)
class _Claim:
    """That Ritz vectors first..last hold the share `held` of a target, and stand for as many eigenvectors.

    Attributes:
        residual: norm of the group's residual.
        least, margin: how far around the group must, and could, be free of other eigenvalues.
    """

    target: int
    first: int
    last: int
    held: float
    residual: float
    least: float
    margin: float

    def window(self, windows: Windows) -> tuple[float, float]:
        """The group's Ritz values and the margin around them."""
        theta = windows.ritz.values
        low, high = float(theta[self.last - 1]), float(theta[self.first])
        return low - self.margin, min(high + self.margin, windows.ceiling)

    @property
    def angle(self) -> float:
        """Bound on the angle between the group and the window's eigenspace (Davis & Kahan 1970)."""
        return math.asin(self.residual / self.margin)


def _raise_lower(windows: Windows, wanted: Wanted, floor: float, lower: Tensor, upper: Tensor) -> None:
    """Raise `lower` by the Ritz vector, or the few neighbouring ones, that hold most of a target.

    If a window holds no more eigenvalues than its m Ritz vectors, the projection of the target on its
    eigenspace is at most asin(residual / margin) from that on the Ritz vectors, and the best of the m
    eigenvectors has at least the share 1 / sqrt(m) of it.
    """
    parts = _from(windows, floor)
    for size in range(1, LARGEST_CLUSTER + 1):
        open_ = (upper >= wanted.small) & (lower < wanted.enough)
        claims = [
            claim
            for j in torch.nonzero(open_)[:, 0].tolist()
            if (claim := _claim(windows, parts[j], j, size, float(wanted.enough[j]))) is not None
        ]
        for _ in range(MARGINS):
            claims = [
                c for c in claims if c.margin >= c.least and c.window(windows)[0] > windows.ritz.rounding
            ]
            if not claims:
                break
            hidden = windows.hiding([c.window(windows) for c in claims], PATIENCE)
            for claim, doubt in zip(claims, hidden, strict=True):
                if not doubt:
                    _accept(claim, lower, upper)
            claims = [
                replace(c, margin=c.margin / 4) for c, doubt in zip(claims, hidden, strict=True) if doubt
            ]


def _lower_upper(windows: Windows, wanted: Wanted, floor: float, lower: Tensor, upper: Tensor) -> None:
    """Lower `upper` by windows over the spectrum from `floor` on, for targets that look like intruders."""
    largest = _from(windows, floor).square().amax(1)
    limits = wanted.small.square()
    for t in (LOOSE, CLOSE):
        possible = largest * (1.0 + 1.1 * t) < limits
        open_ = (upper >= wanted.small) & (lower < wanted.enough) & possible
        if bool(open_.any()):
            squares = windows.bounds(open_, limits[open_], t, floor)
            upper[open_] = torch.minimum(upper[open_], squares.clamp(0.0, 1.0).sqrt())


def _accept(claim: _Claim, lower: Tensor, upper: Tensor) -> None:
    j, size = claim.target, claim.last - claim.first
    held, angle = math.acos(claim.held), claim.angle
    lower[j] = max(float(lower[j]), math.cos(min(math.pi / 2, held + angle)) / math.sqrt(size))
    if size == 1 and lower[j] ** 2 > 0.5:
        # No other eigenvector can hold more than what this one leaves.
        upper[j] = min(float(upper[j]), math.cos(max(0.0, held - angle)))


def _claim(windows: Windows, parts: Tensor, j: int, size: int, enough: float) -> _Claim | None:
    ritz = windows.ritz
    theta = ritz.values
    group = _neighbours(theta, int(parts.abs().argmax()), size)
    wish = enough * math.sqrt(size)
    if group is None:
        return None
    first, last = group
    held = min(1.0, float(parts[first:last].norm()))
    if held <= wish or wish >= 1.0:
        return None
    residual = ritz.rounding
    if len(ritz.last):
        residual += float(torch.linalg.matrix_norm(ritz.coupling.T @ ritz.last[:, first:last], 2))
    least = residual / math.sin(math.acos(wish) - math.acos(held))
    above = float(theta[first - 1] - theta[first]) if first else math.inf
    below = float(theta[last - 1] - (theta[last] if last < len(theta) else 0.0))
    return _Claim(j, first, last, held, residual, least, min(above, below) / 2)


def _from(windows: Windows, floor: float) -> Tensor:
    """The targets' parts along Ritz vectors that may stand for eigenvalues >= `floor`: [k, s]."""
    return torch.where(windows.ritz.values >= floor, windows.targets, 0.0)


def _neighbours(theta: Tensor, best: int, size: int) -> tuple[int, int] | None:
    """A range of `size` Ritz values, the nearest to number `best`; None when there are fewer."""
    if size > len(theta):
        return None
    first, last = best, best + 1
    while last - first < size:
        above = float(theta[first - 1] - theta[best]) if first else math.inf
        below = float(theta[best] - theta[last]) if last < len(theta) else math.inf
        first, last = (first - 1, last) if above <= below else (first, last + 1)
    return first, last
