"""What `s` and `S` write, for every view."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.apps import TRUECOLOR, opened
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session

from intruder_tui.export import pictures


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


MATRIX = "tuned-lora-r16_model.layers.1.self_attn.q_proj.weight"


ONE = ("_figure.svg",)
SWEEP = ("_figure.svg", "_k_figure.svg")


@pytest.mark.parametrize(
    ("keys", "label", "figures", "words"),
    [
        (("1",), f"{MATRIX}_heatmap", ONE, "tuned"),
        (("2",), f"{MATRIX}_intruders", ONE, "best |cos|"),
        (("2", "tab", "enter"), f"{MATRIX}_vector", ONE, "Tuned vector 0"),
        (("3",), f"{MATRIX}_spectrum", ONE, "rank"),
        (("4",), f"{MATRIX}_update", ONE, "effective rank"),
        (("5",), f"{MATRIX}_sweep", SWEEP, "count over k"),
        (("5", "m"), "tuned-lora-r16_sweep", SWEEP, "count over k"),
        (("6",), "tuned-lora-r16_map", ONE, "self_attn.q_proj"),
        (("7",), "tuned-lora-r16_compare", (), "all matrices"),
    ],
)
async def test_s_saves_the_view_in_every_form(
    tmp_path: Path, keys: tuple[str, ...], label: str, figures: tuple[str, ...], words: str
) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("n", *keys, "s")
        await one.saved()
        names = {path.name.removeprefix(label) for path in files(tmp_path)}
        assert names == {".svg", ".html", ".txt", ".json", ".csv", ".png", *figures}
        assert words in (tmp_path / f"{label}.txt").read_text()
        document = json.loads((tmp_path / f"{label}.json").read_text())
        assert document["definition"]["k"] == 10
        assert {"versions", "base", "tuned", "view", "shown"} <= set(document)
        for ending in (".svg", *figures):
            ElementTree.fromstring((tmp_path / f"{label}{ending}").read_text())


async def test_what_is_saved_is_what_s_was_pressed_on(tmp_path: Path) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("n", "1")
        one.app.action_snapshot()
        one.app.main.action_view(2)  # the next key of the same burst
        await one.saved()
        assert {path.name.removeprefix(f"{MATRIX}_")[:7] for path in files(tmp_path)} == {"heatmap"}


async def test_capital_s_saves_the_whole_screen(tmp_path: Path) -> None:
    async with opened(options=replace(TRUECOLOR, output=tmp_path), size=(80, 24)) as one:
        await one.press("n", "2")
        before = [line.rstrip() for line in one.text().splitlines()]
        await one.press("S")
        await one.saved()
        text = (tmp_path / f"{MATRIX}_intruders_screen.txt").read_text()
        assert text.splitlines() == before
        assert (tmp_path / f"{MATRIX}_intruders_screen.svg").exists()
        assert not (tmp_path / f"{MATRIX}_intruders_screen_figure.svg").exists()


async def test_without_resvg_there_is_no_png_and_all_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(pictures.PictureError):
        pictures.png("<svg/>")
    async with opened(options=replace(TRUECOLOR, output=tmp_path)) as one:
        await one.press("n", "s")
        await one.saved()
        assert {path.suffix for path in files(tmp_path)} == {".svg", ".html", ".txt", ".json", ".csv"}


async def test_a_matrix_without_an_answer_is_saved_as_it_stands(tmp_path: Path) -> None:
    engine = SilentEngine()
    given = llama_session(engine)
    async with opened(given, engine=engine, options=replace(TRUECOLOR, output=tmp_path)) as one:
        for view in "1234567":
            await one.press(view, "s")
            await one.saved()
        assert "Not saved" not in one.notices
        assert sum(path.suffix == ".json" for path in files(tmp_path)) == 7
        tables = {path.stem.rsplit("_", 1)[1] for path in files(tmp_path) if path.suffix == ".csv"}
        assert tables == {"map", "compare"}  # they say of every matrix that it has no answer
