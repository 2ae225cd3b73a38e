"""Measures of the update: dashes where undefined, a warning where rounding speaks louder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import analyse, base_weight, plant, planted, unchanged

from intruder_tui.results import MatrixResult
from intruder_tui.views.glyphs import ASCII, UNICODE
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.update import measures, rounding_share, update_view, warning


def shown(result: MatrixResult, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(update_view(result, width=width, mode=ColourMode.NONE, glyphs=ASCII))
    return capture.get()


def by_name(result: MatrixResult) -> dict[str, str]:
    return {measure.name: measure.text for measure in measures(result, UNICODE)}


def test_the_effective_rank_is_the_definitions() -> None:
    base = base_weight(48, 32)
    tuned = plant(base, [0.5, 0.25, 0.1])
    sigma = np.linalg.svd(tuned - base, compute_uv=False)[:3]
    share = sigma / sigma.sum()
    expected = np.exp(-(share * np.log(share)).sum())
    assert by_name(analyse(base, tuned, adapter_rank=3))["effective rank"] == f"{expected:.1f}"


def test_what_is_undefined_is_a_dash() -> None:
    text = by_name(unchanged())
    for name in ("effective rank", "stable rank", "energy rank 90 %", "adapter rank r", "rounding floor"):
        assert text[name] == "–"
    assert text["relative update"] == "0 %"


@pytest.mark.parametrize(("share", "warned"), [(0.001, False), (0.009, False), (0.02, True), (1.0, True)])
def test_a_floor_near_the_update_is_warned_of(share: float, warned: bool) -> None:
    result = planted()
    update = replace(result.update, rounding_floor=result.update.frobenius * share**0.5)
    assert rounding_share(update) == pytest.approx(share)
    assert bool(warning(update)) is warned
    text = shown(replace(result, update=update), 60)
    assert ("rounding noise" in " ".join(text.split())) is warned
    assert ("~ 2" in text) is warned


def test_a_dw_below_the_floor_is_all_rounding() -> None:
    result = planted()
    update = replace(result.update, rounding_floor=result.update.frobenius * 3)
    assert rounding_share(update) == 1.0
    assert "100 %" in warning(update)


@pytest.mark.parametrize("width", [30, 47, 48, 60, 71, 72, 100, 160])
def test_nothing_is_wider_than_the_paper(width: int) -> None:
    for line in shown(planted(), width).splitlines():
        assert len(line.rstrip()) <= width


def test_names_and_values_are_never_cut() -> None:
    for width in (48, 60, 79, 100):
        text = shown(planted(), width)
        assert "energy rank 99 %" in text
        assert "relative update" in text
