"""The spectrum plot: where points stand, what is marked."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import bounded, planted, unchanged

from intruder_tui.definition import Definition
from intruder_tui.results import MatrixResult
from intruder_tui.views.glyphs import ASCII, UNICODE
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.spectrum import Spectrum, random_edge, rounding_edge, series


def shown(result: MatrixResult, width: int = 60, lines: int = 12) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(Spectrum(result, Definition(), ColourMode.NONE, ASCII, lines))
    return capture.get().splitlines()


def test_as_many_lines_as_asked_for() -> None:
    for lines in (8, 12, 30):
        assert len(shown(planted(), lines=lines)) == lines - 1


@pytest.mark.parametrize("width", [30, 60, 150])
def test_no_line_is_too_wide(width: int) -> None:
    plot = shown(planted(), width=width)[:-1]
    assert max(len(line) for line in plot) <= width


def test_intruders_are_marked_once_each() -> None:
    result = planted(96, 96, (1.2, 0.4))
    plot = "\n".join(line[10:] for line in shown(result, width=120, lines=24)[:-2])
    assert plot.count("#") == len(result.summary().intruders(Definition())) == 2


def test_the_largest_value_is_top_left() -> None:
    result = planted(strengths=(1.2,))
    first = shown(result)[0]
    assert first.split()[0] == f"{result.sigma_tuned[0]:.1f}"
    assert first[10] == "#"


def test_curves_that_are_not_known_are_left_out() -> None:
    assert [one.name for one in series(planted())] == ["W0", "dW", "W1"]
    assert [one.name for one in series(bounded(planted()))] == ["dW", "W1"]
    assert shown(unchanged()) == ["no singular values to draw"]


def test_the_update_alone_marks_no_intruder() -> None:
    result = planted(96, 96, (1.2, 0.4))
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(Spectrum(result, Definition(), ColourMode.NONE, ASCII, 24, names=("dW",)))
    plot = capture.get()
    assert "#" not in plot
    assert "intruder" not in plot
    assert plot.split()[0] == f"{result.update.sigma[0]:.1f}"


def test_the_rounding_edge_is_the_largest_value_of_noise_of_that_norm() -> None:
    m, n = 200, 120
    noise = np.random.default_rng(0).uniform(-1, 1, (m, n))
    result = planted(m, n)
    floor = float(np.linalg.norm(noise))
    noisy = replace(result, update=replace(result.update, rounding_floor=floor))
    edge = rounding_edge(noisy)
    assert edge is not None
    assert edge == pytest.approx(np.linalg.norm(noise, 2), rel=0.08)
    assert any(
        "----" in line for line in shown(replace(noisy, update=replace(noisy.update, rounding_floor=20.0)))
    )
    assert rounding_edge(result) is None


def test_the_random_edge_is_the_largest_value_of_a_random_update_of_the_same_norm() -> None:
    result = planted(200, 120)
    noise = np.random.default_rng(1).standard_normal((200, 120))
    noise *= result.update.frobenius / np.linalg.norm(noise)
    edge = random_edge(result)
    assert edge == pytest.approx(np.linalg.norm(noise, 2), rel=0.08)
    assert edge is not None
    assert edge < result.update.sigma[0]  # what was planted is no noise
    lines = shown(result)
    assert any("~~~~" in line for line in lines[:-1])
    assert random_edge(unchanged()) is None


def test_values_that_are_all_zero_do_not_break_it() -> None:
    result = planted()
    zero = np.zeros(128, np.float32)
    empty = np.empty(0, np.float32)
    flat = replace(result, sigma_base=zero, sigma_tuned=zero, update=replace(result.update, sigma=empty))
    assert shown(flat) == ["no singular values to draw"]
    same = replace(flat, sigma_base=np.full(128, math.pi, np.float32))
    assert len(shown(same)) == 11


@pytest.mark.parametrize("width", [50, 53, 70, 100])
def test_the_legend_fits(width: int) -> None:
    result = planted()
    result = replace(result, update=replace(result.update, rounding_floor=0.01))
    console = Console(width=width, color_system=None)
    for glyphs in (ASCII, UNICODE):
        with console.capture() as capture:
            console.print(Spectrum(result, Definition(), ColourMode.NONE, glyphs, 12))
        legend = capture.get().splitlines()[-1]
        for word in ("W0", "W1", "dW", "intruder", "rounding noise"):
            assert word in legend
        assert len(legend.rstrip()) <= width
