"""The lowest best cosine of a scan's lines: a value where one is known, bounds otherwise."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from intruder_tui.export.scan import scan_csv


def document(bounds: list[list[float]]) -> dict[str, Any]:
    matrix: dict[str, Any] = {
        "name": "q_proj.weight",
        "shape": [8, 4],
        "state": "done",
        "reason": None,
        "count": 0,
        **{verdict: [] for verdict in ("intruders", "undecided", "borderline", "clustered")},
        "best_cosine_bounds": bounds,
        "tier": "certificate",
        "update": dict.fromkeys(("relative_norm", "effective_rank", "stable_rank", "adapter_rank")),
    }
    return {"tuned": [{"path": "tuned", "matrices": [matrix]}]}


@pytest.mark.parametrize(
    ("bounds", "lowest", "lower", "upper"),
    [
        ([[0.9, 0.9], [0.25, 0.25]], "0.25", "0.25", "0.25"),
        ([[0.9, 0.9], [0.0, 0.25]], "", "0.0", "0.25"),
        ([[0.3, 0.9], [0.25, 0.25]], "0.25", "0.25", "0.25"),
        ([[0.1, 0.9], [0.25, 0.25]], "", "0.1", "0.25"),
        ([], "", "", ""),
    ],
)
def test_a_bound_is_never_written_as_a_value(
    bounds: list[list[float]], lowest: str, lower: str, upper: str
) -> None:
    (row,) = csv.DictReader(io.StringIO(scan_csv(document(bounds))))
    assert row["lowest_best_cosine"] == lowest
    assert row["lowest_best_cosine_lower"] == lower
    assert row["lowest_best_cosine_upper"] == upper
