"""Counting: a row's share of a ledger's sums, and the sums."""

from __future__ import annotations

from dataclasses import dataclass

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.kinship import FEWEST
from intruder_tui.results import Summary


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the matrices analysed by default.

    Attributes:
        intruders: certain intruders in all analysed matrices.
        carriers: how many matrices hold at least one.
        undecided: vectors of which only an interval is known, with eps inside it.
        answered: matrices with an answer (done or unchanged).
        failed, pending, matrices: matrices without one, asked for, and in all.
        borderline: vectors whose value and eps differ by less than its numerical error; not counted.
        clustered: vectors below eps that a cluster of tied base vectors holds together; not counted.
        unchanged: answered matrices whose dW is zero.
        refused: rows that can't be compared; they are none of `matrices`.
        unrelated, outgrown: changed matrices of that `Kinship`.
    """

    intruders: int
    carriers: int
    undecided: int
    answered: int
    failed: int
    pending: int
    matrices: int
    borderline: int = 0
    clustered: int = 0
    unchanged: int = 0
    refused: int = 0
    unrelated: int = 0
    outgrown: int = 0

    @property
    def changed(self) -> int:
        """Answered matrices whose dW is not zero."""
        return self.answered - self.unchanged

    @property
    def base_doubtful(self) -> bool:
        """Whether so many matrices look unrelated that this is hardly the base that was tuned."""
        return self.changed >= FEWEST and 2 * self.unrelated > self.changed

    @property
    def open(self) -> int:
        """Vectors that are neither certainly intruders nor certainly none."""
        return self.undecided + self.borderline + self.clustered

    @property
    def left(self) -> int:
        """Matrices that have no answer, and have not failed either: a sum is complete once there is none."""
        return self.matrices - self.answered - self.failed

    @property
    def progress(self) -> tuple[int, int]:
        """How many matrices are analysed, of how many; one that equals the base's counts in neither."""
        return self.changed, self.matrices - self.unchanged


@dataclass(frozen=True, slots=True)
class Tally:
    """One row's vectors by verdict, and what tells its strongest intruder.

    Attributes:
        strongest: the smallest upper bound of an intruder's best(j), and its rank j.
        lowest: the smallest lower bound of any best(j), j < k; 1 where there is no vector.
        rival: the same without the strongest.
    """

    intruders: int
    undecided: int
    strongest: tuple[float, int] | None
    borderline: int = 0
    clustered: int = 0
    lowest: float = 1.0
    rival: float = 1.0

    @property
    def open(self) -> int:
        """Vectors that are neither certainly intruders nor certainly none."""
        return self.undecided + self.borderline + self.clustered


@dataclass(frozen=True, slots=True)
class Strongest:
    """The intruder with the smallest upper bound of best(j): its row, rank j and bounds.

    `certain` where no other vector's bounds leave room for a lower best(j).
    """

    name: str
    j: int
    lower: float
    upper: float
    certain: bool = True


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
    verdicts = summary.side(definition.side).verdicts(definition)
    intruders = [j for j, verdict in enumerate(verdicts) if verdict is Verdict.INTRUDER]
    upper = summary.side(definition.side).upper
    strongest = min(((float(upper[j]), j) for j in intruders), default=None)
    lower = summary.side(definition.side).lower[: len(verdicts)].tolist()
    chosen = None if strongest is None else strongest[1]
    return Tally(
        len(intruders),
        verdicts.count(Verdict.UNDECIDED),
        strongest,
        verdicts.count(Verdict.BORDERLINE),
        verdicts.count(Verdict.CLUSTERED),
        min(lower, default=1.0),
        min((low for j, low in enumerate(lower) if j != chosen), default=1.0),
    )
