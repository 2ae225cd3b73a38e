"""What the header and the findings line say of a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.findings.tally import Strongest, Totals
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.studying import UnderWay
from intruder_tui.ui.widgets.header import HeaderState
from intruder_tui.views.numbers import plural
from intruder_tui.views.sentence import base_doubt, outgrown, session_sentence, without_answer


def header_state(
    session: Session,
    definition: Definition,
    position: tuple[int, int],
    left: float | None,
    study: UnderWay | None,
    *,
    paused: bool,
    sessions: Sequence[Session] = (),
) -> HeaderState:
    """The header's state; `position` is (this tuned checkpoint, of how many), `left` the seconds to go.

    `sessions` are all that are open: another one's scan is told while this one has none.
    """
    totals = session.totals(definition)
    base, tuned = session.pairing.base, session.pairing.tuned
    return HeaderState(
        printable(base.label),
        printable(tuned.label),
        position,
        definition,
        session.device,
        totals,
        left,
        paused,
        study,
        _elsewhere(session, sessions, definition),
        session.scanning,
    )


def _elsewhere(
    session: Session, sessions: Sequence[Session], definition: Definition
) -> tuple[str, Totals] | None:
    """The first other session that is being scanned: its label and its sums."""
    for other in sessions:
        if other is not session and other.scanning:
            return printable(other.pairing.tuned.label), other.totals(definition)
    return None


def findings(session: Session, definition: Definition, look: Look) -> Text:
    """What was found in the whole checkpoint, or why nothing can be; then the pairing's notes."""
    tones, scan, enter = look.tones, look.keys["scan"], look.keys["tree.enter"]
    if session.broken:
        text = Text(f"Nothing can be computed: {printable(session.broken, 400)}", tones.warning)
    else:
        totals = session.totals(definition)
        text = Text()
        if doubt := base_doubt(totals):  # no sentence of its own: the line leaves out whole ones
            text.append(f"{doubt}; ", tones.warning)
        text.append(session_sentence(totals, strongest(session, definition), definition, look.glyphs))
        left = totals.matrices - totals.answered - totals.failed
        if left and totals.answered == totals.unchanged and not totals.pending:
            text.append(f"; {scan} analyses all {left}, {enter} the one under the cursor")
        elif left and not totals.pending:
            text.append(f"; {scan} analyses the other {left}")
        if larger := outgrown(totals):
            text.append(f"   {larger}.", tones.muted)
    for note in session.pairing.notes:
        text.append(f"  {printable(note, 400)}", tones.muted)
    return text


def no_intruder(session: Session, definition: Definition, look: Look) -> str:
    """Why there is no matrix with intruders to go to."""
    totals = session.totals(definition)
    if totals.pending:
        return "No intruders found yet; matrices are being analysed."
    if totals.answered + totals.failed < totals.matrices:
        return f"No intruders found yet; {look.keys['scan']} analyses all matrices."
    analysed = [f"{plural(totals.answered, 'matrix', 'matrices')} analysed", *without_answer(totals)]
    setting = f"side {definition.side.value}, k {definition.k}, {look.glyphs.eps} {definition.eps:.2f}"
    return f"No intruder in any: {', '.join([*analysed, setting])}."


def strongest(session: Session, definition: Definition) -> Strongest | None:
    """The intruder with the smallest best cosine, by its name in few words."""
    found = session.strongest(definition)
    return None if found is None else replace(found, name=printable(short_name(found.name)))
