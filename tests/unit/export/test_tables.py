"""A matrix's table as CSV, read back by the csv module."""

from __future__ import annotations

import csv
import io

from tests.support.results import bounded, planted, unchanged

from intruder_tui.definition import Definition, Side
from intruder_tui.export.tables import MATRIX_COLUMNS, csv_text, matrix_csv, tabbed
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


def test_text_for_a_spreadsheet_has_one_line_a_row() -> None:
    lines = tabbed(csv_text(("a", "b", "c"), [{"a": NAME, "b": 1}, {"a": "x\ty", "c": 2.5}])).split("\n")
    assert [line.split("\t") for line in lines] == [
        ["a", "b", "c"],
        ['a,"b"\\n.weight', "1", ""],
        ["x\\ty", "", "2.5"],
    ]
    assert tabbed("a,b\n1,2\n", ("b",)) == "b\n2"
    assert tabbed("") == ""


def test_a_bound_is_no_value() -> None:
    rows = read(bounded(planted()), Definition())
    assert {row["best_cosine"] for row in rows} == {""}
    assert all(float(row["best_cosine_lower"]) <= float(row["best_cosine_upper"]) for row in rows)
    assert {row["best_index"] for row in rows} == {""}
    assert read(unchanged(), Definition()) == []
