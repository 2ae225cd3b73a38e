"""Keys and themes of one's own: what config.toml says, what of it can't be used, what is remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session
from textual.command import CommandPalette
from textual.widgets import OptionList

from intruder_tui.definition import Side
from intruder_tui.ui.app import IntruderApp
from intruder_tui.ui.config import ENVIRONMENT, Config, chosen, default_path, keep, read_config
from intruder_tui.ui.keymap import Place, checked, places
from intruder_tui.ui.screens.help import HelpScreen, Sheet
from intruder_tui.ui.screens.main import MainScreen
from intruder_tui.ui.widgets.heatmap import HeatmapMap
from intruder_tui.ui.widgets.tree import LayerTree

PLACES = places(IntruderApp)
FEW = [
    Place(
        MainScreen,
        "base",
        {
            "side": ("u",),
            "next-intruder": ("n",),
            "next-tuned": ("c",),
            "k-up": ("plus", "equals_sign"),
            "back": ("escape",),
            "quit": ("q",),
        },
        frozenset({"ctrl+q"}),
    ),
    Place(LayerTree, "pane", {"tree.down": ("down", "j"), "tree.enter": ("enter",)}, frozenset({"space"})),
    Place(HeatmapMap, "pane", {"map.fit": ("z",)}, frozenset()),
    Place(HelpScreen, "sheet", {"help.close": ("escape", "q")}, frozenset()),
    Place(Sheet, "sheet", {"sheet.down": ("down", "j")}, frozenset()),
]
"""A few places as the interface has them, where no view's new key is in the way."""


def colours(one: Opened) -> set[str]:
    """Names of the colours that words on the screen have."""
    strips = one.app.screen._compositor.render_strips()
    styles = [segment.style for strip in strips for segment in strip if segment.text.strip(" ▀")]
    return {style.color.name for style in styles if style is not None and style.color is not None}


async def test_no_binding_takes_a_key_that_terminals_keep() -> None:
    kept = {"ctrl+h", "ctrl+j", "ctrl+i", "ctrl+m", "ctrl+b", "ctrl+a"}
    async with opened() as one:
        for target in (one.app, one.main, one.tree, one.map, one.table):
            for binding in target.BINDINGS:
                assert not kept & set(binding.key.split(","))
                assert binding.id, binding


async def test_a_remapped_key_works_and_is_shown() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine, size=(200, 40)) as one:
        assert "a analyses all 26" in one.line("#findings")
        one.app.set_keymap({"side": "f7", "scan": "f5"})
        await one.pilot.pause()
        assert "f7 side" in one.line("#footer")
        assert "f5 analyses all 26" in one.line("#findings")
        await one.press("f7")
        assert one.main.definition.side is Side.RIGHT


def test_every_binding_has_an_id_of_its_own() -> None:
    ids = [binding.id for place in PLACES for binding in vars(place.owner)["BINDINGS"]]
    assert len(ids) == len(set(ids)) > 80
    assert {"IntruderApp", "MainScreen", "LayerTree", "HelpScreen", "Sheet"} <= {
        place.owner.__name__ for place in PLACES
    }


@pytest.mark.parametrize(
    ("wanted", "keymap"),
    [
        ({"side": "f7"}, {"side": "f7"}),
        ({"side": ","}, {"side": "comma"}),
        ({"side": ["f7", "Q"]}, {"side": "f7,Q"}),
        ({"side": "f7, f5"}, {"side": "f7,f5"}),
        ({"side": "Ctrl+N"}, {"side": "ctrl+n"}),
        ({"side": "shift+q"}, {"side": "Q"}),
        ({"side": "n", "next-intruder": "u"}, {"side": "n", "next-intruder": "u"}),
        ({"k-up": "plus"}, {"k-up": "plus"}),
        ({"tree.down": "z"}, {"tree.down": "z"}),  # the heatmap's: never before a person together
        ({"back": "escape,f7"}, {"back": "escape,f7"}),
    ],
)
def test_keys_that_can_be_used(wanted: dict[str, object], keymap: dict[str, str]) -> None:
    assert checked(wanted, FEW) == (keymap, [])


@pytest.mark.parametrize(
    ("wanted", "trouble"),
    [
        ({"sidee": "f7"}, "[keys] sidee: no such action; near it side"),
        (
            {"tree": {"down": "z"}},
            '[keys] tree.down: write an id with a dot in quotes, "tree.down" = ...',
        ),
        ({"side": "ctl+f7"}, "[keys] side: ctl+f7 is not a key"),
        ({"side": "foo"}, "[keys] side: foo is not a key"),
        ({"side": ""}, "[keys] side:  is not a key"),
        ({"side": []}, "[keys] side: no key is given"),
        ({"side": 3}, "[keys] side: 3 is not a key; write it in quotes"),
        ({"side": "\x1b"}, "[keys] side: '\\x1b' is not a key"),
        ({"side": "ctrl+i"}, "[keys] side: terminals send ctrl+i as tab"),
        ({"side": "n"}, "[keys] side: n is taken by next-intruder; its own key stays"),
        ({"side": "enter"}, "[keys] side: ⏎ is taken by tree.enter; its own key stays"),
        ({"side": "space"}, "[keys] side: space is taken by the tree itself; its own key stays"),
        ({"tree.down": "n"}, "[keys] tree.down: n is taken by next-intruder; its own key stays"),
        ({"help.close": "j"}, "[keys] help.close: j is taken by sheet.down; its own key stays"),
        ({"side": "f7", "next-tuned": "f7"}, "[keys] next-tuned: f7 is taken by side; its own key stays"),
    ],
)
def test_keys_that_can_not_be_used_are_named(wanted: dict[str, object], trouble: str) -> None:
    keymap, troubles = checked(wanted, FEW)
    assert troubles == [trouble]
    assert len(keymap) == len(wanted) - 1


def test_an_entry_that_falls_back_onto_a_taken_key_falls_with_it() -> None:
    keymap, troubles = checked({"side": "q", "next-tuned": "u"}, FEW)
    assert keymap == {}
    assert [one.split(":")[0] for one in troubles] == ["[keys] side", "[keys] next-tuned"]


async def test_configured_keys_are_in_force_in_the_help_and_the_palette() -> None:
    config = Config(keys={"side": "f7", "scan": ["A", "f5"], "order": "n", "lost": "e"})
    engine = SilentEngine()
    async with opened(
        llama_session(engine), engine=engine, options=replace(TRUECOLOR, config=config), size=(200, 200)
    ) as one:
        assert "[keys] lost: no such action" in one.notices
        assert "and 1 more" in one.notices
        assert "A analyses all " in one.line("#findings")
        await one.press("u")
        assert one.main.definition.side is Side.LEFT
        await one.press("f7")
        assert one.main.definition.side is Side.RIGHT
        assert "f7 side" in one.line("#footer")
        await one.press("question_mark")
        lines = [part.strip() for line in one.text().splitlines() for part in line.split("│")]
        assert any(line.startswith("A f5") and line.endswith(" scan") for line in lines)
        assert any(line.startswith("f7  ") and line.endswith(" side") for line in lines)
        assert any(line.startswith("+  ") and line.endswith(" k-up") for line in lines)
        assert any("f7 switches to the other one" in line for line in lines)
        await one.press("escape", "f5")
        assert one.submitted


async def test_troubles_are_in_the_log(tmp_path: Path) -> None:
    engine = SilentEngine()
    engine.log_path = tmp_path / "log"
    options = replace(
        TRUECOLOR, config=Config(keys={"lost": "e", "side": "n"}, troubles=("config: unreadable",))
    )
    async with opened(llama_session(engine), engine=engine, options=options) as one:
        assert "config: unreadable\nand 2 more; L shows the log" in one.notices
        text = engine.log_path.read_text()
        assert len(text.splitlines()) == 3
        for words in ("config: unreadable", "[keys] lost: no such action", "[keys] side: n is taken by"):
            assert words in text


# The file ----------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[ui]\ntheme = "nord"\n[keys]\nside = "w"\nscan = ["a", "A"]\n')
    assert read_config(path) == Config(path, "nord", None, {"side": "w", "scan": ["a", "A"]})
    path.write_text('[ui]\ncolourmap = "magma"\n')
    assert read_config(path) == Config(path, None, "magma")


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("[keys", "is not TOML: "),
        (b"\xff", "is not TOML: "),
        ("keys = 3", "keys is 3 in "),
        ("[ui]\ntheme = 3", "[ui] theme is 3; it is a name in quotes"),
        ("[ui]\ncolourmap = true", "[ui] colourmap is True; it is a name in quotes"),
        ("[ui]\ncolour = 3", "[ui] colour: no such setting; there are theme and colourmap"),
        ("[key]\nside = 'w'", "[key] is not a table of "),
    ],
)
def test_a_bad_file_is_told_in_a_line(tmp_path: Path, text: str | bytes, trouble: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config = read_config(path)
    assert config.theme is None
    assert config.keys == {}
    (only,) = config.troubles
    assert trouble in only
    assert "\n" not in only


def test_only_a_file_that_was_named_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path().name == "config.toml"
    assert read_config() == Config(default_path())
    lost = tmp_path / "lost.toml"
    assert read_config(lost).troubles == (f"{lost}: No such file or directory",)
    monkeypatch.setenv(ENVIRONMENT, str(lost))
    assert read_config().troubles == (f"{lost}: No such file or directory",)
    assert read_config(tmp_path).troubles == (f"{tmp_path}: Is a directory",)


# Themes ------------------------------------------------------------------------------------------


async def test_a_chosen_theme_is_drawn_at_once_and_remembered(tmp_path: Path) -> None:
    choices = tmp_path / "state" / "choices.json"
    options = replace(TRUECOLOR, choices=choices)
    async with opened(options=options) as one:
        dark = colours(one)
        assert not choices.exists()
        await one.press("t")
        assert isinstance(one.app.screen, CommandPalette)
        for letter in "solarized-light":
            await one.pilot.press(letter.replace("-", "minus"))
        for _ in range(40):
            await one.settle(0.1)
            if one.app.screen.query_one(OptionList).option_count == 1:
                break
        await one.press("enter")
        await one.settle(0.3)
        assert one.app.theme == "solarized-light"
        assert json.loads(choices.read_text()) == {"theme": "solarized-light"}
        assert "#ff875f" in dark - colours(one)
        assert "#d75f00" in colours(one) - dark
        assert [path.name for path in choices.parent.iterdir()] == ["choices.json"]
    async with opened(options=options) as one:
        assert one.app.theme == "solarized-light"
    async with opened(options=replace(options, theme="nord")) as one:
        assert one.app.theme == "nord"
    async with opened(options=replace(options, config=Config(tmp_path / "c.toml", theme="dracula"))) as one:
        assert one.app.theme == "dracula"
        one.app.choose_theme("ansi-dark")
        await one.settle()
        assert "names dracula, which comes back at the next start" in one.notices
        assert chosen(choices) == {"theme": "solarized-light"}


async def test_every_theme_can_be_taken() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "2")
        for name in sorted(one.app.available_themes):
            one.app.choose_theme(name)
            await one.pilot.pause()
            assert one.app.theme == name
            accent = {"ansi-dark": "yellow", "ansi-light": "magenta"}.get(name)
            if accent is None:
                accent = "#ff875f" if one.app.current_theme.dark else "#d75f00"
            assert accent in colours(one)


def test_a_choice_that_can_not_be_kept_or_read_is_none(tmp_path: Path) -> None:
    assert chosen(None) == {}
    assert chosen(tmp_path / "lost.json") == {}
    damaged = tmp_path / "damaged.json"
    for text in ("{", "[]", "3", '{"theme": 3}'):
        damaged.write_text(text)
        assert chosen(damaged) == {}
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"(?i)exist|directory"):
        keep(tmp_path / "file" / "choices.json", "theme", "nord")


async def test_a_choice_that_can_not_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with opened(options=replace(TRUECOLOR, choices=tmp_path / "file" / "choices.json")) as one:
        one.app.choose_theme("nord")
        await one.settle()
        assert "Not remembered" in one.notices
        assert one.app.theme == "nord"


async def test_an_unknown_configured_theme_is_named(tmp_path: Path) -> None:
    choices = tmp_path / "choices.json"
    keep(choices, "theme", "gone")
    async with opened(options=replace(TRUECOLOR, choices=choices, config=Config(theme="[b]x"))) as one:
        assert "[ui] theme: no theme [b]x; there are ansi-dark" in one.notices
        assert one.app.theme == "intruder"
