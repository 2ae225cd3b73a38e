"""One tuned vector against the base: the column, what lies beyond it, the bars."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import analyse, base_weight, bounded, clean, plant, planted

from intruder_tui.definition import Definition, Side, Verdict
from intruder_tui.results import MatrixResult
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.vector import VectorPlot, profile, vector_sentence


def shown(result: MatrixResult, j: int, width: int, lines: int, glyphs: Glyphs = ASCII) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(VectorPlot(profile(result, j, Definition()), 0.5, ColourMode.NONE, glyphs, lines))
    return capture.get().splitlines()


def test_the_column_and_its_neighbours_in_words() -> None:
    result = planted()
    one = profile(result, 0, Definition())
    assert np.array_equal(one.cosines, result.left.block[:, 0])
    assert (one.q, one.beyond) == (128, 96)
    assert one.verdict is Verdict.INTRUDER
    text = vector_sentence(one, 0.5)
    assert "over all 128 base vectors, intruder" in text
    assert "96 of them lie beyond the 32 shown; best(j) covers them" in text


def test_nothing_beyond_the_block_exceeds_the_bound() -> None:
    base = base_weight(40, 40)
    tuned = plant(base, [1.2, 0.4])
    cosines = np.abs(np.linalg.svd(base)[0].T @ np.linalg.svd(tuned)[0])
    for limit in (4, 12, 40):
        result = analyse(base, tuned, limit=limit)
        for j in range(limit):
            one = profile(result, j, Definition())
            beyond = cosines[limit:, j].max(initial=0.0)
            assert beyond <= one.most_beyond + 1e-6
            assert one.most_beyond <= one.upper
    assert profile(analyse(base, tuned, limit=40), 3, Definition()).beyond == 0


def test_bounds_alone_have_a_sentence_and_no_plot() -> None:
    lines = shown(bounded(planted()), 0, 200, 16)
    assert len(lines) == 1
    assert "Single cosines are not known" in lines[0]


def test_the_other_side_and_a_vector_that_is_not_held() -> None:
    result = planted()
    one = profile(result, 1, Definition(Side.RIGHT))
    assert np.array_equal(one.cosines, result.right.block[:, 1])
    with pytest.raises(IndexError, match="tuned vector 32: the result holds 32"):
        profile(result, 32, Definition())


@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
@pytest.mark.parametrize(("width", "lines"), [(40, 12), (80, 24), (200, 40)])
def test_it_fits(width: int, lines: int, glyphs: Glyphs) -> None:
    for j in (0, 5):
        text = shown(planted(), j, width, lines, glyphs)
        assert len(text) <= lines
        assert max(len(line) for line in text) <= width


def test_the_tallest_bar_stands_at_the_best_match() -> None:
    result = clean()
    for j in (0, 3, 7):
        text = shown(result, j, 8 + 32 * 4, 14)
        top = next(line for line in text if line.startswith("     1 "))
        assert top[8:].index("I") == 4 * int(result.left.index[j])
