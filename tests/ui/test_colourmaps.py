"""Colour maps: from the configuration, or chosen and remembered; heatmap, map and legend follow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from textual.widgets import OptionList

from intruder_tui.ui.config import Config, keep
from intruder_tui.views.palette import COLOURMAPS, ColourMode, ramp


def drawn_from(one: Opened, colourmap: str) -> int:
    """How many colours of a map stand on the screen as grounds."""
    own = {colour.get_truecolor() for colour in ramp(ColourMode.TRUECOLOR, colourmap).colours}
    seen = {
        segment.style.bgcolor.get_truecolor()
        for strip in one.main._compositor.render_strips()
        for segment in strip
        if segment.style is not None and segment.style.bgcolor is not None
    }
    return len(own & seen)


@pytest.mark.parametrize("view", ["1", "6"])
async def test_the_configured_map_is_drawn(view: str) -> None:
    options = replace(TRUECOLOR, config=Config(colourmap="magma"))
    async with opened(options=options) as one:
        await one.press("n", view)
        assert drawn_from(one, "magma") > drawn_from(one, "viridis")


async def test_a_chosen_map_is_drawn_at_once_and_remembered(tmp_path: Path) -> None:
    choices = tmp_path / "state" / "choices.json"
    keep(choices, "theme", "nord")
    options = replace(TRUECOLOR, choices=choices)
    async with opened(options=options) as one:
        await one.press("n")
        assert drawn_from(one, "viridis") >= 20  # the legend alone has twenty
        await one.press("T", *"batlow")
        for _ in range(40):
            await one.settle(0.1)
            if one.app.screen.query_one(OptionList).option_count == 1:
                break
        await one.press("enter")
        await one.settle(0.3)
        assert drawn_from(one, "batlow") >= 20 > drawn_from(one, "viridis")
        assert json.loads(choices.read_text()) == {"theme": "nord", "colourmap": "batlow"}
        await one.press("6")
        assert drawn_from(one, "batlow") > 0
        assert drawn_from(one, "viridis") == 0
        one.app.choose_colourmap("cividis")  # the map in front follows
        await one.settle()
        assert drawn_from(one, "cividis") > 0
        await one.press("1")
        assert drawn_from(one, "cividis") >= 20 > drawn_from(one, "batlow")
    async with opened(options=options) as one:
        assert one.app.colourmap == "cividis"
        assert one.app.theme == "nord"
    configured = replace(options, config=Config(tmp_path / "c.toml", colourmap="inferno"))
    async with opened(options=configured) as one:
        assert one.app.colourmap == "inferno"
        one.app.choose_colourmap("magma")
        await one.settle()
        assert "names inferno, which comes back at the next start" in one.notices
        assert json.loads(choices.read_text())["colourmap"] == "cividis"


async def test_an_unknown_map_is_named_and_ours_is_taken(tmp_path: Path) -> None:
    choices = tmp_path / "choices.json"
    keep(choices, "colourmap", "rainbow")
    options = replace(TRUECOLOR, choices=choices, config=Config(colourmap="jet"))
    async with opened(options=options) as one:
        assert f"[ui] colourmap: no map jet; there are {', '.join(COLOURMAPS)}" in one.notices
        assert one.app.colourmap == "viridis"


async def test_without_a_ramp_a_choice_says_that_signs_stand_for_values() -> None:
    async with opened(options=replace(TRUECOLOR, colour="16")) as one:
        one.app.choose_colourmap("magma")
        await one.settle()
        assert "Signs stand for values here" in one.notices


async def test_the_help_tells_how_to_change_it() -> None:
    async with opened() as one:
        await one.press("question_mark", "G")
        assert "colourmaps" in one.text()


@pytest.mark.parametrize(("view", "name"), [("1", "heatmap"), ("6", "map")])
async def test_what_is_saved_has_the_colours_of_the_screen(tmp_path: Path, view: str, name: str) -> None:
    options = replace(TRUECOLOR, output=tmp_path, config=Config(colourmap="magma"))
    async with opened(options=options) as one:
        await one.press("n", view, "s")
        await one.saved()
    assert_drawn(tmp_path, name)


def assert_drawn(directory: Path, name: str) -> None:
    """Picture and figure hold the brightest colour of magma."""
    last = ramp(ColourMode.TRUECOLOR, "magma").colours[-1].get_truecolor()
    pictures = sorted(directory.glob("*.svg"))
    assert len(pictures) == 2, name
    for path in pictures:
        assert f"#{last.red:02x}{last.green:02x}{last.blue:02x}" in path.read_text().lower(), path.name
