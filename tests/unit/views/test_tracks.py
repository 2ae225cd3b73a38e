"""Directions followed over steps: planted ones that grow, cross, and are missing."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console
from tests.support.results import Matrix, analyse, base_weight, plant
from tests.support.studies import tuned_vectors

from intruder_tui.definition import Definition, Side
from intruder_tui.export.caption import Caption
from intruder_tui.export.scalings import tracks_figure
from intruder_tui.export.studies import tracks_document
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.tracks import FollowedStep, TracksView, chains, tracks

DEFINITION = Definition()
STRENGTHS = (0.35, 0.7, 1.0, 1.6)


@cache
def weights() -> tuple[Matrix, tuple[Matrix, ...]]:
    base = base_weight(160, 128)
    delta = plant(base, [1.0]) - base
    return base, tuple(base + strength * delta for strength in STRENGTHS)


@cache
def steps() -> tuple[FollowedStep, ...]:
    """One planted direction that grows over four steps."""
    base, tuned = weights()
    return tuple(
        FollowedStep(f"checkpoint-{n}", 100 * n, tuned_vectors(weight, 24), analyse(base, weight).left)
        for n, weight in enumerate(tuned, 1)
    )


def drawn(view: TracksView, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("side", list(Side))
def test_a_planted_direction_is_one_chain_all_along(side: Side) -> None:
    base, tuned = weights()
    u, _, v = np.linalg.svd(plant(base, [1.0]) - base)
    planted = u[:, 0] if side is Side.LEFT else v[0]
    found = chains([step.vectors for step in steps()], side)
    expected = []
    for weight in tuned:
        u1, _, v1 = np.linalg.svd(weight, full_matrices=False)
        expected.append(int(np.abs(planted @ (u1 if side is Side.LEFT else v1.T)).argmax()))
    followed = dict(enumerate(expected))
    assert any(
        {place: j for place, (j, _) in chain.items()}.items() >= dict(list(followed.items())[1:]).items()
        for chain in found
    )


def test_every_vector_of_every_step_stands_in_one_chain() -> None:
    found = chains([step.vectors for step in steps()], Side.LEFT)
    for place in range(len(steps())):
        ranks = [chain[place][0] for chain in found if place in chain]
        assert sorted(ranks) == list(range(24))
    for chain in found:
        links = [link for _, link in chain.values()]
        assert links[0] == 1.0
        assert all(0.5 <= link <= 1.0 for link in links[1:])


def test_crossing_ranks_do_not_change_who_is_who() -> None:
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.standard_normal((40, 12)))[0] for _ in range(2))
    sigma = np.linspace(3, 1, 12)
    swapped = sigma.copy()
    swapped[[2, 7]] = sigma[[7, 2]]
    one, other = (tuned_vectors((u * values) @ v.T, 12) for values in (sigma, swapped))
    ranks = {chain[0][0]: chain[1][0] for chain in chains([one, other], Side.LEFT)}
    assert (ranks[2], ranks[7], ranks[4]) == (7, 2, 4)


def test_steps_without_vectors_are_bridged() -> None:
    gap = [replace(step, vectors=None) if n == 2 else step for n, step in enumerate(steps())]
    found = tracks(gap, DEFINITION)
    assert found
    assert all(track.points[2] is None for track in found)
    assert found[0].points[1] is not None
    assert found[0].points[3] is not None


def test_tracks_hold_what_the_results_say() -> None:
    base, tuned = weights()
    found = tracks(steps(), DEFINITION)
    strongest = found[0]
    for place, point in enumerate(strongest.points):
        if point is None:
            continue
        result = analyse(base, tuned[place])
        assert point.sigma == pytest.approx(float(result.sigma_tuned[point.j]), rel=1e-5)
        assert point.upper == result.left.upper[point.j]
        assert point.intruder == (point.j < 10 and float(result.left.upper[point.j]) < 0.5)
    assert strongest.last.j == 0
    assert strongest.lowest == min(float(one.left.upper[:10].min()) for one in map_results())


def map_results() -> list[object]:
    base, tuned = weights()
    return [analyse(base, weight) for weight in tuned]


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
