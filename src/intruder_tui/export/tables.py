"""One matrix's table as CSV: a line for every examined tuned vector."""

from __future__ import annotations

import csv
import io

from intruder_tui.definition import Definition
from intruder_tui.results import MatrixResult
from intruder_tui.views.intruders import intruder_rows

MATRIX_COLUMNS = (
    "matrix",
    "side",
    "k",
    "eps",
    "j",
    "sigma_tuned",
    "best_cosine",
    "best_cosine_lower",
    "best_cosine_upper",
    "best_index",
    "sigma_base",
    "shift",
    "random_floor",
    "update_share",
    "window_share",
    "participation",
    "cluster_size",
    "cluster_overlap",
    "verdict",
    "tier",
)


def matrix_csv(name: str, result: MatrixResult, definition: Definition) -> str:
    """The table of one matrix, all of it; a cell without a value is empty.

    Every line repeats the definition, so that tables of several settings can be joined.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, MATRIX_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in intruder_rows(result, definition, most=definition.k):
        writer.writerow(
            {
                "matrix": name,
                "side": str(definition.side),
                "k": definition.k,
                "eps": definition.eps,
                "j": row.j,
                "sigma_tuned": row.sigma,
                "best_cosine": row.lower if row.lower == row.upper else "",
                "best_cosine_lower": row.lower,
                "best_cosine_upper": row.upper,
                "best_index": _cell(row.match),
                "sigma_base": _cell(row.sigma_match),
                "shift": _cell(row.shift),
                "random_floor": round(row.floor, 6),
                "update_share": _cell(row.update_share),
                "window_share": _cell(row.window_share),
                "participation": _cell(row.participation),
                "cluster_size": _cell(None if row.cluster is None else row.cluster[0]),
                "cluster_overlap": _cell(None if row.cluster is None else row.cluster[1]),
                "verdict": row.verdict.value,
                "tier": result.tier.value,
            }
        )
    return out.getvalue()


def _cell(value: float | None) -> float | str:
    return "" if value is None else value
