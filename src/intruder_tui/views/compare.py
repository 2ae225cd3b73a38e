"""Checkpoints beside each other: a table of counts."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.findings.comparison import ComparedRow, Comparison, Count, telling_rows
from intruder_tui.views import naming, numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.sentence import without_answer

MOST_ROWS = 500
LONGEST_LABEL = 18
LEAST_NAME = 12
"""Cells of a matrix's name; for their sake the difference is left out first, then the cosines."""
GAP = 2


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

    A line of `base_doubts` stands before all that where there is one.
    Names leave out what all layers' names begin with, and long labels what all labels begin with. With `eps`
    no cosine is rounded across it.
    """
    tone = tones(mode)
    telling = telling_rows(one)
    shown = [one.everything, *telling[:most]]
    last = "difference" if len(one.labels) == 2 else "spread"
    longest = max(8, min(LONGEST_LABEL, (width - 30) // max(1, len(one.labels))))
    labels = one.labels if max(map(len, one.labels)) <= longest else naming.stems(one.labels)
    for brief, spare in ((False, False), (False, True), (True, True)):  # no value is cut
        heads = [*(_shortened(label, longest, glyphs) for label in labels), last]
        texts = [[*_counts(row, glyphs, eps, brief=brief), _difference(row, glyphs)] for row in shown]
        if spare:
            heads, texts = heads[:-1], [cells[:-1] for cells in texts]
        widths = [max(len(cell) for cell in cells) for cells in zip(heads, *texts, strict=True)]
        room = width - sum(widths) - GAP * len(widths)
        if room >= LEAST_NAME:
            break
    room = max(LEAST_NAME, room)
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style=tone.muted)
    table.add_column("matrix", no_wrap=True)
    for head, size in zip(heads, widths, strict=True):
        table.add_column(Text(head), justify="right", no_wrap=True, min_width=size)
    common = naming.trunk(row.name for row in one.rows)
    for row, cells in zip(shown, texts, strict=True):
        name = naming.fitted(printable(naming.within(row.name, common)), room, glyphs.ellipsis)
        styles = [tone.accent if count.certain else tone.muted for count in row.counts] + [tone.text]
        styles = [tone.strong] * len(cells) if row is one.everything else styles[: len(cells)]
        table.add_row(
            Text(name, tone.strong if row is one.everything else tone.text),
            *(Text(cell, style) for cell, style in zip(cells, styles, strict=True)),
        )
    parts: list[RenderableType] = [table]
    if doubts := base_doubts(one):
        line = doubts if len(doubts) <= width else doubts[: width - len(glyphs.ellipsis)] + glyphs.ellipsis
        parts.insert(0, Text(line, tone.warning))
    if len(telling) > most:
        parts.append(Text(f"{len(telling) - most} more", tone.muted))
    quiet = sum(all(c.certain == 0 and not c.undecided for c in row.counts) for row in one.rows)
    facts = [f"{numbers.plural(quiet, 'matrix', 'matrices')} without an intruder in any"] if quiet else []
    facts += [printable(text) for text in (*_missing(one), *_outgrown(one))]
    if facts:
        parts += [Text(), Text("; ".join(facts) + ".", tone.muted)]
    return Group(*parts)


def base_doubts(one: Comparison) -> str:
    """The question whether this is every checkpoint's base, on a line; empty where nothing suggests it."""
    doubted = [
        f"{printable(label)} {total.unrelated} of {total.changed}"
        for label, total in zip(one.labels, one.totals, strict=True)
        if total.base_doubtful
    ]
    return f"Is this the right base? Unrelated: {', '.join(doubted)}" if doubted else ""


def _outgrown(one: Comparison) -> list[str]:
    return [
        f"{label}: the update is larger than the weight in {total.outgrown} of {total.changed}"
        for label, total in zip(one.labels, one.totals, strict=True)
        if total.outgrown
    ]


def _missing(one: Comparison) -> list[str]:
    """Which checkpoints are not wholly answered; how far a scan is, the header counts as it goes."""
    found = []
    for label, total in zip(one.labels, one.totals, strict=True):
        parts = without_answer(total)
        analysed, matrices = total.progress
        if total.pending > 1:
            parts = ["is being analysed", *parts]
        elif total.left:
            parts = [f"{analysed} of {matrices} analysed", *parts]
        elif total.failed:
            parts = [f"{analysed} analysed", *parts]
        if parts:
            found.append(f"{label} {', '.join(parts)}")
    return found


def count_text(count: Count, glyphs: Glyphs = UNICODE, eps: float | None = None) -> str:
    """ "3 (0.08)": the count and the lowest best cosine behind it; signs where there is nothing to count.

    "≥3 (≤ 0.08)" where that is not all yet.
    """
    if count.absent:
        return glyphs.dash
    if count.failed:
        return glyphs.failed
    if count.unchanged:
        return glyphs.unchanged
    if count.certain is None or (count.partial and not count.certain):
        return glyphs.idle
    text = f"{count.certain}{glyphs.undecided if count.undecided else ''}"
    if count.partial:
        text = f"{glyphs.at_least.strip()}{text}"
    if count.lowest is None:
        return text
    lower, upper = count.lowest
    return f"{text} ({numbers.cosine(lower, upper, eps=eps, glyphs=glyphs)})"


def _counts(row: ComparedRow, glyphs: Glyphs, eps: float | None, *, brief: bool) -> list[str]:
    """A row's counts; in `brief` without cosines."""
    counts = [replace(count, lowest=None) for count in row.counts] if brief else row.counts
    return [count_text(count, glyphs, eps) for count in counts]


def _difference(row: ComparedRow, glyphs: Glyphs) -> str:
    value = row.difference
    if value is None:
        return glyphs.dash
    return f"{value:+d}".replace("-", glyphs.minus) if len(row.counts) == 2 and value else str(value)


def _shortened(label: str, width: int, glyphs: Glyphs) -> str:
    """A label that keeps its end: the step of a series."""
    text = printable(label)
    return text if len(text) <= width else glyphs.ellipsis + text[-(width - len(glyphs.ellipsis)) :]
