"""Rows of the intruder table, against the singular vectors themselves."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import base_weight, bounded, plant, planted

from intruder_tui.definition import Definition, Side, Verdict
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.intruders import cells, intruder_rows, intruder_table, plain_table
from intruder_tui.views.palette import ColourMode


@pytest.mark.parametrize("side", list(Side))
def test_rows_say_what_numpy_says(side: Side) -> None:
    base = base_weight(64, 48)
    tuned = plant(base, [1.2, 0.4])
    u0, s0, v0 = np.linalg.svd(base, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(tuned, full_matrices=False)
    cosines = np.abs(u0.T @ u1) if side is Side.LEFT else np.abs(v0 @ v1.T)
    rows = intruder_rows(planted(64, 48, (1.2, 0.4)), Definition(side, 8, 0.5))
    assert [row.j for row in rows] == list(range(8))
    for row in rows:
        match = int(cosines[:, row.j].argmax())
        best = cosines[:, row.j].max()
        assert row.lower == row.upper == pytest.approx(best, abs=1e-6)
        assert row.match == match
        assert row.shift == match - row.j
        assert row.sigma == pytest.approx(s1[row.j], rel=1e-6)
        assert row.sigma_match == pytest.approx(s0[match], rel=1e-6)
        assert row.verdict is (Verdict.INTRUDER if best < 0.5 else Verdict.MATCHED)


def test_a_planted_pair_has_its_two_intruders() -> None:
    rows = intruder_rows(planted(96, 96, (1.2, 0.4)), Definition(k=10))
    assert sum(row.verdict is Verdict.INTRUDER for row in rows) == 2
    assert rows[0].verdict is Verdict.INTRUDER


def test_bounds_have_no_match_and_no_shift() -> None:
    rows = intruder_rows(bounded(planted()), Definition(k=4))
    assert all(row.match is None and row.shift is None and row.sigma_match is None for row in rows)
    text = cells(rows, 0.5)
    assert text.rows[0][4:7] == ("–", "–", "–")
    assert "–" in text.rows[1][3]
    assert text.rows[0][3].startswith("≤ ")


def test_no_more_rows_than_are_known_or_asked_for() -> None:
    result = planted(limit=12)
    assert len(intruder_rows(result, Definition(k=40))) == 12
    assert len(intruder_rows(result, Definition(k=40), most=5)) == 5
    assert len(intruder_rows(result, Definition(k=1))) == 1


GOLDEN = """\
   j  sigma tuned  best |cos|  base i  sigma base  shift  verdict
#  0         24.1        0.34      76       0.956    +76  intruder
-  1         20.0        1.00       0        20.0     -1  matched
-  2         12.3        1.00       1        12.3     -1  matched
#  3         12.2        0.33     111       0.735   +108  intruder
-  4         9.27        1.00       2        9.27     -2  matched
"""


def test_the_table_as_plain_text() -> None:
    console = Console(width=80, color_system=None)
    table = intruder_table(planted(strengths=(1.2, 0.6)), Definition(k=5), mode=ColourMode.NONE, glyphs=ASCII)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert "\n".join(lines) + "\n" == GOLDEN


def test_a_compact_table_leaves_one_column_out() -> None:
    rows = intruder_rows(planted(), Definition(k=3))
    wide, narrow = cells(rows, 0.5), cells(rows, 0.5, compact=True)
    assert len(narrow.heads) == len(wide.heads) - 1
    assert all(len(line) == len(narrow.heads) for line in narrow.rows)


def test_small_singular_values_share_an_exponent() -> None:
    base = base_weight(32, 32) * 1e-4
    from tests.support.results import analyse

    text = cells(intruder_rows(analyse(base, plant(base, [0.5])), Definition(k=3)), 0.5)
    assert text.heads[2] == "σ tuned×10⁻³"
    assert text.heads[5] == "σ base×10⁻³"


def test_tab_separated_for_the_clipboard() -> None:
    text = plain_table(cells(intruder_rows(planted(), Definition(k=2)), 0.5))
    lines = text.split("\n")
    assert len(lines) == 3
    assert {line.count("\t") for line in lines} == {7}
