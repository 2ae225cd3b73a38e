"""Figures: valid XML, the right shapes in the right places, the document inside, hostile names as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_session
from tests.support.results import bounded, clean, planted, unchanged
from tests.support.sessions import matrix_row, session
from tests.support.sweeps import matrix_members

from intruder_tui.definition import Definition, Side
from intruder_tui.export.axes import Scale, log_scale
from intruder_tui.export.caption import Caption, caption
from intruder_tui.export.heatmap import EDGE, heatmap_figure
from intruder_tui.export.matches import matches_figure, vector_figure
from intruder_tui.export.model_map import map_figure
from intruder_tui.export.spectrum import spectrum_figure
from intruder_tui.export.svg import ACCENT, INK, colour
from intruder_tui.export.sweep import sweep_figure
from intruder_tui.export.update import update_figure
from intruder_tui.findings.intruders import intruder_rows
from intruder_tui.findings.model_map import Measure, measures_of, model_map
from intruder_tui.findings.sweep import by_eps, by_k, by_share
from intruder_tui.results import Similarity
from intruder_tui.views.field import Field, field
from intruder_tui.views.palette import COLOURMAPS, srgb
from intruder_tui.views.vector import profile

HOSTILE = 'layers.0.</metadata><script>alert("1")</script>&amp;\x00\x1b[31m\ud800\ufffe\u202e.weight'
NS = "{http://www.w3.org/2000/svg}"
DEFINITION = Definition()
RESULT = planted()


def words(name: str = STRONG) -> Caption:
    if name == STRONG:
        return caption([llama_session(SilentEngine())], DEFINITION, name)
    one = session([matrix_row(name)], SilentEngine(), {name: clean()}, [name])
    return caption([one], DEFINITION, name)


def hostile_map(about: Caption) -> str:
    one = session([matrix_row(HOSTILE)], SilentEngine(), {HOSTILE: clean()}, [HOSTILE])
    return map_figure(model_map(one, DEFINITION), about)


FIGURES: dict[str, Callable[[Caption], str]] = {
    "heatmap": lambda about: heatmap_figure([field(RESULT, Side.LEFT)], DEFINITION, about),
    "matches": lambda about: matches_figure(intruder_rows(RESULT, DEFINITION), DEFINITION, about),
    "bounds": lambda about: matches_figure(intruder_rows(bounded(RESULT), DEFINITION), DEFINITION, about),
    "vector": lambda about: vector_figure(profile(RESULT, 0, DEFINITION), DEFINITION, about),
    "spectrum": lambda about: spectrum_figure(RESULT, DEFINITION, about),
    "update": lambda about: update_figure(RESULT, about),
    "sweep": lambda about: sweep_figure(
        [by_eps(HOSTILE, matrix_members(RESULT), DEFINITION)], DEFINITION, about
    ),
    "share": lambda about: sweep_figure(
        [by_share("a", matrix_members(RESULT), DEFINITION)], DEFINITION, about
    ),
    "map": hostile_map,
}


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NS}text")]


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("name", [STRONG, HOSTILE])
def test_it_is_valid_whatever_the_names_and_the_same_every_time(figure: str, name: str) -> None:
    about = words(name)
    svg = FIGURES[figure](about)
    assert svg == FIGURES[figure](about)
    root = parsed(svg)
    assert {element.tag for element in root.iter()} <= {
        NS + tag
        for tag in ("svg", "title", "metadata", "rect", "line", "path", "circle", "text", "g", "clipPath")
    }
    document = json.loads(root.findtext(f"{NS}metadata") or "")
    assert document["matrix"]["name"] == name
    assert document["definition"]["eps"] == 0.5
    assert document["base"]["files"]
    assert {"definition", "versions", "base", "tuned", "matrix"} <= set(document)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", svg)


@pytest.mark.parametrize("figure", FIGURES)
def test_everything_lies_on_the_page(figure: str) -> None:
    root = parsed(FIGURES[figure](words()))
    left, top, width, height = (float(part) for part in root.attrib["viewBox"].split())
    assert root.attrib["width"] == f"{width:g}pt"
    for element in root.iter(f"{NS}text"):
        assert left <= float(element.attrib["x"]) <= width
        assert top <= float(element.attrib["y"]) <= height
    for element in root.iter(f"{NS}line"):
        assert all(-0.01 <= float(element.attrib[part]) <= width + 0.01 for part in ("x1", "x2"))


def test_intruder_columns_are_outlined_where_they_are() -> None:
    root = parsed(heatmap_figure([field(RESULT, Side.LEFT)], DEFINITION, words()))
    outlines = [r for r in root.iter(f"{NS}rect") if r.attrib.get("stroke") == ACCENT]
    intruders = RESULT.summary().intruders(DEFINITION)
    width = 232 / DEFINITION.k
    assert [round((float(r.attrib["x"]) - 54) / width) for r in outlines[:-1]] == intruders
    assert len(outlines) == len(intruders) + 1  # the legend's


@pytest.mark.parametrize("colourmap", COLOURMAPS)
def test_a_cell_has_the_colour_of_its_value(colourmap: str) -> None:
    block = np.array([[1.0, 0.0], [0.0, 0.25]], np.float32)
    best = np.array([1.0, 0.25], np.float32)
    side = Similarity(best, best, np.array([0, 1], np.int32), block)
    root = parsed(heatmap_figure([Field(Side.LEFT, 2, side)], Definition(k=2), words(), colourmap=colourmap))
    by_fill = {e.attrib["fill"]: e.attrib["d"] for e in root.iter(f"{NS}path") if e.attrib["d"].endswith("z")}
    ends = [colour(rgb) for rgb in srgb(np.array([0.0, round(0.25 * 63) / 63, 1.0]), colourmap)]
    assert by_fill[ends[2]] == "M54 62H170V178H54z"
    assert by_fill[ends[0]] == "M170 62H286V178H170zM54 178H170V294H54z"
    assert by_fill[ends[1]] == "M170 178H286V294H170z"


def test_a_large_heatmap_is_pooled_and_says_so() -> None:
    block = np.random.default_rng(0).uniform(0, 1, (300, 300)).astype(np.float32)
    best = block.max(0)
    side = Similarity(best, best, block.argmax(0).astype(np.int32), block)
    svg = heatmap_figure([Field(Side.LEFT, 300, side)], Definition(k=300), words())
    assert "maximum over 300 × 300 cosines in 96 × 96 cells" in texts(parsed(svg))
    assert len(svg) < 500_000


def test_both_sides_stand_beside_each_other() -> None:
    sides = [field(RESULT, side) for side in Side]
    root = parsed(heatmap_figure(sides, DEFINITION, words()))
    assert [text for text in texts(root) if text.startswith("tuned singular vector j")] == [
        "tuned singular vector j, side U",
        "tuned singular vector j, side V",
    ]
    assert "sides U and V, k = 10, ε = 0.50" in texts(root)
    frames = [r for r in root.iter(f"{NS}rect") if r.attrib.get("stroke") == INK]
    places = [float(r.attrib["x"]) for r in frames if float(r.attrib["width"]) == EDGE]
    assert len(places) == 2
    assert places[1] > places[0] + EDGE
    outlines = [r for r in root.iter(f"{NS}rect") if r.attrib.get("stroke") == ACCENT]
    assert len(outlines) == sum(len(one.intruders(10, 0.5)) + 1 for one in sides)


def test_best_matches_stand_where_their_values_are() -> None:
    rows = intruder_rows(RESULT, DEFINITION)
    root = parsed(matches_figure(rows, DEFINITION, words()))
    marks = [c for c in root.iter(f"{NS}circle") if c.attrib.get("stroke") == "#ffffff"][-len(rows) :]
    heights = [float(mark.attrib["cy"]) for mark in marks]
    values = [row.lower for row in rows]
    slope = (heights[1] - heights[0]) / (values[1] - values[0])
    assert heights == pytest.approx([heights[0] + slope * (v - values[0]) for v in values], abs=0.05)
    assert slope < 0
    tinted = [j for j, mark in enumerate(marks) if mark.attrib["fill"] == ACCENT]
    assert tinted == RESULT.summary().intruders(DEFINITION)
    with pytest.raises(ValueError, match="no examined vector"):
        matches_figure([], DEFINITION, words())


def test_a_vector_has_a_bar_for_every_base_vector_that_is_known() -> None:
    one = profile(RESULT, 1, DEFINITION)
    root = parsed(vector_figure(one, DEFINITION, words()))
    bars = [
        e
        for e in root.iter(f"{NS}line")
        if e.attrib["x1"] == e.attrib["x2"] and float(e.attrib["stroke-width"]) > 2
    ]
    assert len(bars) == len(one.cosines)
    lengths = [float(bar.attrib["y1"]) - float(bar.attrib["y2"]) for bar in bars]
    assert int(np.argmax(lengths)) == one.match
    with pytest.raises(ValueError, match="only bounds"):
        vector_figure(profile(bounded(RESULT), 0, DEFINITION), DEFINITION, words())


def test_the_spectrum_marks_each_intruder_at_its_singular_value() -> None:
    root = parsed(spectrum_figure(RESULT, DEFINITION, words()))
    marks = list(root.iter(f"{NS}circle"))
    intruders = RESULT.summary().intruders(DEFINITION)
    assert len(marks) == len(intruders) + 1
    heights = [float(mark.attrib["cy"]) for mark in marks[1:]]
    assert heights == sorted(heights)
    noisy = replace(RESULT, update=replace(RESULT.update, rounding_floor=3.0))
    assert "largest σ of rounding alone" in texts(parsed(spectrum_figure(noisy, DEFINITION, words())))


def test_the_sweeps_curve_ends_at_the_count() -> None:
    sweep = by_k("a", matrix_members(RESULT), DEFINITION)
    root = parsed(sweep_figure([sweep], DEFINITION, words()))
    curve = [e for e in root.iter(f"{NS}path") if e.attrib.get("stroke-width") == "1.4"][-1].attrib["d"]
    end = [float(part) for part in curve.split("L")[-1].split()]
    axis = next(e for e in root.iter(f"{NS}path") if e.attrib.get("stroke-width") == "0.8").attrib["d"]
    corner = [float(part) for part in axis.split("L")[1].split()]
    top = float(axis.removeprefix("M").split("L")[0].split()[1])
    share = (corner[1] - end[1]) / (corner[1] - top)
    assert share == pytest.approx(sweep.certain[-1] / sweep.possible[-1], abs=1e-3)


def test_bounds_are_a_band() -> None:
    loose = matrix_members(bounded(RESULT, 0.1))
    exact = sweep_figure([by_eps("a", matrix_members(RESULT), DEFINITION)], DEFINITION, words())
    band = sweep_figure([by_eps("a", loose, DEFINITION)], DEFINITION, words())
    assert "undecided" in texts(parsed(band))
    assert "undecided" not in texts(parsed(exact))


@pytest.mark.parametrize("measure", list(Measure))
def test_the_map_has_a_cell_for_every_matrix(measure: Measure) -> None:
    one = llama_session(SilentEngine(), ready=True)
    one.prime()
    known = {name: measures_of(result) for name in one.default_names if (result := one.result(name))}
    root = parsed(map_figure(model_map(one, DEFINITION, measure, known), caption([one], DEFINITION)))
    cells = [r for r in root.iter(f"{NS}rect") if r.attrib.get("stroke") == "#ffffff"]
    assert len(cells) == 28
    if measure is Measure.COUNT:
        bold = [e.text for e in root.iter(f"{NS}text") if e.attrib.get("font-weight") == "bold"]
        assert bold[-1] == str(one.totals(DEFINITION).intruders)


def test_what_can_not_be_drawn_is_named() -> None:
    about = words()
    with pytest.raises(ValueError, match="only bounds are known"):
        heatmap_figure([field(bounded(RESULT), Side.LEFT)], DEFINITION, about)
    with pytest.raises(ValueError, match="no singular values"):
        spectrum_figure(unchanged(), DEFINITION, about)
    with pytest.raises(ValueError, match="no singular values of the update"):
        update_figure(unchanged(), about)
    members = matrix_members(RESULT)
    with pytest.raises(ValueError, match="2 sweeps along 2 axes"):
        sweep_figure([by_eps("a", members, DEFINITION), by_k("a", members, DEFINITION)], DEFINITION, about)
    empty = session([], SilentEngine(), {})
    with pytest.raises(ValueError, match="no weight matrix"):
        map_figure(model_map(empty, DEFINITION), about)


def test_a_floor_of_zero_does_not_break_a_logarithmic_axis() -> None:
    flat = replace(RESULT, update=replace(RESULT.update, rounding_floor=0.0))
    parsed(update_figure(flat, words()))
    parsed(spectrum_figure(flat, DEFINITION, words()))


def test_scales() -> None:
    log = log_scale([1e-3, 5.0])
    assert log.at(log.low) == 0
    assert log.at(log.high) == pytest.approx(1)
    assert [text for _, text in log.ticks(6)] == ["10⁻³", "10⁻²", "10⁻¹", "1"]
    assert [text for _, text in Scale(2, 6, logarithmic=True).ticks(6)] == ["2", "5"]
    assert log_scale([1e-12, 1.0]).low == pytest.approx(1e-6 / 1.25)
