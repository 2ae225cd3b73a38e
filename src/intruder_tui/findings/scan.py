"""A scan of one checkpoint: its sums, the matrices that hold intruders, and what has no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.ledger import Ledger, State
from intruder_tui.findings.tally import Strongest, Totals
from intruder_tui.results import MatrixResult

Read = Callable[[str], MatrixResult | None]
"""Gives a row's whole result, by the row's name; None where there is none, or no more."""
OPEN = (Verdict.UNDECIDED, Verdict.BORDERLINE, Verdict.CLUSTERED)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A matrix with an intruder, or with a vector that may be one.

    Attributes:
        intruders: their ranks j.
        others: how many vectors are of each open verdict; none that is not found.
        lowest: bounds of the lowest best(j) among the intruders, or where there are none among the others.
        relative_norm: norm_F(dW) / norm_F(W0); None where the result is gone.
    """

    name: str
    intruders: tuple[int, ...]
    others: Mapping[Verdict, int]
    lowest: tuple[float, float]
    relative_norm: float | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Matrices that have not got what was asked for, all in the same way and for the same reason."""

    word: str
    reason: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in one tuned checkpoint; matrices whose vectors are all matched have no entry."""

    base: str
    tuned: str
    totals: Totals
    strongest: Strongest | None
    carriers: tuple[Carrier, ...]
    troubles: tuple[Trouble, ...]


def scanned(ledger: Ledger, definition: Definition, read: Read) -> Scan:
    """A ledger's scan; results are read one at a time."""
    totals, strongest = ledger.totals(definition), ledger.strongest(definition)
    rows = ledger.pairing.rows
    carriers = tuple(one for row in rows if (one := _carrier(ledger, row.name, definition, read)))
    return Scan(
        ledger.pairing.base.label,
        ledger.pairing.tuned.label,
        totals,
        strongest,
        carriers,
        _troubles(ledger),  # after the results were read: one that is gone is a trouble
    )


def _carrier(ledger: Ledger, name: str, definition: Definition, read: Read) -> Carrier | None:
    summary = ledger.summary(name)
    if summary is None:
        return None
    intruders = summary.intruders(definition)
    others = {verdict: found for verdict in OPEN if (found := summary.ranked(definition, verdict))}
    if not intruders and not others:
        return None
    side = summary.side(definition.side)
    lowest = min(intruders or chain(*others.values()), key=lambda j: side.upper[j])
    result = read(name)
    return Carrier(
        name,
        tuple(intruders),
        {verdict: len(found) for verdict, found in others.items()},
        (float(side.lower[lowest]), float(side.upper[lowest])),
        result.update.relative_norm if result else None,
    )


def _troubles(ledger: Ledger) -> tuple[Trouble, ...]:
    befell: dict[tuple[str, str], list[str]] = {}
    for row in ledger.pairing.rows:
        if word := _trouble(ledger, row):
            befell.setdefault((word, ledger.reason(row.name)), []).append(row.name)
    return tuple(Trouble(word, reason, tuple(names)) for (word, reason), names in befell.items())


def _trouble(ledger: Ledger, row: Row) -> str:
    """The word for a row that has not got what was asked for; empty for another."""
    if row.kind is RowKind.REFUSED:
        return "refused"
    if ledger.state(row.name) is State.FAILED:
        return "failed"
    return "bounds only" if ledger.failed(row.name) else ""
