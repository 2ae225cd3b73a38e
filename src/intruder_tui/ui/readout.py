"""The words under the heatmap: the cell under its cursor, the column it is in, and what could be computed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.filesize import decimal
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition, Verdict
from intruder_tui.engine.desk import Desk, Progress
from intruder_tui.results import MatrixResult
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.keys import at_start
from intruder_tui.ui.look import Look
from intruder_tui.ui.subject import Subject
from intruder_tui.views import numbers
from intruder_tui.views.field import Field

MOST_NAMED = 6
"""Intruders named in a pooled column."""
STORED = 2 * (1 + 1 / 15)
"""Bytes that a cosine of the whole matrix takes in the cache, with its poolings."""


def fields(one: Subject, desk: Desk | None) -> list[Field]:
    """Both sides of a subject, the one in force first; whole matrices as far as they are at the desk."""
    size = min(one.row.shape) if len(one.row.shape) == 2 else one.places
    sides = sorted(type(one.definition.side), key=lambda side: side is not one.definition.side)
    known = one.result is not None and one.viewable
    return [
        Field(
            side,
            max(1, size),
            one.result.side(side) if one.result is not None and known else None,
            desk.cosines(one.name, side) if desk is not None and known else None,
        )
        for side in sides
    ]


def remark(
    one: Subject, shown: Sequence[Field], desk: Desk | None, look: Look, binding: str = "map.compute"
) -> str:
    """What stands where the shown sides' cosines are not known: how far they are, or what they would cost.

    `binding` is the one that asks for them here.
    """
    missing = [field for field in shown if field.reach < field.size]
    if one.result is None or not one.viewable or desk is None or not missing:
        return ""
    sides = " and ".join(str(field.side) for field in missing)
    key = at_start(look.keys[binding])
    for field in missing:
        progress = desk.progress(one.name, StudyKind.COSINES, field.side)
        if progress is Progress.COMPUTING:
            stage = desk.stage(one.name, StudyKind.COSINES, field.side)
            return f"Computing all cosines of side {sides}: {printable(stage)}. {key} stops it."
        if progress is Progress.QUEUED:
            return f"All cosines of side {sides} are queued. {key} takes that back."
        if reason := desk.reason(one.name, StudyKind.COSINES, field.side):
            return f"All cosines of side {sides}: {printable(reason, 400)}"
    count = missing[0].size
    size = decimal(int(STORED * count * count * len(missing)))
    cost = f"it factorises both weights, and keeps {size} in the cache"
    if one.refining:
        stage = f": {printable(one.stage, 100)}" if one.stage else ""
        return f"{at_start(_exact(one))}{stage}. {key} computes all cosines of side {sides}: {cost}."
    known = f"only the leading {missing[0].reach}" if missing[0].reach else "none"
    cosines = f"{numbers.shape((count, count), look.glyphs)} cosines"
    return f"Of {cosines} {known} are known. {key} computes all of side {sides}: {cost}."


def _exact(one: Subject) -> str:
    """How far the values behind the bounds are."""
    return f"exact values are {'being computed' if one.stage else 'queued'}"


def read_out(
    one: Subject,
    shown: Sequence[Field],
    cursor: tuple[int, int],
    block: tuple[range, range],
    values: Sequence[float | None],
    look: Look,
) -> Text:
    """The cell under the cursor in every shown map, and its column: indices, sigma, cosines or bounds."""
    result, tones, glyphs = one.result, look.tones, look.glyphs
    base, tuned = cursor
    if result is None or not one.viewable:
        return Text(f"tuned {tuned}   base {base}   |cos| {glyphs.idle}", tones.muted)
    text = Text(no_wrap=True, overflow="ellipsis")
    both = len(shown) > 1
    numbered = "  ".join(
        f"{field.side} {_value(value, glyphs.idle)}" if both else _value(value, glyphs.idle)
        for field, value in zip(shown, values, strict=True)
    )
    rows, columns = block
    pooled = len(rows) > 1 or len(columns) > 1
    if pooled:
        ranges = f"base {_range(rows, glyphs.to)} {glyphs.times} tuned {_range(columns, glyphs.to)}"
        text.append(f"max of {ranges}: ", tones.text)
        text.append(numbered, tones.active)
    else:
        text.append(
            f"tuned {tuned} {glyphs.sigma} {_sigma(result, shown, tuned, look, tuned=True)}", tones.text
        )
        text.append(f"   base {base} {glyphs.sigma} {_sigma(result, shown, base, look, tuned=False)}   ")
        text.append(f"|cos| {numbered}", tones.active)
    text.append("\n")
    if None in values and any(field.whole is None for field in shown):
        key = look.keys["map.compute"]
        words = f"not known: {key} computes all cosines (a factorisation of both weights)"
        if one.refining:
            words = f"not known yet: {_exact(one)}"
        text.append(words, tones.muted)
    elif len(columns) > 1:
        text.append_text(_pooled_column(shown, columns, one.definition, look))
    else:
        text.append_text(_column(shown, tuned, one.definition, look))
    return text


def _column(shown: Sequence[Field], tuned: int, definition: Definition, look: Look) -> Text:
    """The best match of one tuned vector, on every side that is shown."""
    text = Text()
    for number, field in enumerate(shown):
        best = field.best(tuned)
        if best is None:
            continue
        lower, upper, match = best
        verdict = field.verdict(tuned, definition.eps)
        value = numbers.cosine(lower, upper, decimals=3, eps=definition.eps, glyphs=look.glyphs)
        place = "" if match is None else f" at base {match}"
        head = f"best of {tuned}: " if not number else "   "
        side = f"{field.side} " if len(shown) > 1 else ""
        beyond = "" if tuned < definition.k else ", beyond k"
        accent = verdict is Verdict.INTRUDER and not beyond
        text.append(
            f"{head}{side}{value}{place}, {verdict.value}{beyond}",
            look.tones.accent if accent else look.tones.muted,
        )
    return text


def _pooled_column(shown: Sequence[Field], columns: range, definition: Definition, look: Look) -> Text:
    """Which of the examined vectors of several columns are intruders."""
    examined = range(columns.start, min(columns.stop, definition.k))
    if not examined:
        return Text(f"beyond the {definition.k} examined vectors", look.tones.muted)
    text = Text()
    for number, field in enumerate(shown):
        found = [j for j in examined if field.verdict(j, definition.eps) is Verdict.INTRUDER]
        side = f"{field.side}: " if len(shown) > 1 else ""
        named = ", ".join(map(str, found[:MOST_NAMED])) + (", ..." if len(found) > MOST_NAMED else "")
        words = f"{'intruder' if len(found) == 1 else 'intruders'} {named}" if found else "no intruder"
        text.append(
            f"{'   ' if number else ''}{side}{words}", look.tones.accent if found else look.tones.muted
        )
    text.append(f" among tuned {_range(examined, look.glyphs.to)}", look.tones.muted)
    return text


def _sigma(result: MatrixResult, shown: Sequence[Field], rank: int, look: Look, *, tuned: bool) -> str:
    """A singular value from the result, or from a whole matrix of cosines."""
    known = result.sigma_tuned if tuned else result.sigma_base
    if rank < len(known):
        return numbers.three_digits(float(known[rank]))
    for field in shown:
        if field.whole is not None:
            more = field.whole.sigma_tuned if tuned else field.whole.sigma_base
            if rank < len(more):
                return numbers.three_digits(float(more[rank]))
    return look.glyphs.idle


def _value(value: float | None, idle: str) -> str:
    return idle if value is None else f"{value:.3f}"


def _range(ranks: range, to: str) -> str:
    """ "32–63", or "32" for a single one."""
    return str(ranks.start) if len(ranks) == 1 else f"{ranks.start}{to}{ranks.stop - 1}"
