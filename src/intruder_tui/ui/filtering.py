"""The tree's filter: words that a name must match, states that a row must be in."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intruder_tui.checkpoint.expressions import ExpressionError, compiled
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State

if TYPE_CHECKING:
    import regex

PREFIX = "is:"
NOT = "-"
BUDGET_SECONDS = 0.5
"""Processor seconds for all rows; an expression may take exponential time for a single name."""


class FilterError(ValueError):
    """A filter that can't be understood or takes too long; one line for the person who typed it."""


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """What states are judged by: a session, the definition in force, the marked names."""

    session: Session
    definition: Definition
    marks: Collection[str]


def _intruders(ground: Ground, name: str) -> bool:
    return bool(ground.session.count(name, ground.definition))


def _none(ground: Ground, name: str) -> bool:
    none = ground.session.count(name, ground.definition) == 0
    return none and not _undecided(ground, name) and not _unchanged(ground, name)


def _undecided(ground: Ground, name: str) -> bool:
    summary = ground.session.summary(name)
    return summary is not None and bool(summary.open(ground.definition))


def _unchanged(ground: Ground, name: str) -> bool:
    return ground.session.state(name) is State.UNCHANGED


def _failed(ground: Ground, name: str) -> bool:
    return ground.session.failed(name) or ground.session.row(name).kind is RowKind.REFUSED


def _todo(ground: Ground, name: str) -> bool:
    return ground.session.state(name) is State.IDLE


def _waiting(ground: Ground, name: str) -> bool:
    return ground.session.waiting(name)


def _marked(ground: Ground, name: str) -> bool:
    return name in ground.marks


def _other(ground: Ground, name: str) -> bool:
    return ground.session.row(name).kind in (RowKind.SKIPPED, RowKind.UNPAIRED)


STATES: Mapping[str, tuple[str, Callable[[Ground, str], bool]]] = {
    "intruders": ("holds an intruder", _intruders),
    "undecided": ("a vector that is undecided, borderline or clustered", _undecided),
    "failed": ("failed or refused", _failed),
    "unchanged": ("dW is zero", _unchanged),
    "none": ("analysed, changed, no intruder", _none),
    "todo": ("not analysed yet", _todo),
    "waiting": ("queued or computing", _waiting),
    "marked": ("marked", _marked),
    "other": ("no weight matrix on both sides", _other),
}
"""Words behind `is:`, what they mean, and how it is told."""


@dataclass(frozen=True, slots=True)
class Term:
    """One word: a state or a pattern, wanted or not."""

    wanted: bool
    state: str | None
    pattern: regex.Pattern[str] | None

    def keeps(self, ground: Ground, name: str, end: float) -> bool:
        """Whether the row `name` passes.

        Raises:
            TimeoutError: the pattern was not done when the processor time was `end`.
        """
        if self.state is not None:
            found = STATES[self.state][1](ground, name)
        else:
            left = end - time.process_time()
            if left <= 0:
                raise TimeoutError
            found = self.pattern is not None and self.pattern.search(name, timeout=left) is not None
        return found is self.wanted


@dataclass(frozen=True, slots=True)
class Filter:
    """Terms that all have to hold; without any, every row passes."""

    terms: tuple[Term, ...] = ()

    @property
    def by_state(self) -> bool:
        """Whether the same filter may keep other rows later."""
        return any(term.state is not None for term in self.terms)

    def kept(self, ground: Ground) -> list[str]:
        """Names of the rows that pass, in the pairing's order.

        Raises:
            FilterError: the patterns take too long.
        """
        # Patterns first: a state may have to count.
        terms = sorted(self.terms, key=lambda term: term.state is not None)
        names = [row.name for row in ground.session.pairing.rows]
        end = time.process_time() + BUDGET_SECONDS
        for term in terms:
            try:
                names = [name for name in names if term.keeps(ground, name, end)]
            except TimeoutError:
                assert term.pattern is not None
                raise FilterError(f"{term.pattern.pattern}: takes over {BUDGET_SECONDS:g} s") from None
        return names


def parse(text: str) -> Filter:
    """The filter that is written as `text`.

    Words are divided by spaces. One is a regular expression, looked for anywhere in a name whatever its case;
    `is:` and the beginning of a word of `STATES` is a state; `-` before either turns it round.

    Raises:
        FilterError: a bad regular expression, an unknown or ambiguous state.
    """
    return Filter(tuple(_term(word) for word in text.split() if word != NOT))


def _term(word: str) -> Term:
    wanted = not word.startswith(NOT)
    bare = word.removeprefix(NOT)
    if bare.lower().startswith(PREFIX):
        return Term(wanted, _state(bare[len(PREFIX) :].lower()), None)
    try:
        return Term(wanted, None, compiled(bare, ignore_case=True))
    except ExpressionError as error:
        raise FilterError(f"{bare[:40]}: {error}") from error


def _state(start: str) -> str:
    if start in STATES:
        return start
    found = [state for state in STATES if state.startswith(start)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(found or STATES)
    raise FilterError(f"{PREFIX}{start} is {'one' if found else 'none'} of {known}")
