"""A pairing as data: `intruder-tui list --json`."""

from __future__ import annotations

from typing import Any

from intruder_tui.checkpoint.pairs import Pairing, Row
from intruder_tui.export.sources import source_document


def listing_document(pairing: Pairing) -> dict[str, Any]:
    """Both sources and every row with its kind, shape, dtypes, pairing rule and reason."""
    return {
        "schema": 1,
        "base": {**source_document(pairing.base), "tensors": pairing.base.tensors},
        "tuned": {**source_document(pairing.tuned), "tensors": pairing.tuned.tensors},
        "notes": list(pairing.notes),
        "rows": [_row(row) for row in pairing.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    pair = row.pair
    return {
        "name": row.name,
        "kind": str(row.kind),
        "shape": list(row.shape),
        "dtype": row.dtype,
        "rule": pair.rule if pair else None,
        "untouched": pair.untouched if pair else None,
        "adapter_rank": pair.adapter_rank if pair else None,
        "reason": row.reason or None,
        "notes": list(pair.notes) if pair else [],
    }
