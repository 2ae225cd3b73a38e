"""The selected matrix as every view sees it, and the words that belong to its state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.desk import Progress
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.results import MatrixResult
from intruder_tui.ui import studying
from intruder_tui.ui.keys import at_start
from intruder_tui.ui.look import Look
from intruder_tui.ui.stopwatch import WORTH_TELLING
from intruder_tui.views import numbers
from intruder_tui.views.report import TIERS
from intruder_tui.views.sentence import matrix_sentence, remarks


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """One row of a session, what is known of it, and the definition in force."""

    row: Row
    state: State
    stage: str
    reason: str
    result: MatrixResult | None
    definition: Definition
    refining: bool = False
    """Whether the values behind the bounds are on their way."""
    seconds: float | None = None
    """How long the matrix has been at its stage."""
    studies: Sequence[tuple[Study, Progress, str]] = ()
    """Its studies that are under way or failed, with the stage or the reason."""

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def viewable(self) -> bool:
        """Whether views have something to show, now or once it is computed; else a notice stands there."""
        if self.state in (State.FAILED, State.SKIPPED, State.UNCHANGED):
            return False
        return self.result is None or not self.result.unchanged

    @property
    def places(self) -> int:
        """How many tuned vectors the views keep a place for: k, as far as the matrix has so many."""
        return min(self.definition.k, *self.row.shape) if self.row.shape else self.definition.k


def subject(session: Session, name: str, definition: Definition, seconds: float | None = None) -> Subject:
    """Gather what a session knows of a row; reads the result from the cache where there is one."""
    result = session.result(name)
    return Subject(
        session.row(name),
        session.state(name),
        session.stage(name),
        session.reason(name),
        result,
        definition,
        session.refining(name),
        seconds,
        session.desk.unsettled(name),
    )


def title(one: Subject, look: Look, window: str = "") -> Text:
    """Name, the window of the matrix shown where it is a part of its own, shape, stored types, tier."""
    text = Text(printable(one.name), look.tones.strong)
    if window:
        text.append(f"   {window}", look.tones.active)
    facts = [numbers.shape(one.row.shape, look.glyphs), printable(one.row.dtype)]
    if one.row.pair is not None and one.row.pair.rule != "exact":
        facts.append(printable(one.row.pair.rule))
    if one.result is not None:
        facts.append(TIERS[one.result.tier])
    return Text.assemble(text, ("   " + "   ".join(facts), look.tones.muted))


def finding(one: Subject, look: Look) -> Text:
    """What was found on the matrix, or how far its answer is."""
    if one.result is not None and one.viewable:
        pair = one.row.pair
        built_on_base = pair is not None and pair.built_on_base
        notes = remarks(one.result, one.definition, built_on_base=built_on_base)
        notes += pair.notes if pair else ()
        coming = ""
        if one.refining:
            coming = (
                f" Its values are being computed: {_stage(one)}." if one.stage else " Its values are queued."
            )
        first, last = studying.coming(one.studies, look), studying.failed(one.studies, look)
        return Text.assemble(
            first,
            " " if first else "",
            matrix_sentence(one.result, one.definition, look.glyphs),
            (coming, look.tones.muted),
            " " if last else "",
            last,
            (" " + " ".join(printable(note, 400) for note in notes), look.tones.muted),
        )
    enter = at_start(look.keys["tree.enter"])
    match one.state:
        case State.QUEUED:
            words = "Queued."
        case State.COMPUTING:
            words = f"Computing: {_stage(one)}."
        case State.IDLE:
            words = f"Not analysed yet. {enter} analyses this matrix, {look.keys['scan']} all of them."
        case _:
            return Text()
    return Text(printable(words, 400), look.tones.muted)


def _stage(one: Subject) -> str:
    """What is being done, and for how long once that is worth knowing."""
    stage = one.stage or "starting"
    if one.seconds is None or one.seconds < WORTH_TELLING:
        return stage
    return f"{stage}, {numbers.duration(one.seconds)}"


def notice(one: Subject, look: Look, log: str) -> Text:
    """What stands where the view would be: the reason in one sentence, and what to do next."""
    tones = look.tones
    reason = printable(one.reason, 600)
    match one.state:
        case State.UNCHANGED:
            head, style = "Unchanged", tones.strong
            reason = "The tuned weight is the base weight: dW is zero, so there is nothing to compare."
            following = f"{at_start(look.keys['next-intruder'])} goes to the next matrix with intruders."
        case State.FAILED:
            head, style = "Failed", tones.warning
            following = f"{at_start(look.keys['tree.enter'])} tries again."
            following += f" {at_start(look.keys['log'])} shows the log." if log else ""
        case _ if one.row.kind is RowKind.REFUSED:
            head, style = "Can't be compared", tones.warning
            following = "The other matrices are not affected."
        case _ if one.row.kind is RowKind.UNPAIRED:
            head, style = "On one side only", tones.strong
            following = "There is nothing to compare it with."
        case _ if one.result is not None:
            head, style = "Unchanged", tones.strong
            reason, following = matrix_sentence(one.result, one.definition, look.glyphs), ""
        case _ if one.row.pair is not None:
            head, style = "Left out of the count", tones.strong
            following = f"{at_start(look.keys['tree.enter'])} analyses it all the same."
            if one.row.pair.untouched:
                following = (
                    "The tuned checkpoint leaves it as it is: dW is zero, so there is nothing to analyse."
                )
        case _:
            head, style = "Not a weight matrix", tones.strong
            following = ""
            if len(one.row.shape) != 2:
                following = "Only two-dimensional weights are analysed, as in the paper."
    return Text.assemble((head, style), "\n\n", reason, "\n\n" if following else "", (following, tones.muted))
