"""A series of checkpoints of one run: what each step shows of its intruders (Fig. 7).

Stored results hold cosines with the base, not vectors, so a tuned vector of one step can't be identified with
one of the next: neither its rank nor the base vector it matches best names it. What is followed is therefore
defined anew at every step: the vector with the lowest best(j), and the highest-ranking intruder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition, Verdict
from intruder_tui.engine.session import Session
from intruder_tui.results import MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot

FOLLOWED = (
    "Every step's vectors are found anew: a line joins the steps' lowest best |cos|, not one identified "
    "vector. Results hold cosines with the base, and these don't tell whether two tuned vectors are the same."
)


@dataclass(frozen=True, slots=True)
class Spot:
    """One tuned vector at one step.

    Attributes:
        j: its rank.
        sigma: its singular value in W1; None where it was not kept.
        lower, upper: bounds of best(j).
        match: argbest(j); None where unknown.
    """

    j: int
    sigma: float | None
    lower: float
    upper: float
    match: int | None


@dataclass(frozen=True, slots=True)
class Step:
    """One checkpoint of a series.

    Attributes:
        label: its name.
        step: the training step; None where nothing says it.
        certain, possible: intruders, without and with those that may be (`Verdict.open`); None while not
            analysed.
        lowest: the vector j < k with the lowest bound of best(j); None where nothing is compared.
        foremost: the intruder with the smallest rank j; None where there is none.
        relative_norm: norm_F(dW) / norm_F(W0); None while not analysed.
    """

    label: str
    step: int | None
    certain: int | None
    possible: int | None
    lowest: Spot | None
    foremost: Spot | None
    relative_norm: float | None


def step_of(label: str, step: int | None, result: MatrixResult | None, definition: Definition) -> Step:
    """What one matrix shows at one step; `result` is None while there is no answer."""
    if result is None:
        return Step(label, step, None, None, None, None, None)
    verdicts = result.side(definition.side).verdicts(definition)
    certain = [j for j, verdict in enumerate(verdicts) if verdict is Verdict.INTRUDER]
    undecided = sum(verdict.open for verdict in verdicts)
    upper = result.side(definition.side).upper
    lowest = _spot(result, int(upper[: len(verdicts)].argmin()), definition) if verdicts else None
    foremost = _spot(result, certain[0], definition) if certain else None
    return Step(
        label,
        step,
        len(certain),
        len(certain) + undecided,
        lowest,
        foremost,
        result.update.relative_norm,
    )


def matrix_series(
    sessions: Sequence[Session],
    steps: Sequence[int | None],
    labels: Sequence[str],
    name: str,
    definition: Definition,
) -> list[Step]:
    """One matrix across checkpoints, in order of steps; reads one whole result per checkpoint.

    `steps` are `checkpoint.steps.training_step` of every session's tuned source.
    """
    found = []
    for session, step, label in zip(sessions, steps, labels, strict=True):
        result = session.result(name) if session.has(name) else None
        found.append(step_of(label, step, result, definition))
    return ordered(found)


def model_series(
    sessions: Sequence[Session],
    steps: Sequence[int | None],
    labels: Sequence[str],
    definition: Definition,
) -> list[Step]:
    """Whole checkpoints in order of steps, from the light summaries: counts over all default matrices.

    `lowest` is the lowest best(j) of any matrix, without its singular value.
    """
    found = []
    for session, step, label in zip(sessions, steps, labels, strict=True):
        totals = session.totals(definition)
        if not totals.answered:
            found.append(Step(label, step, None, None, None, None, None))
            continue
        possible = totals.intruders + totals.open
        found.append(Step(label, step, totals.intruders, possible, _lowest(session, definition), None, None))
    return ordered(found)


def ordered(steps: Sequence[Step]) -> list[Step]:
    """By training step where every one is known, else as they were given."""
    if any(step.step is None for step in steps):
        return list(steps)
    return sorted(steps, key=lambda one: one.step or 0)


def positions(steps: Sequence[Step]) -> list[float]:
    """The x of every step: the training step, or its place where one is unknown or two agree."""
    known = [step.step for step in steps if step.step is not None]
    if len(known) == len(steps) and len(set(known)) == len(known):
        return [float(step) for step in known]
    return [float(place) for place in range(1, len(steps) + 1)]


@dataclass(frozen=True, eq=False)
class SeriesView:
    """A rich renderable: the lowest best cosine over the steps, the count over the steps, a table.

    The plots need two analysed steps and `lines` for themselves; the table always comes.
    """

    steps: Sequence[Step]
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 30

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Plots, table, and what a line does not mean."""
        tone = tones(self.mode)
        room = self.lines - len(self.steps) - 5
        analysed = [step for step in self.steps if step.certain is not None]
        if len(analysed) > 1 and room >= 7:
            upper = room * 3 // 5 if room >= 14 else room
            yield Text(f"lowest best |cos| of the top {self.definition.k}", tone.strong, no_wrap=True)
            yield self._cosines(upper - 1)
            if upper < room:
                yield Text("intruders", tone.strong)
                yield self._counts(room - upper - 1)
            yield Text()
        yield series_table(self.steps, self.definition, self.mode, self.glyphs)
        yield Text(FOLLOWED, tone.muted)

    def _axis(self) -> str:
        return "step" if positions(self.steps) == [float(s.step or 0) for s in self.steps] else "place"

    def _cosines(self, lines: int) -> Plot:
        spots = [step.lowest for step in self.steps]
        lower = np.array([np.nan if spot is None else spot.lower for spot in spots])
        upper = np.array([np.nan if spot is None else spot.upper for spot in spots])
        curve = Curve(
            "lowest best |cos|" + (" at most" if (upper > lower).any() else ""),
            np.array(positions(self.steps)),
            upper,
            points=True,
            style=tones(self.mode).accent,
        )
        eps = self.definition.eps
        level = (eps, f"{self.glyphs.eps} {eps:.2f}: below it an intruder")
        return Plot(
            [curve],
            self._axis(),
            (0.0, 1.0),
            level=level,
            whole_x=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=lines,
        )

    def _counts(self, lines: int) -> Plot:
        counts = [(step.certain, step.possible) for step in self.steps]
        certain = np.array([np.nan if low is None else float(low) for low, _ in counts])
        possible = np.array([np.nan if high is None else float(high) for _, high in counts])
        curve = Curve(
            "intruders",
            np.array(positions(self.steps)),
            certain,
            possible,
            points=True,
            style=tones(self.mode).accent,
        )
        return Plot(
            [curve],
            self._axis(),
            whole_x=True,
            whole_y=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=lines,
        )


def series_table(
    steps: Sequence[Step],
    definition: Definition,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
) -> Table:
    """A row a step: count, lowest best cosine with its rank and sigma, highest-ranking intruder."""
    tone = tones(mode)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=tone.muted)
    table.add_column("checkpoint", overflow="ellipsis", no_wrap=True, min_width=10)
    heads = ("step", "count", "lowest", "at j", glyphs.sigma, "first intruder j", "update")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    dash = glyphs.dash
    for step in steps:
        lowest, first = step.lowest, step.foremost
        count = glyphs.idle
        if step.certain is not None and step.possible is not None:
            count = f"{step.certain}{glyphs.undecided if step.possible > step.certain else ''}"
        cells = [
            printable(step.label, 40),
            dash if step.step is None else str(step.step),
            count,
            dash
            if lowest is None
            else numbers.cosine(lowest.lower, lowest.upper, eps=definition.eps, glyphs=glyphs),
            dash if lowest is None else str(lowest.j),
            dash if lowest is None or lowest.sigma is None else numbers.three_digits(lowest.sigma),
            dash if first is None else str(first.j),
            dash if step.relative_norm is None else numbers.percent(step.relative_norm),
        ]
        style = tone.accent if step.certain else tone.text
        table.add_row(*(Text(cell, style) for cell in cells))
    return table


def _lowest(session: Session, definition: Definition) -> Spot | None:
    spots = []
    for name in session.default_names:
        summary = session.summary(name)
        if summary is None or not len(side := summary.side(definition.side).upper[: definition.k]):
            continue
        j, whole = int(side.argmin()), summary.side(definition.side)
        match = int(whole.index[j]) if whole.index[j] >= 0 else None
        spots.append(Spot(j, None, float(whole.lower[j]), float(whole.upper[j]), match))
    return min(spots, key=lambda spot: spot.upper, default=None)


def _spot(result: MatrixResult, j: int, definition: Definition) -> Spot:
    side = result.side(definition.side)
    return Spot(
        j,
        float(result.sigma_tuned[j]) if j < len(result.sigma_tuned) else None,
        float(side.lower[j]),
        float(side.upper[j]),
        int(side.index[j]) if side.index[j] >= 0 else None,
    )
