"""How the count depends on the definition: against eps at this k (Fig. 5), against k at this eps (Fig. 11).

Nothing is recomputed: both come from the bounds of best(j) that results hold. A curve has two edges, since a
bound, the rounding of a value near eps, or a cluster of tied base vectors may leave a vector open: certain
intruders below, certain and open ones together above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.results import MatrixResult, Summary
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
    """

    label: str
    axis: Axis
    at: Array
    certain: Counts
    possible: Counts
    matrices: int

    def value(self, at: float) -> tuple[int, int]:
        """(certain, possible) at a setting: what the last point up to it says; (0, 0) before the first."""
        place = int(np.searchsorted(self.at, at + 1e-9, side="right")) - 1
        return (0, 0) if place < 0 else (int(self.certain[place]), int(self.possible[place]))


def matrix_members(result: MatrixResult) -> list[Examined]:
    """One matrix as what a sweep sums over; none where it is unchanged."""
    return [] if result.unchanged else [Examined(result.summary(), min(result.shape))]


def session_members(session: Session) -> list[Examined]:
    """The analysed matrices of the session's default ones; unchanged ones hold no intruder at any setting."""
    members = []
    for name in session.default_names:
        summary = session.summary(name)
        if summary is not None and not summary.unchanged:
            members.append(Examined(summary, min(session.row(name).shape)))
    return members


def by_eps(label: str, members: Sequence[Examined], definition: Definition) -> Sweep:
    """Counts among j < k for eps from 0 to 1; the definition's own eps is one of the points.

    Vectors j < k beyond what a result holds are undecided at every eps above 0.
    """
    at = np.unique(np.append(np.linspace(0, 1, STEPS + 1), definition.eps))
    certain = np.zeros(len(at), np.int64)
    possible = np.zeros(len(at), np.int64)
    for member in members:
        k = min(definition.k, member.q)
        side = member.summary.side(definition.side)
        # In float64, as `Similarity.verdict` compares.
        least, most = (np.sort(ends[:k].astype(np.float64)) for ends in (side.possibly, side.surely))
        certain += np.searchsorted(most, at, side="left")
        possible += np.searchsorted(least, at, side="left")
        possible += (k - len(least)) * (at > 0)
    return Sweep(label, Axis.EPS, at, certain, possible, len(members))


def by_k(label: str, members: Sequence[Examined], definition: Definition, most: int | None = None) -> Sweep:
    """Counts at eps for every k from 1 to `most` (None: as many vectors as any result holds, at least k)."""
    held = max((len(member.summary.side(definition.side).lower) for member in members), default=0)
    last = max(held, definition.k) if most is None else most
    last = max(1, min(last, max((member.q for member in members), default=last)))
    ks = np.arange(1, last + 1)
    certain, possible = _sums(members, definition, len(ks), lambda member: ks)
    return Sweep(label, Axis.K, ks.astype(np.float64), certain, possible, len(members))


def by_share(label: str, members: Sequence[Examined], definition: Definition) -> Sweep:
    """Counts at eps where every matrix examines the same share of its q vectors: k = ceil(share q).

    Shares run to the largest one that any result holds.
    """
    sides = [(member, member.summary.side(definition.side)) for member in members]
    most = max((len(side.lower) / member.q for member, side in sides), default=1.0)
    shares = np.linspace(0, most, STEPS + 1)[1:]
    certain, possible = _sums(
        members, definition, STEPS, lambda member: np.ceil(shares * member.q - 1e-9).astype(np.int64)
    )
    return Sweep(label, Axis.SHARE, shares, certain, possible, len(members))


def _sums(
    members: Sequence[Examined], definition: Definition, points: int, ks_of: Callable[[Examined], Counts]
) -> tuple[Counts, Counts]:
    certain, possible = np.zeros(points, np.int64), np.zeros(points, np.int64)
    eps = definition.eps
    for member in members:
        ks = np.minimum(ks_of(member), member.q)
        side = member.summary.side(definition.side)
        held = np.minimum(ks, len(side.lower))
        certain += np.append(0, np.cumsum(side.surely.astype(np.float64) < eps, dtype=np.int64))[held]
        possible += np.append(0, np.cumsum(side.possibly.astype(np.float64) < eps, dtype=np.int64))[held]
        if eps > 0:
            possible += ks - held
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
        by_eps, by_k: the same curves along both axes, one per checkpoint or a single one.
        definition: the current setting, marked on both.
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
            f"count over k at {self.glyphs.eps} {eps:.2f}",
        ]
        if not any(sweep.matrices for sweep in self.by_eps):
            yield Text("nothing analysed to sweep over", tone.muted)
            return
        if options.max_width >= WIDE:
            width = (options.max_width - 2) // 2
            yield Text(f"{heads[0]:<{width + 2}}{heads[1]}", tone.strong, no_wrap=True)
            yield from beside(
                console, options, [self._plot(axis, self.lines - 1) for axis in (Axis.EPS, Axis.K)]
            )
            return
        yield Text(heads[0], tone.strong, no_wrap=True)
        yield self._plot(Axis.EPS, self.lines // 2 - 1)
        yield Text(heads[1], tone.strong, no_wrap=True)
        yield self._plot(Axis.K, self.lines - self.lines // 2 - 1)

    def _plot(self, axis: Axis, lines: int) -> Plot:
        over_eps = axis is Axis.EPS
        sweeps = self.by_eps if over_eps else self.by_k
        at = self.definition.eps if over_eps else float(self.definition.k)
        tone = tones(self.mode)
        curves = [
            Curve(
                f"{printable(sweep.label, 40)} {count_text(*sweep.value(at), self.glyphs)}",
                sweep.at,
                sweep.certain.astype(np.float64),
                sweep.possible.astype(np.float64),
                steps=True,
                style=tone.accent if len(sweeps) == 1 else None,
            )
            for sweep in sweeps
        ]
        setting = f"{self.glyphs.eps} {at:.2f}" if over_eps else f"k {self.definition.k}"
        return Plot(
            curves,
            self.glyphs.eps if over_eps else "k",
            y_limits=(0, top) if over_eps and (top := cut(self.by_eps, self.definition)) else None,
            setting=(at, setting),
            whole_x=not over_eps,
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
