"""The alpha slider: what the count, the strongest vectors and what carries them are at another scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from intruder_tui.definition import Definition
from intruder_tui.studies.answers import Scalings
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot

CARRIES = 0.01
"""Components with less of a vector's energy are not named."""
NAMED = 3
"""Components named for a vector."""
ROWS = 10
"""Vectors listed."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One tuned vector at one scaling.

    Attributes:
        j, sigma: its rank and singular value.
        lower, upper: bounds of best(j).
        match: the base vector that attains it; None where unknown.
        parts: (component of dW, share of the vector's energy in it), largest first; empty where not known.
        rest: share of its energy outside every component that is known.
    """

    j: int
    sigma: float
    lower: float
    upper: float
    match: int | None
    parts: tuple[tuple[int, float], ...]
    rest: float


def carried(scalings: Scalings, at: int, definition: Definition, most: int = ROWS) -> list[Carried]:
    """The examined vectors at grid place `at`: intruders first, by rank, then the others."""
    spread = scalings.side(definition.side)
    k = min(definition.k, scalings.limit)
    order = sorted(range(k), key=lambda j: (spread.upper[at, j] >= definition.eps, j))
    found = []
    for j in sorted(order[:most]):
        shares = spread.shares[at, j]
        named = [int(c) for c in np.argsort(-shares, kind="stable")[:NAMED] if shares[c] >= CARRIES]
        match = int(spread.index[at, j])
        found.append(
            Carried(
                j,
                float(scalings.sigma[at, j]),
                float(spread.lower[at, j]),
                float(spread.upper[at, j]),
                match if match >= 0 else None,
                tuple((c, float(shares[c])) for c in named),
                max(0.0, 1.0 - float(shares.sum())),
            )
        )
    return found


def scaling_name(scalings: Scalings, at: int) -> str:
    """ "scaling 2 (alpha 32)": alpha as it would be at this rank without rank stabilisation."""
    value = float(scalings.scalings[at])
    text = f"scaling {value:.4g}"
    if scalings.adapter_rank and scalings.scaling != 1.0:
        text += f" (alpha {value * scalings.adapter_rank:.4g} at r {scalings.adapter_rank})"
    return text


def count_name(scalings: Scalings, at: int, definition: Definition) -> str:
    """ "3 intruders", "3 to 5 intruders"."""
    certain, possible = (int(counts[at]) for counts in scalings.counts(definition))
    if certain == possible:
        return numbers.plural(certain, "intruder", "intruders")
    return f"{certain} to {possible} intruders"


def scaling_words(scalings: Scalings, at: int, definition: Definition) -> str:
    """What the slider says: the count here, at the adapter's own scaling, and where the first comes in."""
    own = scalings.own
    here = count_name(scalings, at, definition)
    times = "the adapter's own" if at == own else f"{scalings.multiples[at]:.4g} times the adapter's own"
    text = f"At {scaling_name(scalings, at)}, {times}: {here}"
    if at != own:
        text += f"; at {scalings.scaling:.4g}: {count_name(scalings, own, definition)}"
    first = np.flatnonzero(scalings.counts(definition)[0] > 0)
    if len(first) and first[0]:
        below, value = (float(scalings.scalings[place]) for place in (first[0] - 1, first[0]))
        text += f". The first comes between {below:.4g} and {value:.4g}"
    elif not len(first):
        text += f". None up to {float(scalings.scalings[-1]):.4g}"
    if definition.k > scalings.limit:
        text += f". Only the first {scalings.limit} vectors are known here, k is {definition.k}"
    return text + "."


@dataclass(frozen=True, eq=False)
class ScalingView:
    """A rich renderable: the count over the scaling with the slider, words, and what carries each vector.

    Attributes:
        at: the slider's place in the grid.
        lines: for the plot.
    """

    scalings: Scalings
    at: int
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 12

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Words, plot, table."""
        tone = tones(self.mode)
        yield Text(scaling_words(self.scalings, self.at, self.definition))
        yield self._plot()
        yield Text()
        yield self._table(options.max_width)
        if self.scalings.components.size:
            yield Text(
                "Components are those of dW's singular value decomposition, the largest first: which rank of "
                "B and A holds a direction is not determined, B A = (B M)(M^-1 A).",
                tone.muted,
            )

    def _plot(self) -> Plot:
        certain, possible = (counts.astype(float) for counts in self.scalings.counts(self.definition))
        order = np.argsort(self.scalings.scalings)  # an adapter may be taken away: its scalings descend
        x = self.scalings.scalings[order]
        curve = Curve("intruders", x, certain[order], possible[order], steps=True)
        setting = (float(self.scalings.scalings[self.at]), scaling_name(self.scalings, self.at))
        return Plot(
            [curve],
            "scaling",
            setting=setting,
            whole_y=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=self.lines,
        )

    def _table(self, width: int) -> Table:
        tone, glyphs = tones(self.mode), self.glyphs
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=tone.muted)
        heads = ["j", glyphs.sigma, "best |cos|", "base i"]
        for head in heads:
            table.add_column(head, justify="right", no_wrap=True)
        known = bool(self.scalings.components.size)
        if known:
            table.add_column("dW's component: energy", overflow="ellipsis")
            if width >= 64:
                table.add_column("elsewhere", justify="right", no_wrap=True)
        for row in carried(self.scalings, self.at, self.definition):
            intruder = row.upper < self.definition.eps
            cells = [
                str(row.j),
                numbers.three_digits(row.sigma),
                numbers.cosine(row.lower, row.upper, eps=self.definition.eps, glyphs=glyphs),
                glyphs.dash if row.match is None else str(row.match),
            ]
            if known:
                cells.append(parts_text(row, glyphs))
                if width >= 64:
                    cells.append(numbers.percent(row.rest))
            table.add_row(*(Text(cell, tone.accent if intruder else tone.text) for cell in cells))
        return table


def parts_text(row: Carried, glyphs: Glyphs = UNICODE) -> str:
    """ "0: 92 %, 3: 4 %"; a dash where none carries a hundredth."""
    if not row.parts:
        return glyphs.dash
    return ", ".join(f"{c}: {numbers.percent(share)}" for c, share in row.parts)
