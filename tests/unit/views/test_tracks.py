"""Followed directions drawn: the axes, the width, what is missing; and as data and figure."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from tests.support.tracks import steps

from intruder_tui.definition import Definition
from intruder_tui.export.caption import Caption
from intruder_tui.export.scalings import tracks_figure
from intruder_tui.export.studies import tracks_document
from intruder_tui.findings.tracks import tracks
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.tracks import TracksView

DEFINITION = Definition()


def drawn(view: TracksView, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_no_intruder_no_track() -> None:
    assert tracks(steps(), Definition(eps=0.0)) == []
    text = drawn(TracksView(steps(), Definition(eps=0.0)))
    assert "No intruder in the top 10 of 4 steps analysed" in text
    unrelated = [replace(step, step=None) for step in steps()[:1]]
    text = " ".join(drawn(TracksView(unrelated, Definition(eps=0.0))).split())
    assert "of 1 checkpoint analysed" in text
    assert "step" not in text


def test_the_axis_fits_the_singular_values() -> None:
    known = [step.vectors.sigma for step in steps() if step.vectors is not None]
    lifted = [
        replace(step, vectors=replace(step.vectors, sigma=(100 + step.vectors.sigma).astype(np.float32)))
        for step in steps()
        if step.vectors is not None
    ]
    assert len(lifted) == len(known)
    left = [line.split("│")[0].strip() for line in drawn(TracksView(lifted, DEFINITION)).splitlines()]
    numbers = [float(text) for text in left if text.replace(".", "").isdigit()]
    assert len(numbers) > 1
    assert min(numbers) > 90


@pytest.mark.parametrize("width", [52, 80, 130])
def test_the_view_fits_its_width(width: int) -> None:
    for glyphs in (ASCII, None):
        view = TracksView(steps(), DEFINITION, ColourMode.NONE)
        text = drawn(view if glyphs is None else replace(view, glyphs=glyphs), width)
        assert all(len(line.rstrip()) <= width for line in text.splitlines())
        assert "rank j" in text
        assert "400" in text
        assert glyphs is None or text.isascii()


def test_what_is_missing_keeps_its_place_and_says_why() -> None:
    gap = [
        replace(step, vectors=None, note="checkpoint-2: reading") if n == 1 else step
        for n, step in enumerate(steps())
    ]
    text = drawn(TracksView(gap, DEFINITION))
    assert "The vectors of 3 of 4 steps are known; checkpoint-2: reading." in " ".join(text.split())
    ranks = next(line for line in text.splitlines() if "rank j" in line)
    assert "··" in ranks


def test_many_steps_show_the_first_and_the_last() -> None:
    many = [replace(steps()[n % 4], step=n + 1) for n in range(40)]
    table = next(
        line for line in drawn(TracksView(many, DEFINITION)).splitlines() if line.split()[:1] == ["1"]
    )
    assert table.split()[0] == "1"
    assert table.split()[-1] == "40"


def test_data_and_figure_hold_the_tracks() -> None:
    document = json.loads(json.dumps(tracks_document("q", steps(), DEFINITION)))
    assert [step["step"] for step in document["steps"]] == [100, 200, 300, 400]
    assert len(document["tracks"]) == len(tracks(steps(), DEFINITION))
    assert document["tracks"][0][3]["j"] == 0
    assert document["tracks"][0][3]["intruder"] is True
    text = tracks_figure(steps(), DEFINITION, Caption("q", "side U", {}))
    words = [e.text for e in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert "training step" in words
    with pytest.raises(ValueError, match="no intruder to follow"):
        tracks_figure(steps(), Definition(eps=0.0), Caption("q", "side U", {}))
