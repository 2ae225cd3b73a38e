"""Two arguments in, one list of rows out: what can be compared, and why the rest can't."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from intruder_tui.checkpoint.adapter_config import NOTHING_SAID, AdapterOptions
from intruder_tui.checkpoint.catalog import Catalog, only_header, open_catalog
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.locate import Kind, Located, locate
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.order import natural_key
from intruder_tui.checkpoint.pairs import Pairing, Row, RowKind, Source
from intruder_tui.checkpoint.renames import Renames, parse_renames
from intruder_tui.checkpoint.rows import model_rows
from intruder_tui.checkpoint.rules import AMBIGUOUS

if TYPE_CHECKING:
    from intruder_tui.checkpoint.adapter import Adapter
    from intruder_tui.checkpoint.headers import Header

SAME_FILES = "BASE and TUNED are the same files"
_MOST_REASONS = 3


def open_pairing(
    base: str,
    tuned: str,
    options: AdapterOptions = NOTHING_SAID,
    renames: Sequence[str] = (),
) -> Pairing:
    """Open a base checkpoint and a tuned one (or an adapter on the base) and lay them side by side.

    Only headers are read. Rows are in natural layer order and their names are unique. `renames`, each
    "REGEX=REPL", say which tuned names mean which base names; `options` what an adapter's files can't say.

    Raises:
        CheckpointError: an argument can't be used; one line that names it.
    """
    with _uncollected():
        return _opened(base, tuned, options, parse_renames(renames))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Opening makes up to a million objects and no cycles: the collector would walk them again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _opened(base: str, tuned: str, options: AdapterOptions, rules: Renames) -> Pairing:
    base_at = locate(base)
    if base_at.kind is Kind.ADAPTER:
        raise CheckpointError(
            f"{shown(base)}: an adapter, and BASE must be a full checkpoint; give the adapter as TUNED"
        )
    tuned_at = locate(tuned)
    catalog = open_catalog(base_at)
    header = None if tuned_at.kind is Kind.ADAPTER else only_header(tuned_at)
    adapter = _adapter(tuned_at, header, catalog, options)
    if adapter is not None:
        from intruder_tui.checkpoint.adapter_rows import adapter_rows
        from intruder_tui.checkpoint.adapter_tuners import tuner_name

        rows = adapter_rows(catalog, adapter, rules)
        source = replace(
            _source(tuned_at, adapter.tensors, adapter.notes),
            kind=f"{tuner_name(adapter.config.kind)} adapter",
        )
        notes = _base_differs(catalog, adapter)
    else:
        other = open_catalog(tuned_at, header)
        rows = model_rows(catalog, other, rules)
        source = _source(tuned_at, len(other.tensors), other.notes)
        notes = _same_files(base_at, tuned_at)
    rows.sort(key=lambda row: natural_key(row.name))
    return Pairing(
        base=_source(base_at, len(catalog.tensors), catalog.notes),
        tuned=source,
        rows=tuple(rows),
        notes=(*notes, *_nothing_to_analyse(rows)),
    )


def _adapter(tuned: Located, header: Header | None, base: Catalog, options: AdapterOptions) -> Adapter | None:
    """The adapter that the files are; None for a full checkpoint: nothing is loaded for adapters then.

    `header` is that of the only file, where there is one.
    """
    if tuned.kind is Kind.ADAPTER:
        from intruder_tui.checkpoint.adapter import open_adapter

        return open_adapter(tuned, options)
    if header is None:
        return None
    from intruder_tui.checkpoint.adapter_files import lora_in_file

    return lora_in_file(tuned, header, base, options)


def _source(located: Located, tensors: int, notes: tuple[str, ...]) -> Source:
    files = tuple(str(file) for file in located.files)
    return Source(located.argument, located.label, str(located.kind), files, tensors, notes)


def _same_files(base: Located, tuned: Located) -> tuple[str, ...]:
    return (SAME_FILES,) if base.files == tuned.files else ()


def _base_differs(base: Catalog, adapter: Adapter) -> tuple[str, ...]:
    """A note when the adapter names another base; only the last part of a name travels between machines."""
    named = adapter.config.base.replace("\\", "/").rstrip("/")
    if not named:
        return ()
    recorded = base.config.get("_name_or_path")
    known = {base.located.label, base.located.argument.rstrip("/"), str(base.located.directory)}
    known |= {recorded.rstrip("/")} if isinstance(recorded, str) else set()
    last = {name.rpartition("/")[2].lower() for name in known if name}
    if named.rpartition("/")[2].lower() in last:
        return ()
    return (f"the adapter names {printable(named, 80)} as its base, not {printable(base.located.label, 80)}",)


def _nothing_to_analyse(rows: Sequence[Row]) -> tuple[str, ...]:
    """Why there is no matrix to analyse, in a few lines: the commonest reasons, each with a name."""
    if any(row.kind is RowKind.MATRIX for row in rows):
        return ()
    on_both = [row for row in rows if row.kind is not RowKind.UNPAIRED]
    if not on_both:
        ambiguous = [row for row in rows if AMBIGUOUS in row.reason]
        if ambiguous:
            return (
                f"no weight has the same name on both sides, and {len(ambiguous)} names have more than one "
                f"likely partner, such as {printable(ambiguous[0].name)}: --map says which means which",
            )
        return ("no weight has the same name on both sides: these look like different models",)
    refused = [row for row in on_both if row.kind is RowKind.REFUSED]
    named: dict[str, str] = {}
    for row in refused or on_both:
        named.setdefault(row.reason, row.name)
    counts = Counter(row.reason for row in refused or on_both)
    told = [
        f"{printable(named[reason])}: {reason}" + (f" (and {count - 1} more alike)" if count > 1 else "")
        for reason, count in counts.most_common(_MOST_REASONS)
    ]
    rest = len(refused or on_both) - sum(count for _, count in counts.most_common(_MOST_REASONS))
    return (*told, *((f"{rest} more can't be analysed: the listing says why",) if rest else ()))
