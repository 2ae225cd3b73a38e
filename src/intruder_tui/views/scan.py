"""A scan on paper: the sentence, then the matrices that hold intruders, then what has no answer."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.definition import Definition, Verdict
from intruder_tui.engine.session import Session
from intruder_tui.findings.ledger import State
from intruder_tui.findings.tally import Strongest
from intruder_tui.views.numbers import cosine, percent
from intruder_tui.views.sentence import session_sentence

OPEN = (Verdict.UNDECIDED, Verdict.BORDERLINE, Verdict.CLUSTERED)


def scan_report(session: Session, definition: Definition) -> RenderableType:
    """One tuned checkpoint's scan; matrices whose vectors are all matched have no row."""
    totals = session.totals(definition)
    title = f"{printable(session.pairing.base.label)} → {printable(session.pairing.tuned.label)}"
    setting = f"side {definition.side}, k {definition.k}, ε {definition.eps:.2f}"
    finding = session_sentence(totals, strongest_of(session, definition), definition)
    refused = sum(row.kind is RowKind.REFUSED for row in session.pairing.rows)
    finding += f"; {refused} refused" if refused else ""
    parts: list[RenderableType] = [Text(f"{title}   {setting}", style="bold"), Text(finding)]
    table = _table(session, definition)
    if table.row_count:
        parts += [Text(), table]
    parts += [Text(line) for line in _without_answer(session)]
    return Group(*parts, Text())


def strongest_of(session: Session, definition: Definition) -> Strongest | None:
    """The strongest intruder of a session in the terms of its sentence."""
    found = session.strongest(definition)
    if found is None:
        return None
    return replace(found, name=printable(found.name.removesuffix(".weight")))


def _table(session: Session, definition: Definition) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("matrix", no_wrap=True)
    table.add_column("intruders", justify="right", no_wrap=True)
    table.add_column("ranks j", overflow="fold")
    table.add_column("best match", justify="right")
    table.add_column("update", justify="right")
    for row in session.pairing.rows:
        summary = session.summary(row.name)
        if summary is None:
            continue
        intruders = summary.intruders(definition)
        others = {verdict: found for verdict in OPEN if (found := summary.ranked(definition, verdict))}
        if not intruders and not others:
            continue
        similarity = summary.side(definition.side)
        lowest = min(intruders or chain(*others.values()), key=lambda j: similarity.upper[j])
        result = session.result(row.name)
        named = ", ".join(f"{len(found)} {verdict.value}" for verdict, found in others.items())
        table.add_row(
            Text(printable(row.name)),
            Text(f"{len(intruders)}" + (f" (+{named})" if named else "")),
            Text(" ".join(str(j) for j in intruders)),
            Text(
                cosine(float(similarity.lower[lowest]), float(similarity.upper[lowest]), eps=definition.eps)
            ),
            Text(percent(result.update.relative_norm) if result else ""),
        )
    return table


def _without_answer(session: Session) -> list[str]:
    """A line for each word and reason, with the first matrix it befell and how many others."""
    befell: dict[tuple[str, str], list[str]] = {}
    for row in session.pairing.rows:
        if word := _trouble(session, row):
            befell.setdefault((word, session.reason(row.name)), []).append(row.name)
    return [
        f"{word}  {printable(names[0])}: {reason}"
        + (f" (and {len(names) - 1} more alike)" if len(names) > 1 else "")
        for (word, reason), names in befell.items()
    ]


def _trouble(session: Session, row: Row) -> str:
    """The word for a row that has not got what was asked for; empty for another."""
    if row.kind is RowKind.REFUSED:
        return "refused"
    if session.state(row.name) is State.FAILED:
        return "failed"
    return "bounds only" if session.failed(row.name) else ""
