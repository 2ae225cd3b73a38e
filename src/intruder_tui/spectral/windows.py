"""What block Lanczos proves about every eigenvector, seen or unseen: bounds by spectral windows.

Let A Q = Q T + E_s C Q' (Q' the next block, E_s the last block), with a backward error of norm e. For a
unit eigenvector z of A with eigenvalue mu, y = Q^T z has norm <= 1, and all block rows but the last of
(T - mu I) y vanish up to e. So for a window |mu - l| <= d, and F the block rows but the last of T - l I,
norm(F y) <= d + e. For any t > 0 this relaxes to one quadratic form, y^T (I + w F^T F) y <= 1 + t with
w = t / (d + e)^2, hence

    (s . z)^2 <= (1 + t) r^T [(I + w F^T F)^-1]_00 r        for every start vector s = Q_0 r.

The same holds for every unit vector of the window's whole eigenspace: with P its projector and S the start
block, S^T P S <= M(l, d) as symmetric matrices. In T's eigenbasis, with D = 1 / (1 + w (theta - l)^2), Y_0
and Y_s the first and last block rows of the eigenvectors and G = Y_s (theta - l) D Y_0^T, Woodbury's
identity gives

    [(I + w F^T F)^-1]_00 = Y_0 D Y_0^T + w G^T (Y_s D Y_s^T)^-1 G.

A start block that holds Gaussian probes also *counts*: see `probe_threshold`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import pairwise

import torch
from torch import Tensor

from intruder_tui.spectral.lanczos import Ritz

SLACK = 1.0 + 1e-4
"""Room for the rounding in Q's orthonormality and in the forms themselves."""
BATCH = 1 << 21
"""Numbers in each of a handful of temporary arrays (16 MiB)."""
FIRST_WINDOWS = 64
FLOOR_WINDOWS = 512
LOOSE, CLOSE = 0.05, 0.003
"""The t for most targets, and for those whose best match is near the limit."""
MOST_WINDOWS = 8192
DEPTH = 48
MOST_PARTS = 48
CONVERGED = 5e-3
"""Ritz vectors at most this far (residual over distance) from an eigenspace are taken out of the probes."""
FAILURE = 1e-12
"""Bound on the probability, per base vector and over our own random numbers, that a count is too low."""


def probe_threshold(probes: int, hidden: int) -> float:
    """The c under which the `hidden`-th eigenvalue of a probe form proves fewer than `hidden` vectors.

    For `hidden` orthonormal eigenvectors z_i and h Gaussian probes (unit variance), the matrix of g . z_i is
    h x hidden Gaussian; its smallest singular value is at least the smallest distance of a column to the span
    of the others over sqrt(hidden), each squared distance is chi-squared with v = h - hidden + 1 degrees of
    freedom, and P(chi^2_v <= x) <= (x / 2)^(v / 2) / Gamma(v / 2 + 1). The form bounds that matrix's square
    from above, so an eigenvalue under c means such vectors exist with probability at most FAILURE.
    """
    freedom = probes - hidden + 1
    if freedom < 1:
        return 0.0
    log_x = math.log(2.0) + (2.0 / freedom) * (math.log(FAILURE / hidden) + math.lgamma(freedom / 2.0 + 1.0))
    return math.exp(log_x) / hidden


class Windows:
    """The forms M(l, d) of one Lanczos run, for its start vectors: targets first, then probes.

    Attributes:
        ritz: the run's Ritz decomposition.
        targets: [k, s], start vectors that bounds are wanted for, times the Ritz vectors.
        probes: [h, s], the Gaussian start vectors (unit variance, not normalised), alike.
        ceiling: an upper bound on the eigenvalues of A.
        narrowest: half width under which a window gains nothing: the rounding, or what float64 forms resolve.
    """

    def __init__(self, ritz: Ritz, start: Tensor, targets: int, ceiling: float) -> None:
        """`start` ([b, c] float64) holds the start vectors by their coordinates in the first block."""
        self.ritz = ritz
        both = start.T @ ritz.first
        self.targets, self.probes = both[:targets], both[targets:]
        self.ceiling = ceiling
        self.narrowest = max(ritz.rounding, 2e-6 * float(ritz.values[0]))
        self._ascending = ritz.values.flip(0).tolist()
        # With room for rounding: from a cut just there a Ritz vector must count as converged.
        self._reach = (ritz.residuals.flip(0) / CONVERGED * SLACK).tolist()
        self._inner = _outer(ritz.last, ritz.last)
        self._width = len(ritz.first)
        self._probe_norm = float(torch.linalg.matrix_norm(start[:, targets:], 2))
        # Number n holds what proves fewer than n hidden vectors; the last one proves nothing.
        limits = [0.0] + [probe_threshold(len(self.probes), n + 1) for n in range(len(self.probes))] + [0.0]
        self._limits = torch.tensor(limits, dtype=torch.float64)

    def forms(
        self, low: Tensor, high: Tensor, some: Tensor, t: float, removed: Tensor | None = None
    ) -> Tensor:
        """M for the windows [low, high] ([g] each) and some vectors: [g, c, c].

        `some` holds any c vectors of the Krylov space by their Ritz coordinates ([c, s]); `removed` ([g, s])
        says which coordinates to leave out in which window.
        """
        columns = len(some) ** 2 + len(self.ritz.last) * (len(some) + len(self.ritz.last))
        columns += len(self.ritz.values)
        per = max(1, BATCH // max(1, columns))
        square, mixed = _outer(some, some), _outer(self.ritz.last, some)
        pieces = []
        for first in range(0, len(low), per):
            part = slice(first, first + per)
            left_out = None if removed is None else removed[part]
            pieces.append(self._forms(low[part], high[part], len(some), square, mixed, t, left_out))
        return torch.cat(pieces) if pieces else some.new_zeros(0, len(some), len(some))

    def _forms(
        self,
        low: Tensor,
        high: Tensor,
        count: int,
        square: Tensor,
        mixed: Tensor,
        t: float,
        removed: Tensor | None,
    ) -> Tensor:
        reach = ((high - low) / 2 + self.ritz.rounding).clamp(min=self.narrowest)
        weight = t / reach.square()
        offset = self.ritz.values - ((low + high) / 2)[:, None]
        damp = 1.0 / (1.0 + weight[:, None] * offset.square())
        kept = damp if removed is None else torch.where(removed, 0.0, damp)
        form = (kept @ square).view(-1, count, count)
        rest = len(self.ritz.last)
        if rest:
            across = ((offset * kept) @ mixed).view(-1, rest, count)
            factor, failed = torch.linalg.cholesky_ex((damp @ self._inner).view(-1, rest, rest))
            solved = torch.linalg.solve_triangular(factor, across, upper=False)
            form = form + weight[:, None, None] * (solved.mT @ solved)
            form[failed != 0] = math.inf
        return (1.0 + t) * SLACK * form

    def floor(self) -> float:
        """What all eigenvalues lie above: windows from 0 upwards that the probes prove to be empty.

        As `at_most_seen`, but for the narrow windows below the spectrum, where every converged Ritz vector
        that is taken out would leave more than it takes.
        """
        top = float(self.ritz.values[-1])
        if top <= 0.0:
            return 0.0
        count = max(1, min(FLOOR_WINDOWS, int(top / (4 * self.narrowest))))
        edges = top * torch.linspace(0.0, 1.0, count + 1, dtype=torch.float64)
        left = torch.linalg.matrix_norm(self.forms(edges[:-1], edges[1:], self.probes, 1.0), 2)
        empty = int((left < self._limits[1]).long().cumprod(0).sum())
        return float(edges[empty])

    def bounds(self, which: Tensor, limits: Tensor, t: float = LOOSE, floor: float = 0.0) -> Tensor:
        """Upper bounds on max (s_j . z)^2 over eigenvectors z of eigenvalue >= `floor`, for each target j.

        Targets are those of `which` ([k] bool), `limits` their limits.

        Windows are halved until target j is below limits[j] in each of them, or is found above it in one as
        narrow as windows get; its bound is then at least the limit. A bound exceeds the best match by a
        factor of at least 1 + t; a smaller t needs narrower windows.
        """
        targets = self.targets[which]
        found = torch.zeros_like(limits)
        low, high = self._cover(floor)
        alive = torch.ones_like(limits, dtype=torch.bool)
        for _ in range(DEPTH):
            squares = self.forms(low, high, targets, t).diagonal(dim1=-2, dim2=-1).clamp(max=1.0)
            narrow = (high - low) / 2 <= self.narrowest
            above = (squares >= limits) & alive
            settled = torch.where(above & ~narrow[:, None], 0.0, squares)
            found = torch.maximum(found, settled.amax(0))
            alive &= ~(above & narrow[:, None]).any(0)
            split = (above & alive).any(1) & ~narrow
            if not bool(split.any()):
                return torch.where(alive, found, 1.0)
            low, high = _halves(low[split], high[split])
            if len(low) > MOST_WINDOWS:
                break
        return torch.where((above & alive).any(0) | ~alive, 1.0, found)

    def at_most_seen(self, low: Tensor, high: Tensor) -> Tensor:
        """Whether [low, high] ([g] each) holds at most as many eigenvalues as Ritz values: [g] bool.

        More eigenvalues than the m Ritz values inside would leave a unit vector z of the window's eigenspace
        orthogonal to the m Ritz vectors, with norm(G^T A^f z) >= low^f * sqrt(probe_threshold). The form of
        the vectors A^f G (they lie in the Krylov space) bounds that norm from above, once their parts along
        the Ritz vectors inside are taken out, and those along converged ones outside, each of which is at
        most residual / distance of z. The power f keeps the many small eigenvalues of A out of the form.
        """
        result = torch.zeros(len(low), dtype=torch.bool)
        top = float(self.ritz.values[0])
        free = torch.ones_like(result)
        deep = len(self.ritz.values) > 3 * self._width
        for power in (2, 1, 0):
            noise = power * self.ritz.rounding * top ** max(0, power - 1) * self._probe_norm
            relative = noise / low.clamp(min=1e-300) ** power
            some = free & ((relative <= 0.1 * self._limits[1].sqrt()) & deep | (power == 0))
            free &= ~some
            if bool(some.any()):
                result[some] = self._at_most_seen(low[some], high[some], relative[some], power)
        return result

    def _at_most_seen(self, low: Tensor, high: Tensor, noise: Tensor, power: int) -> Tensor:
        theta, residuals = self.ritz.values, self.ritz.residuals
        # Half open, so that a Ritz value on a cut is not counted on both sides of it.
        inside = (theta >= low[:, None]) & (theta < high[:, None])
        distance = torch.maximum(low[:, None] - theta, theta - high[:, None])
        angle = torch.where(inside, 0.0, residuals / distance.clamp(min=1e-300))
        able = residuals <= 30 * self.ritz.rounding
        able[: 2 * len(self.probes)] = True
        removed = (angle <= CONVERGED) & (able | inside)
        scale = low[:, None] if power else torch.ones_like(low)[:, None]
        outside = torch.where(removed & ~inside, angle * (theta.clamp(min=0.0) / scale) ** power, 0.0)
        taken = self.probes[:, (outside > 0).any(0)]
        stray = outside.norm(dim=1) * torch.linalg.matrix_norm(taken, 2) if taken.numel() else 0.0
        left: Tensor = (
            self.forms(low, high, self.probes * theta**power, 1.0, removed).flatten(1).norm(dim=1).sqrt()
        )
        left = left / scale[:, 0] ** power
        return (
            left + stray + noise < self._limits[(inside.sum(1) + 1).clamp(max=len(self._limits) - 1)].sqrt()
        )

    def hiding(self, ranges: list[tuple[float, float]], patience: int = 8) -> list[list[tuple[float, float]]]:
        """For each range, its parts that may hold more eigenvalues than Ritz values; none is a proof.

        Windows that fail are cut at most `patience` times over, and a range is given up when its windows have
        become too many.
        """
        found: list[list[tuple[float, float]]] = [[] for _ in ranges]
        pending = [(owner, *part) for owner, whole in enumerate(ranges) for part in self._between(*whole)]
        least = 2 * self.narrowest
        for _ in range(patience):
            if not pending:
                break
            edges = torch.tensor([part[1:] for part in pending], dtype=torch.float64)
            proven = self.at_most_seen(edges[:, 0], edges[:, 1]).tolist()
            failed = [part for part, good in zip(pending, proven, strict=True) if not good]
            load = Counter(owner for owner, _, _ in failed)
            pending = []
            for owner, low, high in failed:
                if high - low <= least or load[owner] > MOST_PARTS:
                    found[owner].append((low, high))
                else:
                    pending += [(owner, *part) for part in self._parts(low, high)]
        for owner, low, high in pending:
            found[owner].append((low, high))
        return found

    def _inside(self, low: float, high: float) -> tuple[int, int]:
        return bisect_left(self._ascending, low), bisect_left(self._ascending, high)

    def _between(self, low: float, high: float) -> list[tuple[float, float]]:
        """[low, high] cut between its Ritz values where they are far enough apart to be told apart."""
        first, last = self._inside(low, high)
        cuts = [
            (self._ascending[i] + self._ascending[i + 1]) / 2
            for i in range(first, last - 1)
            if self._ascending[i + 1] - self._ascending[i] > 2 * max(self._reach[i], self._reach[i + 1])
        ]
        return list(pairwise([low, *(c for c in cuts if low < c < high), high]))

    def _parts(self, low: float, high: float) -> list[tuple[float, float]]:
        """A window cut around its Ritz values, or in half."""
        first, last = self._inside(low, high)
        cuts: list[float] = []
        if last > first:
            bottom, top = self._ascending[first], self._ascending[last - 1]
            least = max(self._reach[first:last])
            reach = max(least, min(bottom - low, high - top) / 4)
            cuts = [c for c in (bottom - reach, top + reach) if low < c < high]
        return list(pairwise([low, *(cuts or [(low + high) / 2]), high]))

    def _cover(self, low: float) -> tuple[Tensor, Tensor]:
        """Windows over [low, ceiling], even over the Ritz values, one beyond."""
        top = 1.01 * float(self.ritz.values[0])
        edges = torch.linspace(low, top, FIRST_WINDOWS + 1, dtype=torch.float64)
        edges = torch.cat((edges, torch.tensor([max(top, self.ceiling)], dtype=torch.float64)))
        return edges[:-1], edges[1:]


def _halves(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    middle = (low + high) / 2
    return torch.cat((low, middle)), torch.cat((middle, high))


def _outer(a: Tensor, b: Tensor) -> Tensor:
    """The products a[i, s] b[j, s] as [s, i * j]: weighted sums over s become one matrix product."""
    return (a[:, None, :] * b[None, :, :]).flatten(0, 1).T
