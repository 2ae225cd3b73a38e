"""What stands at the right of a tree row: marks of its state, counts of its intruders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.ui.outline import Branch
from intruder_tui.views.glyphs import Glyphs

MOST_DOTS = 4
MOST_MARKED = 999
"""Counts of a group beside which there is room for the mark of a failure in it."""


class Tone(Enum):
    """How a badge is coloured."""

    QUIET = auto()
    ACCENT = auto()
    WARNING = auto()


@dataclass(frozen=True, slots=True)
class Badge:
    """`dots` repeat the count for the eye, up to four; `mark` is right-aligned."""

    mark: str
    dots: int = 0
    tone: Tone = Tone.QUIET


@dataclass(frozen=True, slots=True)
class _Sum:
    matrices: int = 0
    count: int = 0
    open: int = 0
    undecided: int = 0
    failed: int = 0
    unchanged: int = 0

    def __add__(self, other: _Sum) -> _Sum:
        return _Sum(
            self.matrices + other.matrices,
            self.count + other.count,
            self.open + other.open,
            self.undecided + other.undecided,
            self.failed + other.failed,
            self.unchanged + other.unchanged,
        )


class Badges:
    """Badges of one session under one definition; sums of groups are kept until a row below them changes."""

    def __init__(self, session: Session, definition: Definition, glyphs: Glyphs) -> None:
        self.session = session
        self.definition = definition
        self._glyphs = glyphs
        self._sums: dict[int, _Sum] = {}
        self._measured: dict[str, _Sum] = {}
        self.phase = 0
        """Which of the two signs a computing row shows."""

    def forget(self, name: str, leaf: Branch | None) -> None:
        """A row changed: it and the groups above its leaf, if the tree has one, must be summed again."""
        self._measured.pop(name, None)
        for branch in leaf.ancestors() if leaf is not None else ():
            self._sums.pop(id(branch), None)

    def forget_groups(self) -> None:
        """The tree has other branches now; what is known of its rows holds."""
        self._sums.clear()

    def of(self, branch: Branch) -> Badge:
        """The badge of a row or of a group."""
        return self._row(branch.row) if branch.row is not None else self._group(self._sum(branch))

    def _row(self, name: str) -> Badge:
        glyphs, session = self._glyphs, self.session
        kind = session.row(name).kind
        match session.state(name):
            case State.IDLE:
                return Badge("" if kind is RowKind.SKIPPED else glyphs.idle)
            case State.QUEUED:
                return Badge(glyphs.queued)
            case State.COMPUTING:
                return Badge(glyphs.computing[self.phase])
            case State.UNCHANGED:
                return Badge(glyphs.unchanged)
            case State.FAILED:
                return Badge(glyphs.failed, tone=Tone.WARNING)
            case State.SKIPPED:
                return Badge(glyphs.failed, tone=Tone.WARNING) if kind is RowKind.REFUSED else Badge("")
        sums = self._measure(name)
        sign = glyphs.undecided if sums.undecided else ""
        if session.refining(name) and session.stage(name):
            sign = glyphs.computing[self.phase]
        if sums.count:
            return Badge(f"{sums.count}{sign}", min(sums.count, MOST_DOTS), Tone.ACCENT)
        return Badge(sign or glyphs.none)

    def _group(self, sums: _Sum) -> Badge:
        if sums.count:
            lacking = self._glyphs.failed if sums.failed and sums.count <= MOST_MARKED else ""
            return Badge(f"{sums.count}{lacking}", tone=Tone.ACCENT)
        if sums.open:
            return Badge(self._glyphs.idle)
        if sums.failed:
            return Badge(self._glyphs.failed, tone=Tone.WARNING)
        if not sums.matrices:
            return Badge("")
        if sums.unchanged == sums.matrices:
            return Badge(self._glyphs.unchanged)
        return Badge(self._glyphs.undecided if sums.undecided else self._glyphs.none)

    def _sum(self, branch: Branch) -> _Sum:
        if branch.row is not None:
            known = self._measured.get(branch.row)
            if known is None:
                known = self._measured[branch.row] = self._measure(branch.row)
            return known
        known = self._sums.get(id(branch))
        if known is None:
            known = _Sum()
            for child in branch.children:
                known = known + self._sum(child)
            self._sums[id(branch)] = known
        return known

    def _measure(self, name: str) -> _Sum:
        session = self.session
        row = session.row(name)
        if row.kind is RowKind.REFUSED or session.state(name) is State.FAILED:
            return _Sum(failed=1)
        matrices = int(row.kind is RowKind.MATRIX)
        count = session.count(name, self.definition)
        if count is None:
            return _Sum(matrices, open=matrices)
        summary = session.summary(name)
        undecided = len(summary.open(self.definition)) if summary else 0
        unchanged = matrices if session.state(name) is State.UNCHANGED else 0
        return _Sum(matrices, count, undecided=undecided, unchanged=unchanged)
