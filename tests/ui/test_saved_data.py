"""What is saved as data is what was plotted: every view's series against the results they come from."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_results, llama_session
from tests.support.results import analyse, base_weight, plant
from tests.support.sessions import keep_study, matrix_row, session, study_of
from tests.support.studies import whole_cosines
from tests.support.sweeps import matrix_members

from intruder_tui.definition import Definition, Side
from intruder_tui.engine.session import Session
from intruder_tui.findings.sweep import by_eps, by_k, members_of
from intruder_tui.studies.answers import StudyKind
from intruder_tui.views.glyphs import UNICODE
from intruder_tui.views.spectrum import random_edge, series

RESULT = llama_results()[STRONG]
DEFINITION = Definition()
Lines = list[dict[str, str]]


@dataclass
class Saved:
    """What one `s` wrote."""

    shown: dict[str, Any]
    lines: Lines
    text: str
    figures: list[str]


async def save(one: Opened, folder: Path) -> Saved:
    before = files(folder)
    await one.press("s")
    await one.saved()
    assert "Not saved" not in one.notices
    return read(sorted(files(folder) - before))


def files(folder: Path) -> set[Path]:
    return set(folder.glob("*"))


def read(paths: list[Path]) -> Saved:
    kinds = {path.suffix: path.read_text() for path in paths if path.suffix in (".json", ".csv", ".txt")}
    return Saved(
        json.loads(kinds[".json"])["shown"],
        list(csv.DictReader(kinds.get(".csv", "").splitlines())),
        kinds[".txt"],
        [path.read_text() for path in paths if path.name.endswith("_figure.svg")],
    )


def column(lines: Lines, name: str) -> list[float]:
    return [float(line[name]) for line in lines if line[name]]


def same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(np.asarray(one, np.float64), np.asarray(other, np.float64))


def heatmap(shown: dict[str, Any], lines: Lines) -> None:
    block = RESULT.left.block[:10, :10]
    (side,) = shown["sides"].values()
    same(side["cosines"], block)
    assert (side["base_edges"], side["pooled"]) == (list(range(11)), None)
    assert [j for j, verdict in enumerate(side["verdict"]) if verdict == "intruder"] == (
        RESULT.summary().intruders(DEFINITION)
    )
    same(column(lines, "cosine"), block.ravel())


def intruders(shown: dict[str, Any], lines: Lines) -> None:
    best = RESULT.left.lower[:10]
    same(shown["best_cosine"], best)
    same(column(lines, "best_cosine"), best)
    found = [int(line["j"]) for line in lines if line["verdict"] == "intruder"]
    assert found == RESULT.summary().intruders(DEFINITION)


def vector(shown: dict[str, Any], lines: Lines) -> None:
    known = RESULT.left.block[:, 0]
    same(shown["cosines"], known)
    same(column(lines, "cosine"), known)
    assert shown["base_vectors"] == 96


def spectrum(shown: dict[str, Any], lines: Lines) -> None:
    names = {"W0": "sigma_base", "W1": "sigma_tuned", "dW": "sigma_update"}
    plotted = series(RESULT)
    assert {curve.name for curve in plotted} == set(names)
    for curve in plotted:
        same(shown[names[curve.name]], curve.sigma)
        same(column(lines, names[curve.name]), curve.sigma)
    assert len(shown["sigma_tuned"]) == 96
    assert shown["random_edge"] == random_edge(RESULT)


def update(shown: dict[str, Any], lines: Lines) -> None:
    values = {line["measure"]: line["value"] for line in lines if line["measure"] != "sigma"}
    same(shown["sigma"], RESULT.update.sigma)
    same(column([line for line in lines if line["measure"] == "sigma"], "value"), RESULT.update.sigma)
    assert float(values["effective_rank"]) == shown["effective_rank"] == RESULT.update.effective_rank


def sweep(shown: dict[str, Any], lines: Lines, *, whole: bool = False) -> None:
    given = llama_session(SilentEngine(), ready=True)
    given.prime()
    members = members_of(given, given.default_names) if whole else matrix_members(RESULT)
    assert shown["of"] == (None if whole else STRONG)
    for axis, one in (
        ("over_eps", by_eps("tuned-lora-r16", members, DEFINITION)),
        ("over_k", by_k("tuned-lora-r16", members, DEFINITION)),
    ):
        (curve,) = shown[axis]
        assert curve["checkpoint"] == one.label
        mine = [line for line in lines if line["axis"] == one.axis.value]
        for key, values in (("at", one.at), ("intruders", one.certain), ("intruders_possible", one.possible)):
            same(curve[key], values)
            same(column(mine, key), values)


def model_sweep(shown: dict[str, Any], lines: Lines) -> None:
    sweep(shown, lines, whole=True)


def counts() -> dict[str, int]:
    return {name: len(result.summary().intruders(DEFINITION)) for name, result in llama_results().items()}


def model_map(shown: dict[str, Any], lines: Lines) -> None:
    assert shown["measure"] == "intruders"
    cells = {cell["matrices"][0]: cell for cell in shown["cells"]}
    assert {name: cell["value"] for name, cell in cells.items() if cell["state"] != "failed"} == counts()
    assert shown["total"]["bounds"] == [sum(counts().values())] * 2
    assert {line["matrices"]: float(line["value"]) for line in lines if line["value"]} == counts()


def update_map(shown: dict[str, Any], lines: Lines) -> None:
    assert shown["measure"] == "relative update"
    norms = {name: result.update.relative_norm for name, result in llama_results().items()}
    cells = {cell["matrices"][0]: cell for cell in shown["cells"]}
    assert {name: cell["value"] for name, cell in cells.items() if cell["state"] != "failed"} == norms
    assert {line["measure"] for line in lines} == {"relative update"}
    assert {line["matrices"]: float(line["value"]) for line in lines if line["value"]} == norms


def compare(shown: dict[str, Any], lines: Lines) -> None:
    assert {row["name"]: row["counts"] for row in shown["matrices"]} == {k: [n] for k, n in counts().items()}
    assert shown["total"]["counts"] == [sum(counts().values())]
    read = {line["matrix"]: int(line["intruders"]) for line in lines}
    assert read == counts() | {"all matrices": sum(counts().values())}


@pytest.mark.parametrize(
    ("keys", "check"),
    [
        (("1",), heatmap),
        (("2",), intruders),
        (("2", "tab", "enter"), vector),
        (("3",), spectrum),
        (("4",), update),
        (("5",), sweep),
        (("5", "m"), model_sweep),
        (("6",), model_map),
        (("6", "m", "m"), update_map),
        (("7",), compare),
    ],
)
async def test_what_is_saved_is_what_was_plotted(
    tmp_path: Path, keys: tuple[str, ...], check: Callable[[dict[str, Any], Lines], None]
) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("n", *keys)
        await one.settle(0.8 if "m" in keys else 0.15)
        saved = await save(one, tmp_path)
        check(saved.shown, saved.lines)


BASE = base_weight(96, 96)
TUNED = plant(BASE, [1.2, 0.3])


def whole(side: Side) -> np.ndarray:
    return whole_cosines(BASE, TUNED, side).window(0, 96, 0, 96)


async def with_cosines(one: Opened, *sides: Side) -> None:
    await one.press("n", "tab")
    for side in sides:
        study = study_of(one.session, STRONG, StudyKind.COSINES, side)
        one.engine.say(keep_study(one.session, study, whole_cosines(BASE, TUNED, side)))
    await one.settle()


async def test_another_window_is_saved_with_its_own_cosines_and_as_text(tmp_path: Path) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await with_cosines(one, Side.LEFT)
        await one.press("w")
        everything = await save(one, tmp_path)
        await one.press("z", "z", "shift+down", "shift+right")
        closer = await save(one, tmp_path)
        extent = one.map.extent
    same(everything.shown["sides"]["U"]["cosines"], whole(Side.LEFT))
    rows = slice(extent.top, extent.top + extent.span), slice(extent.left, extent.left + extent.span)
    assert extent.top > 0
    same(closer.shown["sides"]["U"]["cosines"], whole(Side.LEFT)[rows])
    assert closer.shown["sides"]["U"]["base_edges"] == list(range(extent.top, extent.top + extent.span + 1))
    same(column(closer.lines, "cosine"), whole(Side.LEFT)[rows].ravel())
    assert min(int(line["tuned_first"]) for line in closer.lines) == extent.left
    for saved in (everything, closer):
        drawn = [line for line in saved.text.splitlines() if "|cos|" not in line]
        places = [line.index(UNICODE.ramp[-1]) for line in drawn if UNICODE.ramp[-1] in line]
        assert len(places) > 20
        assert places == sorted(places)


async def test_a_window_beyond_what_is_known_says_so_with_null(tmp_path: Path) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("n", "tab", "w")
        saved = await save(one, tmp_path)
    side = saved.shown["sides"]["U"]
    known = side["known"]
    cosines = np.array(side["cosines"], np.float64)
    same(cosines[:known, :known], RESULT.left.block)
    assert known < 96
    assert np.isnan(cosines[known:]).all()
    assert len(saved.lines) == known * known


async def test_both_sides_are_saved_and_drawn(tmp_path: Path) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await with_cosines(one, *Side)
        await one.press("U")
        saved = await save(one, tmp_path)
        span = one.map.extent.span
    for side in Side:
        shown = np.array(saved.shown["sides"][side.value]["cosines"])
        np.testing.assert_allclose(shown, whole(side)[:span, :span], atol=1e-6)
    assert {line["side"] for line in saved.lines} == {"U", "V"}
    (figure,) = saved.figures
    assert "tuned singular vector j, side U" in figure
    assert "tuned singular vector j, side V" in figure
    assert "sides U and V" in figure


async def test_a_large_window_is_pooled_and_says_so(tmp_path: Path) -> None:
    engine = SilentEngine()
    base = base_weight(200, 200)
    tuned = plant(base, [1.2])
    name = "layers.0.q_proj.weight"
    given = session([matrix_row(name, (200, 200))], engine, {name: analyse(base, tuned)}, [name])
    async with opened(given, engine=engine, options=replace(TRUECOLOR, output=tmp_path)) as one:
        study = study_of(given, name, StudyKind.COSINES, Side.LEFT)
        cosines = whole_cosines(base, tuned)
        engine.say(keep_study(given, study, cosines))
        await one.settle()
        await one.press("tab", "w")
        saved = await save(one, tmp_path)
    side = saved.shown["sides"]["U"]
    assert side["pooled"] == "maximum"
    edges = side["base_edges"], side["tuned_edges"]
    assert [edges[0][0], edges[0][-1], edges[1][-1]] == [0, 200, 200]
    values = cosines.window(0, 200, 0, 200)
    pooled = np.maximum.reduceat(np.maximum.reduceat(values, edges[0][:-1]), edges[1][:-1], axis=1)
    same(side["cosines"], pooled)
    same(column(saved.lines, "cosine"), pooled.ravel())


def run() -> tuple[SilentEngine, list[Session]]:
    engine = SilentEngine()
    name, base = "model.layers.0.self_attn.q_proj.weight", base_weight(48, 48)
    made = []
    for step, strength in ((300, 1.2), (100, 0.2)):
        results = {name: analyse(base, plant(base, [strength]))}
        one = session([matrix_row(name, (48, 48))], engine, results, [name], f"checkpoint-{step}")
        source = replace(one.pairing.tuned, files=(f"/run/checkpoint-{step}/model.safetensors",))
        one.pairing = replace(one.pairing, tuned=source)
        made.append(one)
    return engine, made


async def test_a_series_is_saved_and_drawn_without_being_followed(tmp_path: Path) -> None:
    engine, made = run()
    async with opened(*made, engine=engine, options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("7")
        await one.settle(0.6)
        saved = await save(one, tmp_path)
    steps = saved.shown["series"]["matrix"]
    assert [step["step"] for step in steps] == [100, 300]
    assert [step["certain"] for step in steps] == [
        len(each.result(each.default_names[0]).summary().intruders(DEFINITION)) for each in reversed(made)
    ]
    assert {(line["checkpoint"], line["step"]) for line in saved.lines} == {
        ("checkpoint-100", "100"),
        ("checkpoint-300", "300"),
    }
    (figure,) = saved.figures
    assert "training step" in figure
    assert "over the training steps" in saved.text
