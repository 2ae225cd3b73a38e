"""Several tuned checkpoints of one base beside each other: counts per matrix and in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.views import naming, numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

MOST_ROWS = 500
LONGEST_LABEL = 18


@dataclass(frozen=True, slots=True)
class Count:
    """Intruders of one matrix, or of many, in one checkpoint.

    Attributes:
        certain: None while there is no answer, or where there can't be one.
        undecided: vectors that may be intruders, for want of a value or of a meaning (`Verdict.open`).
        lowest: (lower, upper) bound of the lowest best(j), j < k; None where nothing is compared.
        unchanged, failed, absent: why there may be nothing to count.
    """

    certain: int | None
    undecided: int = 0
    lowest: tuple[float, float] | None = None
    unchanged: bool = False
    failed: bool = False
    absent: bool = False


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One matrix: a count per checkpoint, in the order of the checkpoints."""

    name: str
    counts: tuple[Count, ...]

    @property
    def difference(self) -> int | None:
        """Last minus first of two checkpoints, largest minus smallest of more; None before two are known."""
        known = [count.certain for count in self.counts if count.certain is not None]
        if len(known) < 2:
            return None
        return known[1] - known[0] if len(self.counts) == 2 else max(known) - min(known)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Checkpoints beside each other.

    Attributes:
        labels: a name per checkpoint, no two alike.
        rows: every matrix, the largest difference first, then the largest count, then the order of the model.
        totals: per checkpoint, over its answered matrices.
        answered, failed, pending, matrices: per checkpoint.
    """

    labels: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    totals: tuple[Count, ...]
    answered: tuple[int, ...]
    failed: tuple[int, ...]
    pending: tuple[int, ...]
    matrices: tuple[int, ...]


def labels(sessions: Sequence[Session]) -> tuple[str, ...]:
    """The tuned checkpoints' labels; what was typed where labels agree, numbered where that agrees too."""
    short = [session.pairing.tuned.label for session in sessions]
    typed = [session.pairing.tuned.argument for session in sessions]
    names = [one if short.count(one) == 1 else whole for one, whole in zip(short, typed, strict=True)]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)
    )


def comparison(sessions: Sequence[Session], definition: Definition) -> Comparison:
    """Compare sessions over one base; a matrix that one of them lacks has no count there."""
    order: dict[str, None] = {}
    for session in sessions:
        for row in session.pairing.rows:
            if _counted(session, row.name):
                order[row.name] = None
    rows = [
        ComparedRow(name, tuple(_count(session, name, definition) for session in sessions)) for name in order
    ]
    rows.sort(key=lambda row: (-abs(row.difference or 0), -max((c.certain or 0) for c in row.counts)))
    totals = [session.totals(definition) for session in sessions]
    return Comparison(
        labels(sessions),
        tuple(rows),
        tuple(
            Count(total.intruders if total.answered else None, total.open, _least(rows, number))
            for number, total in enumerate(totals)
        ),
        tuple(total.answered for total in totals),
        tuple(total.failed for total in totals),
        tuple(total.pending for total in totals),
        tuple(total.matrices for total in totals),
    )


def telling_rows(one: Comparison) -> list[ComparedRow]:
    """The rows that the view lists: those with an intruder, a doubt or a failure somewhere."""
    return [row for row in one.rows if any(c.certain or c.undecided or c.failed for c in row.counts)]


def comparison_view(
    one: Comparison,
    *,
    eps: float | None = None,
    width: int = 80,
    most: int = MOST_ROWS,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
) -> RenderableType:
    """Totals, then the matrices with something to count; those without an intruder anywhere are summed up.

    Names leave out what all layers' names begin with. With `eps` no cosine is rounded across it.
    """
    tone = tones(mode)
    telling = telling_rows(one)
    everything = ComparedRow("all matrices", one.totals)
    shown = [everything, *telling[:most]]
    last = "difference" if len(one.labels) == 2 else "spread"
    texts = [
        [*(count_text(count, glyphs, eps) for count in row.counts), _difference(row, glyphs)] for row in shown
    ]
    longest = max(8, min(LONGEST_LABEL, (width - 30) // max(1, len(one.labels))))
    heads = [*(_shortened(label, longest, glyphs) for label in one.labels), last]
    widths = [max(len(cell) for cell in cells) for cells in zip(heads, *texts, strict=True)]
    room = max(12, width - sum(widths) - 2 * len(widths))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=tone.muted)
    table.add_column("matrix", no_wrap=True)
    for head, size in zip(heads, widths, strict=True):
        table.add_column(Text(head), justify="right", no_wrap=True, min_width=size)
    common = naming.trunk(row.name for row in one.rows)
    for row, cells in zip(shown, texts, strict=True):
        name = naming.fitted(printable(naming.within(row.name, common)), room, glyphs.ellipsis)
        styles = [tone.accent if count.certain else tone.muted for count in row.counts] + [tone.text]
        if row is everything:
            styles = [tone.strong] * len(cells)
        table.add_row(
            Text(name, tone.strong if row is everything else tone.text),
            *(Text(cell, style) for cell, style in zip(cells, styles, strict=True)),
        )
    parts: list[RenderableType] = [table]
    if len(telling) > most:
        parts.append(Text(f"{len(telling) - most} more", tone.muted))
    quiet = sum(all(c.certain == 0 and not c.undecided for c in row.counts) for row in one.rows)
    facts = [f"{numbers.plural(quiet, 'matrix', 'matrices')} without an intruder in any"] if quiet else []
    facts += [printable(text) for text in _missing(one)]
    if facts:
        parts += [Text(), Text("; ".join(facts) + ".", tone.muted)]
    return Group(*parts)


def _missing(one: Comparison) -> list[str]:
    """Which checkpoints are not wholly answered; how far a scan is, the header counts as it goes."""
    found = []
    for label, done, failed, pending, whole in zip(
        one.labels, one.answered, one.failed, one.pending, one.matrices, strict=True
    ):
        if pending > 1:
            found.append(f"{label} is being analysed")
        elif done + failed < whole:
            found.append(f"{label} {done} of {whole} analysed" + (f", {failed} failed" if failed else ""))
        elif failed:
            found.append(f"{label} {done} analysed, {failed} failed")
    return found


def count_text(count: Count, glyphs: Glyphs = UNICODE, eps: float | None = None) -> str:
    """ "3 (0.08)": the count and the lowest best cosine behind it; signs where there is nothing to count."""
    if count.absent:
        return glyphs.dash
    if count.failed:
        return glyphs.failed
    if count.unchanged:
        return glyphs.unchanged
    if count.certain is None:
        return glyphs.idle
    text = f"{count.certain}{glyphs.undecided if count.undecided else ''}"
    if count.lowest is None:
        return text
    lower, upper = count.lowest
    return f"{text} ({numbers.cosine(lower, upper, eps=eps, glyphs=glyphs)})"


def _difference(row: ComparedRow, glyphs: Glyphs) -> str:
    value = row.difference
    if value is None:
        return glyphs.dash
    return f"{value:+d}".replace("-", glyphs.minus) if len(row.counts) == 2 and value else str(value)


def _counted(session: Session, name: str) -> bool:
    return session.row(name).kind is RowKind.MATRIX or session.summary(name) is not None


def _count(session: Session, name: str, definition: Definition) -> Count:
    try:
        row, state = session.row(name), session.state(name)
    except KeyError:
        return Count(None, absent=True)
    if state is State.UNCHANGED:
        return Count(0, unchanged=True)
    summary = session.summary(name)
    if summary is None:
        return Count(None, failed=state is State.FAILED or row.kind is RowKind.REFUSED)
    side = summary.side(definition.side)
    k = min(definition.k, len(side.lower))
    lowest = (float(side.lower[:k].min()), float(side.upper[:k].min())) if k else None
    return Count(len(summary.intruders(definition)), len(summary.open(definition)), lowest)


def _least(rows: Sequence[ComparedRow], number: int) -> tuple[float, float] | None:
    known = [row.counts[number].lowest for row in rows]
    bounds = [one for one in known if one is not None]
    return (min(low for low, _ in bounds), min(high for _, high in bounds)) if bounds else None


def _shortened(label: str, width: int, glyphs: Glyphs) -> str:
    """A label that keeps its end: the step of a series."""
    text = printable(label)
    return text if len(text) <= width else glyphs.ellipsis + text[-(width - len(glyphs.ellipsis)) :]
