"""How the count depends on the definition: against eps at this k (Fig. 5), against k at this eps (Fig. 11).

Nothing is recomputed: both come from the bounds of best(j) that results hold. A curve has two edges, since a
bound, the rounding of a value near eps, or a cluster of tied base vectors may leave a vector open: certain
intruders below, certain and open ones together above.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.ledger import Ledger
from intruder_tui.results import Summary

Counts = NDArray[np.int64]
Array = NDArray[np.float64]

STEPS = 100
"""Parts of the eps axis and of the axis of shares."""


class Axis(StrEnum):
    """What a sweep varies."""

    EPS = "eps"
    K = "k"
    SHARE = "k / q"


@dataclass(frozen=True, eq=False, slots=True)
class Examined:
    """One analysed matrix: the bounds of its best(j), and q = min(out, in), how many vectors it has."""

    summary: Summary
    q: int


@dataclass(frozen=True, eq=False, slots=True)
class Sweep:
    """A count along one axis.

    Attributes:
        label: whose count it is.
        axis: what varies.
        at: [n] float64, ascending.
        certain: [n] int64, vectors that are certainly intruders.
        possible: [n] int64, those and the open ones (`Verdict.open`); never below `certain`.
        matrices: how many matrices it sums over.
        q: how many vectors each of them has; None where that differs, or is of no matter to the axis.
    """

    label: str
    axis: Axis
    at: Array
    certain: Counts
    possible: Counts
    matrices: int
    q: int | None = None

    def value(self, at: float) -> tuple[int, int]:
        """(certain, possible) at a setting: what the last point up to it says; (0, 0) before the first."""
        place = int(np.searchsorted(self.at, at + 1e-9, side="right")) - 1
        return (0, 0) if place < 0 else (int(self.certain[place]), int(self.possible[place]))


def members_of(ledger: Ledger, names: Iterable[str]) -> list[Examined]:
    """Those matrices that a checkpoint has and whose answer is known; unchanged ones hold no intruder."""
    members = []
    for name in names:
        summary = ledger.summary(name) if ledger.has(name) else None
        if summary is not None and not summary.unchanged:
            members.append(Examined(summary, min(ledger.row(name).shape)))
    return members


@dataclass(frozen=True, eq=False, slots=True)
class Stack:
    """The bounds of many matrices' best(j) on one side, laid together so that thousands are counted at once.

    Attributes:
        most, least: [n, l] float64: certainly an intruder at every eps above, certainly matched at every eps
            up to it; infinite beyond the vectors that a result holds.
        held: [n] int64, how many vectors each result holds.
        q: [n] int64, how many each matrix has.
    """

    most: Array
    least: Array
    held: Counts
    q: Counts


def stack(members: Sequence[Examined], side: Side) -> Stack:
    """Lay the members' bounds together."""
    sides = [member.summary.side(side) for member in members]
    held = np.array([len(one.lower) for one in sides], np.int64)
    kept = np.arange(int(held.max(initial=0))) < held[:, None]
    most, least = (np.full(kept.shape, np.inf) for _ in range(2))
    if kept.any():
        most[kept] = np.concatenate([one.surely for one in sides])
        least[kept] = np.concatenate([one.possibly for one in sides])
    return Stack(most, least, held, np.array([member.q for member in members], np.int64))


def by_eps(
    label: str, members: Sequence[Examined], definition: Definition, bounds: Stack | None = None
) -> Sweep:
    """Counts among j < k for eps from 0 to 1; the definition's own eps is one of the points.

    Vectors j < k beyond what a result holds are undecided at every eps above 0. `bounds` are those of the
    members, where they are at hand.
    """
    at = np.unique(np.append(np.linspace(0, 1, STEPS + 1), definition.eps))
    bounds = bounds or stack(members, definition.side)
    ks = np.minimum(definition.k, bounds.q)
    unknown = int(np.maximum(ks - bounds.held, 0).sum())
    certain, possible = (_below(ends[:, : definition.k], at) for ends in (bounds.most, bounds.least))
    return Sweep(label, Axis.EPS, at, certain, possible + unknown * (at > 0), len(members))


def _below(values: Array, thresholds: Array) -> Counts:
    """How many values lie below each of some ascending thresholds."""
    first = np.searchsorted(thresholds, values.ravel(), side="right")
    return np.cumsum(np.bincount(first, minlength=len(thresholds))[: len(thresholds)])


def by_k(
    label: str,
    members: Sequence[Examined],
    definition: Definition,
    most: int | None = None,
    bounds: Stack | None = None,
) -> Sweep:
    """Counts at eps for every k from 1 to `most` (None: as many vectors as any result holds, at least k)."""
    bounds = bounds or stack(members, definition.side)
    last = max(int(bounds.held.max(initial=0)), definition.k) if most is None else most
    last = max(1, min(last, int(bounds.q.max(initial=0)) or last))
    ks = np.arange(1, last + 1)
    certain, possible = _sums(bounds, definition.eps, ks)
    return Sweep(label, Axis.K, ks.astype(np.float64), certain, possible, len(members))


def by_share(
    label: str, members: Sequence[Examined], definition: Definition, bounds: Stack | None = None
) -> Sweep:
    """Counts at eps where every matrix examines the same share of its q vectors: k = ceil(share q).

    Shares run to the largest one that any result holds.
    """
    bounds = bounds or stack(members, definition.side)
    most = float((bounds.held / np.maximum(bounds.q, 1)).max()) if len(members) else 1.0
    shares = np.linspace(0, most, STEPS + 1)[1:]
    certain, possible = np.zeros(STEPS, np.int64), np.zeros(STEPS, np.int64)
    sizes = np.unique(bounds.q).tolist()
    for q in sizes:
        alike = bounds.q == q
        part = Stack(bounds.most[alike], bounds.least[alike], bounds.held[alike], bounds.q[alike])
        counts = _sums(part, definition.eps, np.ceil(shares * q - 1e-9).astype(np.int64))
        certain, possible = certain + counts[0], possible + counts[1]
    only = sizes[0] if len(sizes) == 1 else None
    return Sweep(label, Axis.SHARE, shares, certain, possible, len(members), only)


def _sums(bounds: Stack, eps: float, ks: Counts) -> tuple[Counts, Counts]:
    """Certain and possible counts at one eps for several k, each cut to a matrix's own q."""
    held = np.minimum(ks, bounds.most.shape[1])
    certain, possible = (
        np.append(0, np.cumsum((ends < eps).sum(axis=0, dtype=np.int64)))[held]
        for ends in (bounds.most, bounds.least)
    )
    if eps > 0:
        # Matrices of one size whose results are of one length lack the same vectors.
        kinds, counts = np.unique(np.stack([bounds.q, bounds.held], axis=1), axis=0, return_counts=True)
        for (q, known), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            possible = possible + count * np.maximum(np.minimum(ks, q) - known, 0)
    return certain, possible
