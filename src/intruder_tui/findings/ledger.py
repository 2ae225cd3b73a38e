"""The ledger of a pairing: what is known of each of its rows, and their sums."""

from __future__ import annotations

from enum import StrEnum

from intruder_tui.checkpoint.pairs import Pairing, Row, RowKind
from intruder_tui.definition import Definition
from intruder_tui.findings.kinship import Kinship, kinship
from intruder_tui.findings.tally import Strongest, Tallies, Tally, Totals
from intruder_tui.results import Summary


class State(StrEnum):
    """The state of a row of the layer tree."""

    IDLE = "not analysed"
    QUEUED = "queued"
    COMPUTING = "computing"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


PENDING = frozenset({State.QUEUED, State.COMPUTING})


class Ledger:
    """What is known of a pairing's rows: who asks for answers derives from it and writes, all others read.

    Names are row names of the pairing; an unknown one raises KeyError.
    """

    def __init__(self, pairing: Pairing) -> None:
        self.pairing = pairing
        self._rows = {row.name: row for row in pairing.rows}
        self._default = [pair.name for pair in pairing.pairs]
        self._refused = sum(row.kind is RowKind.REFUSED for row in pairing.rows)
        self._states = {row.name: _state_at_rest(row) for row in pairing.rows}
        self._keys: dict[str, str] = {}
        self._summaries: dict[str, Summary] = {}
        self._kinships: dict[str, Kinship] = {}
        self._reasons: dict[str, str] = {}
        self._stages: dict[str, str] = {}
        self._refining: set[str] = set()
        self._tallies = Tallies()

    # Rows ----------------------------------------------------------------------------------------

    @property
    def default_names(self) -> list[str]:
        """Names of the matrices analysed by default, in layer order."""
        return list(self._default)

    @property
    def refused(self) -> int:
        """How many rows can't be compared."""
        return self._refused

    def has(self, name: str) -> bool:
        """Whether the pairing has a row of that name."""
        return name in self._rows

    def row(self, name: str) -> Row:
        """The row of that name."""
        return self._rows[name]

    def state(self, name: str) -> State:
        """The state of a row."""
        return self._states[name]

    def reason(self, name: str) -> str:
        """Why a row failed, was refused or is not analysed by default; empty otherwise."""
        return self._reasons.get(name, "") or self._rows[name].reason

    def stage(self, name: str) -> str:
        """What the worker is doing with a computing row: "reading", "factorising", ..."""
        return self._stages.get(name, "")

    def summary(self, name: str) -> Summary | None:
        """The light part of a row's result; None where there is none."""
        self._rows[name]
        return self._summaries.get(name)

    def key(self, name: str) -> str | None:
        """The cache key of a row's result."""
        return self._keys.get(name)

    def refining(self, name: str) -> bool:
        """Whether bounds are known and the values behind them are on their way."""
        return name in self._refining

    def failed(self, name: str) -> bool:
        """Whether this row was asked for an answer, or the values behind it, in vain."""
        return self._states[name] is State.FAILED or (
            self._states[name] is State.DONE and name in self._reasons
        )

    def waiting(self, name: str) -> bool:
        """Whether anything has been asked for this row and has not come."""
        return self._states[name] in PENDING or name in self._refining

    # Sums ----------------------------------------------------------------------------------------

    def count(self, name: str, definition: Definition) -> int | None:
        """Certain intruders of a row; None while there is no answer."""
        if self._states[name] is State.UNCHANGED:
            return 0
        tally = self.tally(name, definition)
        return None if tally is None else tally.intruders

    def tally(self, name: str, definition: Definition) -> Tally | None:
        """A row's vectors by verdict; None where nothing is known of them."""
        summary = self._summaries.get(name)
        return None if summary is None else self._tallies.of(name, summary, definition)

    def totals(self, definition: Definition) -> Totals:
        """Sums over the matrices analysed by default; what was refused is counted over all rows."""
        intruders = carriers = answered = failed = pending = 0
        undecided = borderline = clustered = unchanged = unrelated = outgrown = 0
        for name in self._default:
            state = self._states[name]
            failed += state is State.FAILED
            pending += self.waiting(name)
            count = self.count(name, definition)
            if count is None:
                continue
            answered += 1
            unchanged += state is State.UNCHANGED
            unrelated += self._kinships.get(name) is Kinship.UNRELATED
            outgrown += self._kinships.get(name) is Kinship.OUTGROWN
            intruders += count
            carriers += count > 0
            tally = self.tally(name, definition)
            if tally is not None:
                undecided += tally.undecided
                borderline += tally.borderline
                clustered += tally.clustered
        return Totals(
            intruders,
            carriers,
            undecided,
            answered,
            failed,
            pending,
            matrices=len(self._default),
            borderline=borderline,
            clustered=clustered,
            unchanged=unchanged,
            refused=self._refused,
            unrelated=unrelated,
            outgrown=outgrown,
        )

    def strongest(self, definition: Definition) -> Strongest | None:
        """The intruder with the smallest upper bound of best(j), over every analysed matrix."""
        tallies = {name: self._tallies.of(name, one, definition) for name, one in self._summaries.items()}
        found = min(
            ((*tally.strongest, name) for name, tally in tallies.items() if tally.strongest is not None),
            key=lambda one: one[0],
            default=None,
        )
        if found is None:
            return None
        upper, j, name = found
        lower = float(self._summaries[name].side(definition.side).lower[j])
        others = (tally.rival if other == name else tally.lowest for other, tally in tallies.items())
        return Strongest(name, j, lower, upper, all(low >= upper for low in others))

    # Writing, by those who derive ----------------------------------------------------------------

    def _enter(self, name: str, key: str, summary: Summary) -> None:
        """A row's answer is known."""
        self._stages.pop(name, None)
        self._keys[name] = key
        self._summaries[name] = summary
        self._tallies.forget(name)
        pair = self._rows[name].pair
        self._kinships[name] = kinship(
            summary.weight_cosine,
            summary.relative_norm,
            built_on_base=pair is not None and pair.built_on_base,
        )
        self._states[name] = State.UNCHANGED if summary.unchanged else State.DONE

    def _settle(self, name: str) -> None:
        """Nothing is under way for this row any more."""
        self._refining.discard(name)
        self._stages.pop(name, None)

    def _fail(self, name: str, reason: str) -> None:
        refined = name in self._refining
        self._settle(name)
        self._reasons[name] = reason
        if not refined:  # the bounds of a row whose exact values failed still hold
            self._states[name] = State.FAILED

    def _forget(self, name: str) -> None:
        """A row is as if nobody had asked for it."""
        self._settle(name)
        self._tallies.forget(name)
        self._keys.pop(name, None)
        self._summaries.pop(name, None)
        self._kinships.pop(name, None)
        self._states[name] = _state_at_rest(self._rows[name])


def _state_at_rest(row: Row) -> State:
    """The state of a row that nobody has asked for."""
    if row.kind is not RowKind.MATRIX or row.pair is None:
        return State.SKIPPED
    return State.UNCHANGED if row.pair.untouched else State.IDLE
