"""Counting: a row's share of a session's sums, and the sums."""

from __future__ import annotations

from dataclasses import dataclass

from intruder_tui.definition import Definition
from intruder_tui.results import Summary


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the matrices analysed by default.

    Attributes:
        intruders: certain intruders in all analysed matrices.
        carriers: how many matrices hold at least one.
        undecided: vectors whose interval straddles eps.
        answered: matrices with an answer (done or unchanged).
        failed, pending, matrices: matrices without one, asked for, and in all.
    """

    intruders: int
    carriers: int
    undecided: int
    answered: int
    failed: int
    pending: int
    matrices: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One row's intruders and undecided vectors, and its smallest upper bound of best(j) with its rank."""

    intruders: int
    undecided: int
    strongest: tuple[float, int] | None


class Tallies:
    """Rows counted once a definition: a scan sums thousands of rows many times over."""

    def __init__(self) -> None:
        self._definition: Definition | None = None
        self._known: dict[str, Tally] = {}

    def of(self, name: str, summary: Summary, definition: Definition) -> Tally:
        """The tally of a row."""
        if definition != self._definition:
            self._known.clear()
            self._definition = definition
        tally = self._known.get(name)
        if tally is None:
            tally = self._known[name] = _count(summary, definition)
        return tally

    def forget(self, name: str) -> None:
        """A row's answer has changed or gone."""
        self._known.pop(name, None)


def _count(summary: Summary, definition: Definition) -> Tally:
    intruders = summary.intruders(definition)
    upper = summary.side(definition.side).upper
    strongest = min(((float(upper[j]), j) for j in intruders), default=None)
    return Tally(len(intruders), len(summary.undecided(definition)), strongest)
