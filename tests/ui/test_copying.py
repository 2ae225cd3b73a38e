"""What is copied, and what is saved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.support.apps import TRUECOLOR, opened
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_session


async def test_y_copies_what_is_in_front_and_says_so() -> None:
    async with opened() as one:
        await one.press("n", "y")
        assert one.app.clipboard.startswith(f"{STRONG}\ttuned 0")
        assert "OSC 52" in one.notices
        await one.press("2", "tab", "j", "y")
        assert one.app.clipboard.split("\t")[1] == "1"
        await one.press("4", "y")
        assert one.app.clipboard.startswith("relative update")
        await one.press("Y")
        lines = one.app.clipboard.splitlines()
        assert len(lines) == 11
        assert lines[0].split("\t")[1] == "j"


async def test_y_on_a_notice_copies_its_reason() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("Y")
        assert "Nothing to copy here." in one.notices


async def test_s_saves_picture_and_data(tmp_path: Path) -> None:
    options = replace(TRUECOLOR, output=tmp_path / "shots")
    async with opened(options=options) as one:
        await one.press("x", "n", "x", "s")
        await one.saved()
        await one.press("s")
        await one.saved()
        names = sorted(path.name for path in (tmp_path / "shots").iterdir())
        base = "tuned-lora-r16_model.layers.1.self_attn.q_proj.weight_heatmap"
        endings = [".csv", ".html", ".json", ".png", ".svg", ".txt", "_figure.svg"]
        assert names == sorted(f"{base}{more}{ending}" for more in ("", "_2") for ending in endings)
        svg = (tmp_path / "shots" / f"{base}.svg").read_text()
        assert svg.startswith("<svg")
        assert "@font-face" not in svg
        assert "Saved" not in (tmp_path / "shots" / f"{base}_2.svg").read_text()
        document = json.loads((tmp_path / "shots" / f"{base}.json").read_text())
        assert document["matrix"]["name"] == STRONG
        assert document["marked"] == ["model.layers.0.self_attn.q_proj.weight", STRONG]
        assert "Saved" in one.notices


async def test_s_into_a_place_that_can_not_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with opened(options=replace(TRUECOLOR, output=tmp_path / "file")) as one:
        await one.press("s")
        await one.saved()
        assert "Not saved" in one.notices
        assert "File exists" in one.notices
