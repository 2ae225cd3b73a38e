"""One matrix as data: everything a view showed, with the definition and where it came from."""

from __future__ import annotations

import math
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Definition, Side
from intruder_tui.export.sources import definition_document, source_document, versions_document
from intruder_tui.findings.ledger import Ledger
from intruder_tui.results import MatrixResult, Update

SCHEMA = 1


def matrix_document(
    ledger: Ledger, name: str, result: MatrixResult | None, definition: Definition
) -> dict[str, Any]:
    """The document of a row: its pair, its result for j < k on both sides, its update, identities, versions.

    `result` is None where nothing has been computed. JSON-able, without NaN.
    """
    row = ledger.row(name)
    pair = row.pair
    return {
        "schema": SCHEMA,
        "definition": definition_document(definition),
        "versions": versions_document() | {"textual": version("textual")},
        "base": source_document(ledger.pairing.base),
        "tuned": source_document(ledger.pairing.tuned),
        "matrix": {
            "name": row.name,
            "shape": list(row.shape),
            "dtype": row.dtype,
            "rule": pair.rule if pair else None,
            "adapter_rank": pair.adapter_rank if pair else None,
            "state": ledger.state(name).value,
            "reason": ledger.reason(name) or None,
            "result_key": ledger.key(name),
        },
        "result": None if result is None else result_document(result, definition),
    }


def result_document(result: MatrixResult, definition: Definition) -> dict[str, Any]:
    """The numbers of a result, cut to the definition's k."""
    k = definition.k
    return {
        "tier": result.tier.value,
        "device": result.device,
        "notes": list(result.notes),
        "unchanged": result.unchanged,
        "weight_cosine": result.weight_cosine,
        "sigma_base": _floats(result.sigma_base[:k]),
        "sigma_tuned": _floats(result.sigma_tuned[:k]),
        "sides": {side.value: side_document(result, side, definition) for side in Side},
        "update": update_document(result.update),
    }


def update_document(update: Update) -> dict[str, Any]:
    """Measures of dW; null where undefined, infinite or not computed."""
    return {
        "sigma": _floats(update.sigma),
        "frobenius": update.frobenius,
        "relative_norm": update.relative_norm if math.isfinite(update.relative_norm) else None,
        "effective_rank": update.effective_rank,
        "stable_rank": update.stable_rank,
        "energy_ranks": list(update.energy_ranks) if update.energy_ranks else None,
        "adapter_rank": update.adapter_rank,
        "rounding_floor": update.rounding_floor,
    }


def side_document(result: MatrixResult, side: Side, definition: Definition) -> dict[str, Any]:
    """Best cosines, their bounds and verdicts for j < k, and the stored cosines among them."""
    similarity = result.side(side)
    known = min(definition.k, len(similarity.lower))
    lower, upper = _floats(similarity.lower[:known]), _floats(similarity.upper[:known])
    pairs = list(zip(lower, upper, strict=True))
    return {
        "best_cosine": [low if low == high else None for low, high in pairs],
        "best_cosine_bounds": [list(pair) for pair in pairs],
        "best_index": [int(i) if i >= 0 else None for i in similarity.index[:known]],
        "cluster_overlap": _floats(similarity.overlap[:known]),
        "verdict": [similarity.verdict(j, definition.eps).value for j in range(known)],
        "cosines_base_by_tuned": [_known(row[: definition.k]) for row in similarity.block[: definition.k]],
    }


def _known(values: NDArray[np.float32]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def _floats(values: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in values]
