"""A series of checkpoints of one run: what each step shows of its intruders (Fig. 7).

Stored results hold cosines with the base, not vectors, so a tuned vector of one step can't be identified with
one of the next: neither its rank nor the base vector it matches best names it. What is followed is therefore
defined anew at every step: the vector with the lowest best(j), and the highest-ranking intruder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.ledger import Ledger
from intruder_tui.results import MatrixResult


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
    results: Sequence[MatrixResult | None],
    steps: Sequence[int | None],
    labels: Sequence[str],
    definition: Definition,
) -> list[Step]:
    """One matrix across checkpoints, in order of steps, from its whole result in each.

    `steps` are `checkpoint.steps.training_step` of every checkpoint.
    """
    known = zip(labels, steps, results, strict=True)
    return ordered([step_of(label, step, result, definition) for label, step, result in known])


def model_series(
    ledgers: Sequence[Ledger],
    steps: Sequence[int | None],
    labels: Sequence[str],
    definition: Definition,
) -> list[Step]:
    """Whole checkpoints in order of steps, from the light summaries: counts over all default matrices.

    `lowest` is the lowest best(j) of any matrix, without its singular value. A step has no counts before all
    of its matrices are known.
    """
    found = []
    for ledger, step, label in zip(ledgers, steps, labels, strict=True):
        totals = ledger.totals(definition)
        if totals.left or not totals.answered:
            found.append(Step(label, step, None, None, None, None, None))
            continue
        possible = totals.intruders + totals.open
        found.append(Step(label, step, totals.intruders, possible, _lowest(ledger, definition), None, None))
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


def _lowest(ledger: Ledger, definition: Definition) -> Spot | None:
    spots = []
    for name in ledger.default_names:
        summary = ledger.summary(name)
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
