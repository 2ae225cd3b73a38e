"""What the header and the findings line say of a session."""

from __future__ import annotations

from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.widgets.header import HeaderState
from intruder_tui.views.sentence import Strongest, session_sentence


def header_state(
    session: Session, definition: Definition, position: tuple[int, int], left: float | None, *, paused: bool
) -> HeaderState:
    """The header's state; `position` is (this tuned checkpoint, of how many), `left` the seconds to go."""
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
    )


def findings(session: Session, definition: Definition, look: Look, scan: str) -> Text:
    """What was found in the whole checkpoint, or why nothing can be; then the pairing's notes.

    `scan` is the key that has everything analysed.
    """
    tones = look.tones
    if session.broken:
        text = Text(f"Nothing can be computed: {printable(session.broken, 400)}", tones.warning)
    else:
        totals = session.totals(definition)
        text = Text(session_sentence(totals, strongest(session, definition), definition, look.glyphs))
        left = totals.matrices - totals.answered - totals.failed
        if left == totals.matrices and left and not totals.pending:
            text.append(f": {scan} analyses them all, enter the one under the cursor")
        elif left and not totals.pending:
            text.append(f"; {scan} analyses the other {left}")
    for note in session.pairing.notes:
        text.append(f"  {printable(note, 400)}", tones.muted)
    return text


def strongest(session: Session, definition: Definition) -> Strongest | None:
    """The intruder with the smallest best cosine, in words."""
    found = session.strongest(definition)
    if found is None:
        return None
    name, j = found
    summary = session.summary(name)
    assert summary is not None, name
    side = summary.side(definition.side)
    return Strongest(printable(short_name(name)), j, float(side.lower[j]), float(side.upper[j]))
