"""The lowest best cosine of a scan's lines: a value where one is known, bounds otherwise."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from tests.support.engines import SilentEngine
from tests.support.results import planted
from tests.support.sessions import matrix_row, session

from intruder_tui.definition import Definition
from intruder_tui.export.scan import scan_csv, scan_document
from intruder_tui.findings.scan import scanned
from intruder_tui.views.scan import scan_report


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


def test_a_wrong_base_is_asked_about_first() -> None:
    names = [f"layers.{n}.q_proj.weight" for n in range(3)]
    results = dict.fromkeys(names, replace(planted(64, 48), weight_cosine=0.01))
    one = session([matrix_row(name) for name in names], SilentEngine(), results, ready=names)
    one.prime()
    question = "Is this the right base? Weights unrelated in 3 of 3 changed matrices: "
    (remark,) = scan_document([(one, one.result)], Definition())["tuned"][0]["remarks"]
    assert remark.startswith(question)
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(scan_report(scanned(one, Definition(), one.result), Definition()))
    assert capture.get().splitlines()[1] == remark
