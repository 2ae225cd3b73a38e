"""A scan on paper: doubts about the base, the sentence, the matrices with intruders, what has no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.findings.scan import Carrier, Scan, Trouble
from intruder_tui.views.naming import SUFFIX
from intruder_tui.views.numbers import cosine, percent, runs
from intruder_tui.views.sentence import session_sentence, totals_remarks


def scan_report(scan: Scan, definition: Definition) -> RenderableType:
    """One tuned checkpoint's scan."""
    title = f"{printable(scan.base)} → {printable(scan.tuned)}"
    setting = f"side {definition.side}, k {definition.k}, ε {definition.eps:.2f}"
    strongest = scan.strongest
    if strongest is not None:
        strongest = replace(strongest, name=printable(strongest.name.removesuffix(SUFFIX)))
    finding = session_sentence(scan.totals, strongest, definition)
    doubts = [Text(remark) for remark in totals_remarks(scan.totals)]
    parts: list[RenderableType] = [Text(f"{title}   {setting}", style="bold"), *doubts, Text(finding)]
    if scan.carriers:
        parts += [Text(), _table(scan.carriers, definition)]
    parts += [Text(_line(trouble)) for trouble in scan.troubles]
    return Group(*parts, Text())


def _table(carriers: Sequence[Carrier], definition: Definition) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("matrix", no_wrap=True)
    table.add_column("intruders", justify="right", no_wrap=True)
    table.add_column("ranks j", overflow="fold")
    table.add_column("best match", justify="right")
    table.add_column("update", justify="right")
    for one in carriers:
        named = ", ".join(f"{count} {verdict.value}" for verdict, count in one.others.items())
        table.add_row(
            Text(printable(one.name.removesuffix(SUFFIX))),
            Text(f"{len(one.intruders)}" + (f" (+{named})" if named else "")),
            Text(runs(one.intruders)),
            Text(cosine(*one.lowest, eps=definition.eps)),
            Text("" if one.relative_norm is None else percent(one.relative_norm)),
        )
    return table


def _line(trouble: Trouble) -> str:
    """The first matrix that it befell, and how many others."""
    more = len(trouble.names) - 1
    alike = f" (and {more} more alike)" if more else ""
    return f"{trouble.word}  {printable(trouble.names[0])}: {trouble.reason}{alike}"
