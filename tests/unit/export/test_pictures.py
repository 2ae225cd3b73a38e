"""Pictures of views: complete without a network, the same on every terminal, the document inside."""

from __future__ import annotations

import json
import re
import struct
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.text import Text
from tests.support.results import planted

from intruder_tui.definition import Side
from intruder_tui.export.pictures import PictureError, pictures, png
from intruder_tui.export.snapshot import write_snapshot
from intruder_tui.views.field import field
from intruder_tui.views.glyphs import UNICODE
from intruder_tui.views.heatmap import Heatmap
from intruder_tui.views.palette import ColourMode

NS = "{http://www.w3.org/2000/svg}"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
DOCUMENT = {"matrix": "</script></metadata><b>&amp;", "eps": 0.5}


def heatmap() -> Heatmap:
    return Heatmap((field(planted(), Side.LEFT),), 10, 0.5)


class Scripts(HTMLParser):
    """Collects what stands in script elements."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.found.append(data)


def test_all_three_hold_the_view_and_the_document() -> None:
    made = pictures(heatmap(), width=80, title="a <b> [red]\x1b", document=DOCUMENT)
    root = ElementTree.fromstring(made["svg"])
    assert json.loads(root.findtext(f"{NS}metadata") or "") == DOCUMENT
    page = Scripts()
    page.feed(made["html"])
    assert json.loads("".join(page.found)) == DOCUMENT
    assert "intruder" in made["txt"]
    assert "[red]" in made["html"]
    for kind in ("svg", "html"):
        assert not re.search(r"@font-face|@import|url\([^#)]|src=|<link", made[kind])


def test_the_terminal_in_front_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pictures(heatmap(), width=80)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb"), ("COLUMNS", "20"), ("FORCE_COLOR", "")):
        monkeypatch.setenv(name, value)
    assert pictures(heatmap(), width=80) == before
    assert max(len(line) for line in before["txt"].splitlines()) <= 80


def test_the_text_is_that_of_the_plain_view() -> None:
    fields = (field(planted(), Side.LEFT),)
    made = pictures(heatmap(), width=80, plain=Heatmap(fields, 10, 0.5, ColourMode.NONE))
    assert UNICODE.ramp[-1] not in pictures(heatmap(), width=80)["txt"]
    drawn = [line for line in made["txt"].splitlines() if "|cos|" not in line]
    matched = [line.index(UNICODE.ramp[-1]) for line in drawn if UNICODE.ramp[-1] in line]
    assert len(matched) >= 8
    assert matched == sorted(matched)
    assert made["svg"] == pictures(heatmap(), width=80)["svg"]


def test_markup_in_text_stays_text() -> None:
    assert pictures(Text("[bold]x[/bold] :smile:"), width=40)["txt"] == "[bold]x[/bold] :smile:\n"


def test_a_png_has_the_size_of_its_svg() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="36pt" viewBox="0 0 72 36"></svg>'
    data = png(svg, zoom=2)
    assert data.startswith(SIGNATURE)
    assert struct.unpack(">II", data[16:24]) == (192, 96)
    made = pictures(heatmap(), width=60)
    assert png(made["svg"]).startswith(SIGNATURE)
    with pytest.raises(PictureError, match="resvg does not take the picture"):
        png("<svg")


def test_without_resvg_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(PictureError, match=r"PNG needs resvg-py: pip install 'intruder-tui\[png\]'"):
        png("<svg/>")


def test_a_snapshot_takes_bytes_beside_text(tmp_path: Path) -> None:
    paths = write_snapshot(tmp_path, "a", {"png": SIGNATURE, "txt": "é\n"}, {})
    assert paths[0].read_bytes() == SIGNATURE
    assert paths[1].read_text(encoding="utf-8") == "é\n"
