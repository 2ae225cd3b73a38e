"""A pairing on paper: what was found on each side, every row, and why anything was left out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import Pairing, Row, RowKind, Source
from intruder_tui.views.numbers import plural, shape


def listing(pairing: Pairing, *, everything: bool = False) -> Iterator[RenderableType]:
    """Renderables, top to bottom. Without `everything`, tensors that are no matrices are only counted."""
    yield _source("base ", pairing.base)
    yield _source("tuned", pairing.tuned)
    for note in (*pairing.base.notes, *pairing.tuned.notes, *pairing.notes):
        yield Text(f"note  {note}")
    shown = [row for row in pairing.rows if everything or len(row.shape) >= 2]
    yield Text()
    yield _table(shown)
    yield Text()
    yield Text(_counts(pairing, len(pairing.rows) - len(shown)))


def _source(side: str, source: Source) -> Text:
    files = plural(len(source.files), "file")
    text = (
        f"{side} {printable(source.argument)}: {source.kind}, {plural(source.tensors, 'tensor')} in {files}"
    )
    return Text(text, overflow="fold")


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    table.add_column("dtype", overflow="fold")
    table.add_column("how it pairs, or why not", overflow="fold")
    for row in rows:
        style = "" if row.kind is RowKind.MATRIX else "dim"
        table.add_row(
            Text(printable(row.name)),
            Text(shape(row.shape)),
            Text(row.dtype),
            Text(_account(row)),
            style=style,
        )
    return table


def _account(row: Row) -> str:
    notes = row.pair.notes if row.pair else ()
    if row.pair is None or row.kind is not RowKind.MATRIX:
        return "; ".join((f"{row.kind}: {row.reason}", *notes))
    return "; ".join((row.pair.rule, *notes))


def _counts(pairing: Pairing, hidden: int) -> str:
    kinds = [row.kind for row in pairing.rows]
    untouched = sum(pair.untouched for pair in pairing.pairs)
    parts = [plural(len(pairing.pairs), "matrix", "matrices") + " to analyse"]
    if untouched:
        parts[0] += f", {untouched} of them untouched by the adapter"
    for kind in (RowKind.SKIPPED, RowKind.UNPAIRED, RowKind.REFUSED):
        if kind in kinds:
            parts.append(f"{kinds.count(kind)} {kind}")
    if hidden:
        parts.append(
            f"{plural(hidden, 'tensor')} with fewer than two dimensions not listed (--all lists them)"
        )
    return "; ".join(parts)
