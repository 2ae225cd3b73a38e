"""Sweeps drawn: the count over eps, and over k or k / q, as curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.findings.sweep import Axis, Sweep
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot, beside

TELLING = 0.8
"""The eps up to which a count over eps is always shown whole."""
WIDE = 100
"""Columns from which the two sweeps stand beside each other."""


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
        half = self.lines // 2
        for upper in sorted(range(2, self.lines - 1), key=lambda lines: abs(lines - half)):
            plots = self._plot(Axis.EPS, upper - 1), self._plot(self._second, self.lines - upper - 1)
            if all(plot.fits(options.max_width) for plot in plots):  # a longer legend takes more lines
                for head, plot in zip(heads, plots, strict=True):
                    yield Text(head, tone.strong, no_wrap=True)
                    yield plot
                return
        yield Text(heads[0], tone.strong, no_wrap=True)
        yield self._plot(Axis.EPS, self.lines - 2)
        yield Text(f"no room for the {heads[1]}", tone.muted, no_wrap=True, overflow="ellipsis")

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
