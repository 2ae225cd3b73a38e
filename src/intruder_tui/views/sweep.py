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
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition, Side
from intruder_tui.engine.session import Session
from intruder_tui.results import Summary
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot, beside

Counts = NDArray[np.int64]
Array = NDArray[np.float64]

STEPS = 100
"""Parts of the eps axis and of the axis of shares."""
TELLING = 0.8
"""The eps up to which a count over eps is always shown whole."""
WIDE = 100
"""Columns from which the two sweeps stand beside each other."""


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


def members_of(session: Session, names: Iterable[str]) -> list[Examined]:
    """Those matrices that a session has and knows; unchanged ones hold no intruder at any setting."""
    members = []
    for name in names:
        try:
            summary = session.summary(name)
        except KeyError:  # this checkpoint lacks the matrix
            continue
        if summary is not None and not summary.unchanged:
            members.append(Examined(summary, min(session.row(name).shape)))
    return members


def session_members(session: Session) -> list[Examined]:
    """The analysed ones of the session's default matrices."""
    return members_of(session, session.default_names)


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


def cut(by_eps: Sequence[Sweep], definition: Definition) -> int | None:
    """Where a plot over eps cuts the count: near eps = 1 every vector counts, which would flatten the rest.

    None where nothing is cut.
    """
    telling = max(TELLING, min(1.0, definition.eps + 0.1))
    top = max(1, 2 * max((sweep.value(telling)[1] for sweep in by_eps), default=0))
    return top if any(sweep.possible[-1] > top for sweep in by_eps) else None


@dataclass(frozen=True, eq=False)
class SweepView:
    """A rich renderable of both sweeps, beside each other where there is room, else one above the other.

    Attributes:
        by_eps, by_k: the same curves along both axes, one per checkpoint or a single one; the second ones
            over k, or over k as a share of q.
        definition: the current setting, marked on both; matrices of different q have no share in common.
        lines: the most lines it may take.
    """

    by_eps: Sequence[Sweep]
    by_k: Sequence[Sweep]
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 30

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A line on the setting, then the plots."""
        tone = tones(self.mode)
        eps, k = self.definition.eps, self.definition.k
        heads = [
            f"count over {self.glyphs.eps} at k {k}"
            + (f", cut above {top}" if (top := cut(self.by_eps, self.definition)) else ""),
            f"count over {self._second} at {self.glyphs.eps} {eps:.2f}",
        ]
        if not any(sweep.matrices for sweep in self.by_eps):
            yield Text("nothing analysed to sweep over", tone.muted)
            return
        if options.max_width >= WIDE:
            width = (options.max_width - 2) // 2
            yield Text(f"{heads[0]:<{width + 2}}{heads[1]}", tone.strong, no_wrap=True)
            yield from beside(
                console, options, [self._plot(axis, self.lines - 1) for axis in (Axis.EPS, self._second)]
            )
            return
        yield Text(heads[0], tone.strong, no_wrap=True)
        yield self._plot(Axis.EPS, self.lines // 2 - 1)
        yield Text(heads[1], tone.strong, no_wrap=True)
        yield self._plot(self._second, self.lines - self.lines // 2 - 1)

    @property
    def _second(self) -> Axis:
        return self.by_k[0].axis if self.by_k else Axis.K

    def _setting(self, axis: Axis) -> tuple[float, str] | None:
        """Where the definition stands on an axis, and what the legend says of it."""
        eps, k = self.definition.eps, self.definition.k
        if axis is Axis.EPS:
            return eps, f"{self.glyphs.eps} {eps:.2f}"
        if axis is Axis.K:
            return float(k), f"k {k}"
        sizes = {sweep.q for sweep in self.by_k}
        q = sizes.pop() if len(sizes) == 1 else None
        return None if q is None else (min(k, q) / q, f"k {share_text(k, q)}")

    def _plot(self, axis: Axis, lines: int) -> Plot:
        over_eps = axis is Axis.EPS
        sweeps = self.by_eps if over_eps else self.by_k
        setting = self._setting(axis)
        tone = tones(self.mode)
        counts = [
            "" if setting is None else f" {count_text(*sweep.value(setting[0]), self.glyphs)}"
            for sweep in sweeps
        ]
        curves = [
            Curve(
                f"{printable(sweep.label, 40)}{count}",
                sweep.at,
                sweep.certain.astype(np.float64),
                sweep.possible.astype(np.float64),
                steps=True,
                style=tone.accent if len(sweeps) == 1 else None,
            )
            for sweep, count in zip(sweeps, counts, strict=True)
        ]
        return Plot(
            curves,
            self.glyphs.eps if over_eps else axis.value,
            y_limits=(0, top) if over_eps and (top := cut(self.by_eps, self.definition)) else None,
            setting=setting,
            whole_x=axis is Axis.K,
            whole_y=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=lines,
        )


def count_text(certain: int, possible: int, glyphs: Glyphs = UNICODE) -> str:
    """ "7", or "7–9" where two are undecided."""
    return str(certain) if certain == possible else f"{certain}{glyphs.to}{possible}"


def share_text(k: int, q: int) -> str:
    """ "10 of 4096, 0.24 % of all"."""
    return f"{min(k, q)} of {q}, {numbers.percent(min(k, q) / q)} of all"
