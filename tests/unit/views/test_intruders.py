"""The intruder table: its cells, its columns, its order."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import analyse, base_weight, bounded, plant, planted, traced

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.intruders import intruder_rows
from intruder_tui.views.glyphs import ASCII, UNICODE
from intruder_tui.views.intruders import Order, cells, intruder_table, ordered, plain_table
from intruder_tui.views.palette import ColourMode


def test_bounds_have_no_match_and_no_shift() -> None:
    rows = intruder_rows(bounded(planted()), Definition(k=4))
    assert all(row.match is None and row.shift is None and row.sigma_match is None for row in rows)
    text = cells(rows, 0.5)
    assert text.rows[0][4:7] == ("–", "–", "–")
    assert "–" in text.rows[1][3]
    assert text.rows[0][3].startswith("≤ ")


GOLDEN = """\
   j  sigma tuned  best |cos|  base i  sigma base  shift  tier     verdict
#  0         24.1        0.34      76       0.956    +76  float64  intruder
-  1         20.0        1.00       0        20.0     -1  float64  matched
-  2         12.3        1.00       1        12.3     -1  float64  matched
#  3         12.2        0.33     111       0.735   +108  float64  intruder
-  4         9.27        1.00       2        9.27     -2  float64  matched
"""


def test_the_table_as_plain_text() -> None:
    console = Console(width=80, color_system=None)
    table = intruder_table(planted(strengths=(1.2, 0.6)), Definition(k=5), mode=ColourMode.NONE, glyphs=ASCII)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN


def test_what_a_vector_is_made_of_stands_in_its_row() -> None:
    result = traced((1.2,))
    rows = intruder_rows(result, Definition(k=8))
    (found,) = [row for row in rows if row.verdict is Verdict.INTRUDER]
    assert found.update_share is not None
    assert found.update_share > 0.9
    assert found.words == "intruder"
    assert found.participation is not None
    assert found.participation > 4
    matched = rows[1]
    assert matched.participation == pytest.approx(1, abs=0.1)
    text = cells(rows, 0.5)
    assert text.heads[-5:] == ("in dW", "window", "made of", "tier", "verdict")
    assert text.rows[1][-3] == "1"


def test_a_share_without_meaning_is_a_dash_and_a_cluster_shows_its_overlap() -> None:
    result = traced((1.2,))
    traits = result.left.traits
    assert traits is not None
    odd = replace(
        traits,
        update_share=np.full(20, np.nan, np.float32),
        cluster_size=np.array([1, 3, *[1] * 18], np.int32),
    )
    overlap = np.array([0.2, 0.98, *[1.0] * 18], np.float32)
    left = replace(result.left, traits=odd, overlap=overlap)
    text = cells(intruder_rows(replace(result, left=left), Definition(k=3)), 0.5)
    by_head = dict(zip(text.heads, zip(*text.rows, strict=True), strict=True))
    assert set(by_head["in dW"]) == {UNICODE.dash}
    assert by_head["cluster"] == (UNICODE.dash, "3: 0.98", UNICODE.dash)


@pytest.mark.parametrize("width", range(30, 110, 7))
def test_a_narrow_table_leaves_the_least_important_columns_out(width: int) -> None:
    rows = intruder_rows(traced((1.2, 0.4)), Definition(k=8))
    wide, narrow = cells(rows, 0.5), cells(rows, 0.5, width=width)
    heads = {head.replace(" tuned", "") for head in wide.heads} | set(wide.heads)
    assert set(narrow.heads) <= heads
    assert {"j", "best |cos|", "verdict"} <= set(narrow.heads)
    needed = sum(max(map(len, column)) + 2 for column in zip(narrow.heads, *narrow.rows, strict=True))
    assert needed <= max(width, 42)
    assert cells(rows, 0.5, width=needed) == narrow


def test_small_singular_values_share_an_exponent() -> None:
    base = base_weight(32, 32) * 1e-4
    text = cells(intruder_rows(analyse(base, plant(base, [0.5])), Definition(k=3)), 0.5)
    assert text.heads[2] == "σ tuned×10⁻³"
    assert text.heads[5] == "σ base×10⁻³"


def test_tab_separated_for_the_clipboard() -> None:
    text = plain_table(cells(intruder_rows(planted(), Definition(k=2)), 0.5))
    lines = text.split("\n")
    assert len(lines) == 3
    assert {line.count("\t") for line in lines} == {8}


@pytest.mark.parametrize("width", [120, 70, 60, 40])
def test_a_narrow_table_loses_columns_and_never_half_a_number(width: int) -> None:
    result, definition = traced((1.2, 0.6)), Definition(k=12)
    whole = {cell for row in cells(intruder_rows(result, definition), 0.5).rows for cell in row}
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(intruder_table(result, definition, mode=ColourMode.NONE, width=width))
    head, *lines = capture.get().splitlines()
    assert "best |cos|" in head
    assert len(lines) == 12
    for j, line in enumerate(lines):
        assert "…" not in line
        words = re.split(r" {2,}", line.strip().removeprefix("● ").removeprefix("· ").strip())
        assert words[0] == str(j)
        assert {word.strip() for word in words} <= {cell.strip() for cell in whole}
        assert words[-1] in ("intruder", "matched", "undecided", "intruder, mixing?")


@pytest.mark.parametrize("descending", [False, True])
def test_every_column_sorts_its_values_and_leaves_those_without_one_last(descending: bool) -> None:
    rows = intruder_rows(traced((1.2, 0.4)), Definition(k=10))
    rows = [*rows, *intruder_rows(bounded(planted()), Definition(k=4))]
    for column in cells(rows, 0.5).names:
        found = ordered(rows, Order(column, descending))
        assert sorted(map(id, found)) == sorted(map(id, rows))
        values = {
            "j": [row.j for row in found],
            "sigma": [row.sigma for row in found],
            "best": [row.upper for row in found],
            "base i": [row.match for row in found],
            "sigma base": [row.sigma_match for row in found],
            "shift": [row.shift for row in found],
            "window": [row.window_share for row in found],
            "made of": [row.participation for row in found],
        }.get(column, [])
        known = [value for value in values if value is not None]
        assert values[: len(known)] == sorted(known, reverse=descending)


def test_equal_values_stay_in_the_order_of_their_rank() -> None:
    rows = intruder_rows(planted(), Definition(k=10))
    matched = [row.j for row in ordered(rows, Order("verdict", True)) if row.verdict is Verdict.MATCHED]
    assert matched == sorted(matched)


def test_an_arrow_stands_at_the_sorted_column() -> None:
    rows = intruder_rows(planted(), Definition(k=4))
    assert [h for h in cells(rows, 0.5, order=Order("best")).heads if "▴" in h] == ["best |cos| ▴"]
    narrow = cells(rows, 0.5, ASCII, width=50, order=Order("sigma", True))
    assert [h for h in narrow.heads if h.endswith(" v")] == ["sigma v"]
