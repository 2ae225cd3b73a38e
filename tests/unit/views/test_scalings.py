"""The slider's words, table and plot, against counts from numpy's SVD."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import base_weight, plant
from tests.support.studies import scaled

from intruder_tui.definition import Definition, Side
from intruder_tui.export.caption import Caption
from intruder_tui.export.scalings import scaling_figure
from intruder_tui.export.studies import scalings_csv, scalings_document
from intruder_tui.studies.answers import Scalings
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.scalings import ScalingView, carried, count_name, scaling_words

DEFINITION = Definition()


@cache
def grid() -> Scalings:
    """Two planted directions; the weaker one comes in at 1.6 times the adapter's own scaling."""
    base = base_weight(160, 128)
    return scaled(base, plant(base, [1.2, 0.3]) - base, 2)


def drawn(view: ScalingView, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_words_say_the_count_here_and_at_the_adapters_own_scaling() -> None:
    one = grid()
    certain = one.counts(DEFINITION)[0]
    assert certain[0] == 0
    assert certain[one.own] >= 1
    words = scaling_words(one, 0, DEFINITION)
    here = f"{certain[one.own]} intruder{'s' if certain[one.own] > 1 else ''}"
    assert words.startswith(
        f"At scaling 0 (alpha 0 at r 2), 0 times the adapter's own: 0 intruders; at 2: {here}"
    )
    first = int(np.flatnonzero(certain)[0])
    assert f"between {one.scalings[first - 1]:.4g} and {one.scalings[first]:.4g}" in words
    assert scaling_words(one, one.own, DEFINITION).startswith(
        f"At scaling 2 (alpha 4 at r 2), the adapter's own: {here}. The first"
    )
    assert "None up to 8" in scaling_words(one, 3, Definition(eps=0.0))
    assert "Only the first 32 vectors are known here, k is 40" in scaling_words(one, 3, Definition(k=40))
    # A rank-stabilised scaling of 1 is not taken for an alpha.
    assert "alpha" not in scaling_words(replace(one, scaling=1.0), 3, DEFINITION)


def test_bounds_that_leave_it_open_are_told_as_a_range() -> None:
    one = grid()
    loose = replace(one.left, lower=np.zeros_like(one.left.lower))
    certain = int(one.counts(DEFINITION)[0][one.own])
    assert count_name(replace(one, left=loose), one.own, DEFINITION) == f"{certain} to 10 intruders"


def test_every_vector_is_said_to_lie_where_its_energy_is() -> None:
    one = grid()
    rows = carried(one, 32, DEFINITION)
    assert [row.j for row in rows] == list(range(10))
    for row in rows:
        shares = one.left.shares[32, row.j]
        assert row.parts == tuple(
            (int(c), pytest.approx(float(shares[c]))) for c in np.argsort(-shares) if shares[c] >= 0.01
        )
        assert row.rest == pytest.approx(1 - shares.sum(), abs=1e-5)
    strongest = min(rows, key=lambda row: row.upper)
    assert strongest.parts[0][1] > 0.5  # at four times its scaling the update carries it
    few = carried(one, 32, DEFINITION, most=2)
    assert all(row.upper < 0.5 for row in few)  # intruders before the others


@pytest.mark.parametrize("width", [52, 80, 120])
@pytest.mark.parametrize("glyphs", [None, ASCII])
def test_the_view_fits_its_width(width: int, glyphs: object) -> None:
    view = ScalingView(grid(), 3, DEFINITION, ColourMode.NONE)
    if glyphs is not None:
        view = replace(view, glyphs=ASCII)
    text = drawn(view, width)
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "scaling 0.75" in text
    assert "component: energy" in text
    assert glyphs is None or text.isascii()


def test_without_components_the_table_leaves_them_out() -> None:
    one = grid()
    sides = [replace(side, shares=side.shares[:, :, :0]) for side in (one.left, one.right)]
    bare = replace(one, components=one.components[:0], left=sides[0], right=sides[1])
    assert "omponent" not in drawn(ScalingView(bare, 3, DEFINITION))


def test_an_adapter_taken_away_is_drawn_from_the_left() -> None:
    away = replace(grid(), scaling=-2.0)
    text = drawn(ScalingView(away, away.own, DEFINITION))
    assert "At scaling -2 (alpha -4 at r 2), the adapter's own" in text


def test_data_hold_every_scaling() -> None:
    one = grid()
    document = json.loads(json.dumps(scalings_document(one, 5, DEFINITION)))
    assert document["slider"] == 5
    assert document["scalings"][document["own"]] == 2.0
    for side in Side:
        counts = one.counts(Definition(side))[0].tolist()
        assert document["sides"][side.value]["intruders"] == counts
        assert np.shape(document["sides"][side.value]["best_cosine_upper"]) == (33, 10)
    rows = list(csv.DictReader(io.StringIO(scalings_csv("q", one, Definition(k=3)))))
    assert len(rows) == 33 * 3
    assert float(rows[-1]["scaling"]) == 8.0
    assert {row["matrix"] for row in rows} == {"q"}


@pytest.mark.parametrize("at", [8, 20])
def test_the_figure_is_a_whole_svg(at: int) -> None:
    text = scaling_figure(grid(), at, DEFINITION, Caption("q_proj", "side U", {"k": 10}))
    root = ElementTree.fromstring(text)
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "scaling of the update" in words
    assert "the adapter's own: 2" in words
    assert ("scaling 5 (alpha 10 at r 2)" in words) == (at == 20)
