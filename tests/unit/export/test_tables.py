"""A matrix's table as CSV, read back by the csv module."""

from __future__ import annotations

import csv
import io

from tests.support.results import bounded, planted, unchanged

from intruder_tui.definition import Definition, Side
from intruder_tui.export.tables import MATRIX_COLUMNS, matrix_csv
from intruder_tui.results import MatrixResult

NAME = 'a,"b"\n.weight'


def read(result: MatrixResult, definition: Definition) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(matrix_csv(NAME, result, definition)))
    rows = list(reader)
    assert tuple(reader.fieldnames or ()) == MATRIX_COLUMNS
    return rows


def test_values_come_back_exactly() -> None:
    result, definition = planted(), Definition(Side.RIGHT, 20, 0.45)
    rows = read(result, definition)
    assert [int(row["j"]) for row in rows] == list(range(20))
    assert {row["matrix"] for row in rows} == {NAME}
    assert {(row["side"], row["k"], row["eps"]) for row in rows} == {("V", "20", "0.45")}
    for j, row in enumerate(rows):
        assert float(row["best_cosine"]) == float(result.right.lower[j])
        assert float(row["sigma_tuned"]) == float(result.sigma_tuned[j])
        assert int(row["shift"]) == int(row["best_index"]) - j
        assert (row["verdict"] == "intruder") == (result.right.upper[j] < 0.45)


def test_a_bound_is_no_value() -> None:
    rows = read(bounded(planted()), Definition())
    assert {row["best_cosine"] for row in rows} == {""}
    assert all(float(row["best_cosine_lower"]) <= float(row["best_cosine_upper"]) for row in rows)
    assert {row["best_index"] for row in rows} == {""}
    assert read(unchanged(), Definition()) == []
