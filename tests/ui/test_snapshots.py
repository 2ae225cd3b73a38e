"""The main views as pictures, at the sizes that matter; `pytest --snapshot-update` draws them anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.apps import TRUECOLOR
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session

from intruder_tui.ui import IntruderApp, UiOptions
from intruder_tui.ui.screens import navigation


def app(options: UiOptions = TRUECOLOR) -> IntruderApp:
    engine = SilentEngine()
    return IntruderApp([llama_session(engine, ready=True)], engine, options)


SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]
USUAL = SIZES[1:]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_heatmap(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, press=["n", "tab", "right", "down"])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_intruders(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, press=["n", "2"])


def test_both_sides(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(120, 40), press=["n", "tab", "U", "right", "down"])


def test_a_window_that_is_not_computed(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), press=["n", "tab", "w", "down"])


def test_a_sorted_table(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), press=["n", "2", "tab", "full_stop", "full_stop"])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_spectrum(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, press=["n", "3"])


@pytest.mark.parametrize("size", USUAL, ids=lambda size: f"{size[0]}x{size[1]}")
def test_update(snap_compare: Any, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, press=["n", "4"])


@pytest.mark.parametrize("size", USUAL, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("view", ["sweep", "map", "compare"])
def test_whole(snap_compare: Any, view: str, size: tuple[int, int]) -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=f"lora-r{n}") for n in (8, 16)]
    key = {"sweep": "5", "map": "6", "compare": "7"}[view]
    both = IntruderApp(sessions, engine, TRUECOLOR)
    assert snap_compare(both, terminal_size=size, press=["n", key, "tab", "down"])


def test_vector(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), press=["n", "2", "tab", "enter"])


def test_refused(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), press=["slash", *"2.mlp.up", "enter", "G"])


def test_help(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(80, 24), press=["n", "question_mark"])


def test_drawer(snap_compare: Any) -> None:
    assert snap_compare(app(), terminal_size=(60, 20), press=["n", "b"])


@pytest.mark.parametrize("colour", ["256", "16", "none"])
def test_colours(snap_compare: Any, colour: str) -> None:
    options = replace(TRUECOLOR, colour=colour)
    assert snap_compare(app(options), terminal_size=(80, 24), press=["n", "tab", "right"])


def test_ascii_without_colour(snap_compare: Any) -> None:
    options = replace(TRUECOLOR, ascii=True, colour="none")
    assert snap_compare(app(options), terminal_size=(80, 24), press=["n", "tab"])


def test_nothing_analysed(snap_compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(navigation, "REST", 60)
    engine = SilentEngine()
    idle = IntruderApp([llama_session(engine)], engine, TRUECOLOR)
    assert snap_compare(idle, terminal_size=(80, 24), press=["j", "k"])
