"""Several tuned checkpoints of one base beside each other: counts per matrix and in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.findings.ledger import Ledger, State
from intruder_tui.findings.tally import Totals

EVERYTHING = "all matrices"


@dataclass(frozen=True, slots=True)
class Count:
    """Intruders of one matrix, or of many, in one checkpoint.

    Attributes:
        certain: None while there is no answer, or where there can't be one.
        undecided: vectors that may be intruders, for want of a value or of a meaning (`Verdict.open`).
        lowest: (lower, upper) bound of the lowest best(j), j < k; None where nothing is compared.
        unchanged, failed, absent: why there may be nothing to count.
        partial: a sum that is not complete: there may be more intruders, and a lower best(j).
    """

    certain: int | None
    undecided: int = 0
    lowest: tuple[float, float] | None = None
    unchanged: bool = False
    failed: bool = False
    absent: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One matrix: a count per checkpoint, in the order of the checkpoints."""

    name: str
    counts: tuple[Count, ...]

    @property
    def difference(self) -> int | None:
        """Last minus first of two checkpoints, largest minus smallest of more; None before two are known.

        Of a sum that is not complete nothing can be subtracted.
        """
        known = [count.certain for count in self.counts if count.certain is not None and not count.partial]
        if len(known) < 2:
            return None
        return known[1] - known[0] if len(self.counts) == 2 else max(known) - min(known)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Checkpoints beside each other.

    Attributes:
        labels: a name per checkpoint, no two alike.
        rows: every matrix, the largest difference first, then the largest count, then the order of the model.
        everything: a checkpoint's answered matrices together, as a row of that name.
        totals: each checkpoint's own sums.
    """

    labels: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    everything: ComparedRow
    totals: tuple[Totals, ...]


def labels(ledgers: Sequence[Ledger]) -> tuple[str, ...]:
    """The tuned checkpoints' labels; what was typed where labels agree, numbered where that agrees too."""
    short = [ledger.pairing.tuned.label for ledger in ledgers]
    typed = [ledger.pairing.tuned.argument for ledger in ledgers]
    names = [one if short.count(one) == 1 else whole for one, whole in zip(short, typed, strict=True)]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)
    )


def comparison(ledgers: Sequence[Ledger], definition: Definition) -> Comparison:
    """Compare checkpoints of one base; a matrix that one of them lacks has no count there."""
    order: dict[str, None] = {}
    for ledger in ledgers:
        for row in ledger.pairing.rows:
            if row.kind is RowKind.MATRIX or ledger.summary(row.name) is not None:
                order[row.name] = None
    rows = [
        ComparedRow(name, tuple(_count(ledger, name, definition) for ledger in ledgers)) for name in order
    ]
    rows.sort(key=lambda row: (-abs(row.difference or 0), -max((c.certain or 0) for c in row.counts)))
    totals = tuple(ledger.totals(definition) for ledger in ledgers)
    everything = tuple(
        _sum(total, [row.counts[number].lowest for row in rows]) for number, total in enumerate(totals)
    )
    return Comparison(labels(ledgers), tuple(rows), ComparedRow(EVERYTHING, everything), totals)


def telling_rows(one: Comparison) -> list[ComparedRow]:
    """Those with an intruder, a doubt or a failure somewhere."""
    return [row for row in one.rows if any(c.certain or c.undecided or c.failed for c in row.counts)]


def _count(ledger: Ledger, name: str, definition: Definition) -> Count:
    if not ledger.has(name):
        return Count(None, absent=True)
    row, state = ledger.row(name), ledger.state(name)
    if state is State.UNCHANGED:
        return Count(0, unchanged=True)
    summary = ledger.summary(name)
    if summary is None:
        return Count(None, failed=state is State.FAILED or row.kind is RowKind.REFUSED)
    side = summary.side(definition.side)
    k = min(definition.k, len(side.lower))
    lowest = (float(side.lower[:k].min()), float(side.upper[:k].min())) if k else None
    return Count(len(summary.intruders(definition)), len(summary.open(definition)), lowest)


def _sum(total: Totals, lowest: Sequence[tuple[float, float] | None]) -> Count:
    """A checkpoint's matrices together; before any that differs from the base's is known there is no sum."""
    if total.left and not total.progress[0]:
        return Count(None)
    known = [bounds for bounds in lowest if bounds is not None]
    least = (min(low for low, _ in known), min(high for _, high in known)) if known else None
    if total.left and least is not None:
        least = (0.0, least[1])
    return Count(total.intruders, total.open, least, partial=total.left > 0)
