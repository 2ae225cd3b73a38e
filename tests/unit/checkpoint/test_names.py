"""Hostile names: shown safely, split within bounds."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.checkpoint.names import DEEPEST, components, printable, shape_text

ANY_NAME = st.text(alphabet=st.characters(), max_size=400) | st.text(".\x1b[]/a0\u202e\n", max_size=400)


@given(ANY_NAME)
def test_what_is_printed_is_one_line_without_anything_invisible(name: str) -> None:
    shown = printable(name)
    categories = {unicodedata.category(character) for character in shown if character != " "}
    assert not categories & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    shown.encode()


@given(ANY_NAME)
def test_components_join_back_and_are_bounded(name: str) -> None:
    parts = components(name)
    assert ".".join(parts) == name
    assert 1 <= len(parts) <= DEEPEST


def test_escapes_are_readable() -> None:
    assert printable("a\x1b]8;;http://x\x07b") == r"a\x1b]8;;http://x\x07b"
    assert printable("safe\u202egnp.exe") == r"safe\u202egnp.exe"
    assert printable("layers[/0].weight") == "layers[/0].weight"
    assert printable("größe 層") == "größe 層"
    assert printable("\ud800") == r"\ud800"


def test_monsters_lose_their_middle_and_say_how_long_they_are() -> None:
    shown = printable("start" + "\x00" * 1_000_000 + "end")
    assert len(shown) < 700
    assert "1000008 characters" in shown
    assert shown.startswith("start")
    assert shown.endswith("end")


def test_shapes() -> None:
    assert [shape_text(shape) for shape in ((), (3,), (2, 3))] == ["scalar", "3", "2 x 3"]
