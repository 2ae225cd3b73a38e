"""What a figure says of itself: its title, the setting in force, and where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.export.sources import definition_document, source_document, versions_document
from intruder_tui.findings.ledger import Ledger

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Caption:
    """The words over a figure, and the document inside it.

    Attributes:
        title: what is shown, in one line.
        setting: side, k and eps.
        document: JSON-able: definition, versions, base, tuned, matrix.
    """

    title: str
    setting: str
    document: Mapping[str, Any]


def caption(ledgers: Sequence[Ledger], definition: Definition, name: str | None = None) -> Caption:
    """The caption of a figure of one matrix, or with no `name` of whole checkpoints over one base."""
    base = ledgers[0].pairing.base
    tuned = ", ".join(printable(ledger.pairing.tuned.label, 40) for ledger in ledgers)
    title = f"{printable(base.label, 40)} → {tuned}"
    if name is not None:
        title = f"{printable(name.removesuffix('.weight'), 80)}, {title}"
    setting = f"side {definition.side}, k = {definition.k}, ε = {definition.eps:.2f}"
    return Caption(title, setting, identity_document(ledgers, definition, name))


def identity_document(
    ledgers: Sequence[Ledger], definition: Definition, name: str | None = None
) -> dict[str, Any]:
    """Definition, versions, both sides with their files, and the matrix where there is one."""
    matrix: dict[str, Any] | None = None
    if name is not None:
        row = ledgers[0].row(name)
        keys = [ledger.key(name) if ledger.has(name) else None for ledger in ledgers]
        matrix = {"name": row.name, "shape": list(row.shape), "dtype": row.dtype, "result_keys": keys}
    return {
        "schema": SCHEMA,
        "definition": definition_document(definition),
        "versions": versions_document(),
        "base": source_document(ledgers[0].pairing.base),
        "tuned": [source_document(ledger.pairing.tuned) for ledger in ledgers],
        "matrix": matrix,
    }
