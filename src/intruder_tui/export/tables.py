"""Tables as CSV and tab-separated text, and the one of a matrix: a line for every examined tuned vector."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.findings.intruders import intruder_rows
from intruder_tui.results import MatrixResult

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


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows under a head line; what a row lacks, and None, is an empty cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def tabbed(text: str, columns: Sequence[str] = ()) -> str:
    """CSV as tab-separated text for a spreadsheet, of all columns or of those named.

    Signs that would break a cell are escaped.
    """
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [place for place, name in enumerate(rows[0] if rows else ()) if not columns or name in columns]
    return "\n".join("\t".join(printable(row[at], max(1, len(row[at]))) for at in kept) for row in rows)


def matrix_csv(name: str, result: MatrixResult, definition: Definition) -> str:
    """The table of one matrix, all of it; a cell without a value is empty.

    Every line repeats the definition, so that tables of several settings can be joined.
    """
    return csv_text(
        MATRIX_COLUMNS,
        (
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
                "best_index": row.match,
                "sigma_base": row.sigma_match,
                "shift": row.shift,
                "random_floor": round(row.floor, 6),
                "update_share": row.update_share,
                "window_share": row.window_share,
                "participation": row.participation,
                "cluster_size": None if row.cluster is None else row.cluster[0],
                "cluster_overlap": None if row.cluster is None else row.cluster[1],
                "verdict": row.verdict.value,
                "tier": result.tier.value,
            }
            for row in intruder_rows(result, definition)
        ),
    )
