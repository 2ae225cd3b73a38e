"""The scan as data: the JSON contract of `intruder-tui scan --json`, and its CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition, Verdict
from intruder_tui.export.remarks import pairing_remarks
from intruder_tui.export.sources import definition_document, source_document, versions_document
from intruder_tui.findings.ledger import Ledger, State
from intruder_tui.findings.scan import Read
from intruder_tui.results import MatrixResult, Tier
from intruder_tui.views.sentence import totals_remarks

SCHEMA = 1

_STATES = {
    State.DONE: "done",
    State.UNCHANGED: "unchanged",
    State.FAILED: "failed",
}

CSV_COLUMNS = (
    "tuned",
    "name",
    "out",
    "in",
    "state",
    "reason",
    "count",
    "intruders",
    "undecided",
    "borderline",
    "clustered",
    "lowest_best_cosine",
    "lowest_best_cosine_lower",
    "lowest_best_cosine_upper",
    "relative_norm",
    "effective_rank",
    "stable_rank",
    "adapter_rank",
    "tier",
)


def scan_document(checkpoints: Sequence[tuple[Ledger, Read]], definition: Definition) -> dict[str, Any]:
    """The document of the README's contract, schema 1: tuned checkpoints of one base, with their results."""
    first, _ = checkpoints[0]
    return {
        "schema": SCHEMA,
        "definition": definition_document(definition),
        "versions": versions_document(),
        "base": source_document(first.pairing.base),
        "tuned": [_tuned(ledger, read, definition) for ledger, read in checkpoints],
    }


def scan_csv(document: dict[str, Any]) -> str:
    """One line a matrix, from a scan document."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for tuned in document["tuned"]:
        for matrix in tuned["matrices"]:
            writer.writerow(
                {
                    "tuned": tuned["path"],
                    "name": printable(matrix["name"]),
                    "out": matrix["shape"][0] if matrix["shape"] else "",
                    "in": matrix["shape"][1] if len(matrix["shape"]) > 1 else "",
                    "state": matrix["state"],
                    "reason": printable(matrix["reason"] or ""),
                    "count": matrix["count"],
                    **{
                        verdict: " ".join(str(j) for j in matrix[verdict])
                        for verdict in ("intruders", "undecided", "borderline", "clustered")
                    },
                    **_lowest(matrix["best_cosine_bounds"]),
                    "relative_norm": matrix["update"]["relative_norm"],
                    "effective_rank": matrix["update"]["effective_rank"],
                    "stable_rank": matrix["update"]["stable_rank"],
                    "adapter_rank": matrix["update"]["adapter_rank"],
                    "tier": matrix["tier"],
                }
            )
    return out.getvalue()


def _lowest(bounds: Sequence[tuple[float, float]]) -> dict[str, float]:
    """The smallest best(j) of a matrix: within what bounds it lies, and its value where they meet."""
    if not bounds:
        return {}
    lower, upper = (min(ends) for ends in zip(*bounds, strict=True))
    known = {"lowest_best_cosine_lower": lower, "lowest_best_cosine_upper": upper}
    return known | ({"lowest_best_cosine": lower} if lower == upper else {})


def _tuned(ledger: Ledger, read: Read, definition: Definition) -> dict[str, Any]:
    rows = [row for row in ledger.pairing.rows if len(row.shape) >= 2 or row.kind is RowKind.REFUSED]
    matrices = [_matrix(ledger, read, row.name, definition) for row in rows]
    totals = ledger.totals(definition)
    return {
        **source_document(ledger.pairing.tuned),
        "intruders": totals.intruders,
        "matrices_with_intruders": totals.carriers,
        "undecided": totals.undecided,
        "borderline": totals.borderline,
        "clustered": totals.clustered,
        "failed": totals.failed,
        "refused": totals.refused,
        "remarks": [*totals_remarks(totals), *pairing_remarks(ledger.pairing)],
        "matrices": matrices,
    }


def _matrix(ledger: Ledger, read: Read, name: str, definition: Definition) -> dict[str, Any]:
    row = ledger.row(name)
    result = read(name)  # first: an entry that is gone or damaged changes the state
    state = ledger.state(name)
    refused = row.kind is RowKind.REFUSED
    document = {
        "name": name,
        "shape": list(row.shape),
        "state": "refused" if refused else _STATES.get(state, "skipped"),
        "reason": ledger.reason(name) or None,
        "count": ledger.count(name, definition),
    }
    adapter_rank = row.pair.adapter_rank if row.pair else None
    if result is None:
        return document | _no_numbers(adapter_rank, unchanged=state is State.UNCHANGED)
    return document | _numbers(result, definition, adapter_rank)


def _no_numbers(adapter_rank: int | None, *, unchanged: bool) -> dict[str, Any]:
    return {
        "intruders": [],
        "undecided": [],
        "borderline": [],
        "clustered": [],
        "sigma_tuned": [],
        "best_cosine": [],
        "best_cosine_bounds": [],
        "best_index": [],
        "tier": str(Tier.NONE) if unchanged else None,
        "device": None,
        "notes": [],
        "update": {
            "relative_norm": 0.0 if unchanged else None,
            "effective_rank": None,
            "stable_rank": None,
            "adapter_rank": adapter_rank,
        },
    }


def _finite(value: float) -> float | None:
    """JSON knows no infinity: the relative update of a base of zeros has no value."""
    return value if math.isfinite(value) else None


def _numbers(result: MatrixResult, definition: Definition, adapter_rank: int | None) -> dict[str, Any]:
    similarity = result.side(definition.side)
    examined = range(min(definition.k, len(similarity.lower)))
    summary = result.summary()
    return {
        "intruders": summary.intruders(definition),
        "undecided": summary.undecided(definition),
        "borderline": summary.ranked(definition, Verdict.BORDERLINE),
        "clustered": summary.ranked(definition, Verdict.CLUSTERED),
        "sigma_tuned": [float(value) for value in result.sigma_tuned[: definition.k]],
        "best_cosine": [float(similarity.lower[j]) if similarity.exact(j) else None for j in examined],
        "best_cosine_bounds": [[float(similarity.lower[j]), float(similarity.upper[j])] for j in examined],
        "best_index": [int(i) if i >= 0 else None for i in similarity.index[: len(examined)]],
        "tier": str(result.tier),
        "device": None if result.unchanged else result.device,
        "notes": list(result.notes),
        "update": {
            "relative_norm": _finite(result.update.relative_norm),
            "effective_rank": result.update.effective_rank,
            "stable_rank": result.update.stable_rank,
            "adapter_rank": adapter_rank,
        },
    }
