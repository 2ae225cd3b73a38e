"""A pairing on paper: what was found on each side, every row, and why anything was left out.

Lines of fixed columns: rich's tables measure every cell before the first line is out.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import Pairing, Row, RowKind, Source
from intruder_tui.views.numbers import plural, shape

_GAP = "  "
_HEAD = ("name", "shape", "dtype", "how it pairs, or why not")
_MOST = (100, 24, 24)
"""Columns that name, shape and dtype take at most; a longer one pushes the rest to a line of its own."""
_LEAST_NAME = 24
_LEAST_ACCOUNT = 8
_INDENT = "    "


def listing(pairing: Pairing, *, everything: bool = False, width: int | None = None) -> Iterator[Text]:
    """Lines, top to bottom. Without `everything`, tensors that are no matrices are only counted.

    `width` is the screen's, in columns: what does not fit stands on an indented line below. None for a file
    or a pipe, where each row is one line.
    """
    yield from _wrapped(_source("base ", pairing.base), width)
    if pairing.tuned.argument != pairing.base.argument:
        yield from _wrapped(_source("tuned", pairing.tuned), width)
    for note in (*pairing.base.notes, *pairing.tuned.notes, *pairing.notes):
        yield from _wrapped(f"note  {note}", width)
    shown = [row for row in pairing.rows if everything or _is_shown(row)]
    if shown:
        yield Text()
        yield from _table(shown, width)
    yield Text()
    yield from _wrapped(_counts(pairing, shown), width)


def _is_shown(row: Row) -> bool:
    """Matrices, stacks and what is refused; what one side lacks, whose shape is not always known."""
    return (
        len(row.shape) >= 2 or row.kind is RowKind.REFUSED or (not row.shape and row.kind is RowKind.UNPAIRED)
    )


def _source(side: str, source: Source) -> str:
    files = plural(len(source.files), "file")
    return (
        f"{side} {printable(source.argument)}: {source.kind}, {plural(source.tensors, 'tensor')} in {files}"
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Widths of name, shape and dtype, and the screen's (None: no end)."""

    name: int
    shape: int
    dtype: int
    screen: int | None

    @property
    def account(self) -> int | None:
        """What is left for the account."""
        if self.screen is None:
            return None
        return max(self.screen - self.name - self.shape - self.dtype - 3 * len(_GAP), 0)


def _table(rows: Sequence[Row], width: int | None) -> Iterator[Text]:
    cells = [(printable(row.name), shape(row.shape), row.dtype) for row in rows]
    name, size, dtype = (
        max((length for cell in (_HEAD, *cells) if (length := cell_len(cell[place])) <= most), default=0)
        for place, most in enumerate(_MOST)
    )
    if width is not None:
        name = min(name, max(width - size - dtype - _LEAST_ACCOUNT - 3 * len(_GAP), _LEAST_NAME))
    columns = _Columns(name, size, dtype, width)
    head = _lines(columns, _HEAD[:3], _HEAD[3])
    yield from (Text(line, style="bold") for line in head)
    for row, cell in zip(rows, cells, strict=True):
        style = "" if row.kind is RowKind.MATRIX else "dim"
        for line in _lines(columns, cell, _account(row)):
            yield Text(line, style=style)


def _lines(columns: _Columns, cells: tuple[str, ...], account: str) -> Iterator[str]:
    """A row: one line where everything fits, and indented ones below for what does not."""
    name, size, dtype = cells
    widths = (columns.name, columns.shape, columns.dtype)
    if columns.account is None:
        yield _GAP.join((*(_padded(cell, wide) for cell, wide in zip(cells, widths, strict=True)), account))
        return
    if cell_len(dtype) > columns.dtype:
        dtype, account = "", f"{dtype}; {account}"
    line = _GAP.join(
        (_padded(name, columns.name), _padded(size, columns.shape), _padded(dtype, columns.dtype))
    )
    fits = cell_len(account) <= columns.account
    if cell_len(name) > columns.name:
        yield name
        line = " " * columns.name + line[len(name) :]
    yield f"{line}{_GAP}{account}" if fits else line.rstrip()
    if not fits:
        yield from _folded(account, columns.screen)


def _folded(text: str, width: int | None) -> list[str]:
    """A long text on indented lines."""
    return textwrap.wrap(
        text,
        max(width or 0, 2 * _LEAST_NAME),
        initial_indent=_INDENT,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
    )


def _wrapped(text: str, width: int | None) -> Iterator[Text]:
    if width is None:
        yield Text(text)
        return
    wide = max(width, 2 * _LEAST_NAME)
    for line in textwrap.wrap(text, wide, subsequent_indent=_INDENT, break_on_hyphens=False):
        yield Text(line)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def _account(row: Row) -> str:
    notes = row.pair.notes if row.pair else ()
    if row.pair is None or row.kind is not RowKind.MATRIX:
        return "; ".join((f"{row.kind}: {row.reason}", *notes))
    return "; ".join((row.pair.rule, *notes))


def _counts(pairing: Pairing, shown: Sequence[Row]) -> str:
    """Every row once: those that are listed by what they are, then the others."""
    kinds = Counter(row.kind for row in shown)
    hidden = len(pairing.rows) - len(shown)
    untouched = sum(pair.untouched for pair in pairing.pairs)
    parts = [plural(len(pairing.pairs), "matrix", "matrices") + " to analyse"]
    if untouched:
        alone = pairing.base.files == pairing.tuned.files
        parts[0] += "" if alone else f", {untouched} of them untouched by the adapter"
    parts += [
        f"{kinds[kind]} {kind}"
        for kind in (RowKind.SKIPPED, RowKind.UNPAIRED, RowKind.REFUSED)
        if kinds[kind]
    ]
    if hidden:
        parts.append(
            f"{plural(hidden, 'tensor')} with fewer than two dimensions not listed (--all lists them)"
        )
    return "; ".join(parts)
