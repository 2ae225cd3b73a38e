"""What is copied, and what is saved."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.apps import TRUECOLOR, opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, llama_results, llama_session

from intruder_tui.ui.clipboard import BRIEF


async def test_y_copies_what_is_in_front_and_says_so() -> None:
    async with opened() as one:
        await one.press("n", "y")
        assert one.app.clipboard.startswith(f"{STRONG}\ttuned 0")
        assert "OSC 52" in one.notices
        await one.press("2", "tab", "j", "y")
        assert one.app.clipboard.split("\t")[1] == "1"
        await one.press("4", "y")
        assert one.app.clipboard.startswith("relative update")
        await one.press("2", "Y")
        lines = one.app.clipboard.splitlines()
        assert len(lines) == 11
        assert lines[0].split("\t")[1] == "j"


@pytest.mark.parametrize(
    ("keys", "columns", "rows"),
    [
        ("1", ("side U: base by tuned", "0", "9"), 10),
        ("3", ("j", "sigma_base", "sigma_tuned"), 96),
        ("4", ("measure", "value"), None),
        ("5", ("axis", "at", "intruders"), None),
        ("6", ("module", "layer", "measure", "value"), 28),
        ("7", ("matrix", "checkpoint", "intruders"), None),
    ],
)
async def test_capital_y_copies_the_table_of_the_view_in_front(
    keys: str, columns: tuple[str, ...], rows: int | None
) -> None:
    async with opened() as one:
        await one.press("n", keys, "Y")
        head, *lines = one.app.clipboard.splitlines()
        assert set(columns) <= set(head.split("\t"))
        assert {line.count("\t") for line in lines} == {head.count("\t")}
        assert rows is None or len(lines) == rows


async def test_capital_y_copies_the_vector_in_front() -> None:
    async with opened() as one:
        await one.press("n", "2", "tab", "enter", "Y")
        head, first, *_ = (line.split("\t") for line in one.app.clipboard.splitlines())
        value = float(first[head.index("cosine")])
        assert value == float(llama_results()[STRONG].left.block[0, 0])


async def test_y_on_the_spectrum_copies_the_sentence_below_it() -> None:
    async with opened() as one:
        await one.press("n", "3", "y")
        assert one.app.clipboard == f"{STRONG}\t{one.line('#finding')}"
        assert "match no base vector" in one.app.clipboard


async def test_what_tmux_needs_is_said_once_and_confirmations_are_brief(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMUX", "default,1,0")
    async with opened() as one:
        await one.press("n", "M", "y")
        assert "Nothing is marked; x marks the matrix in front." in one.notices
        assert "set-clipboard" in one.notices
        one.app.clear_notifications()
        await one.press("y")
        assert "OSC 52" in one.notices
        assert "set-clipboard" not in one.notices
        assert [notice.timeout for notice in one.app._notifications] == [BRIEF]


async def test_capital_c_copies_all_of_the_sentence_below_any_view() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "C")
        said = one.line("#finding")
        assert one.app.clipboard == f"{STRONG}\t{said}"
        assert said[-20:] not in " ".join(one.text().split())  # more than there is room for


async def test_counts_of_the_map_are_copied_as_integers() -> None:
    async with opened() as one:
        await one.press("6", "Y")
        head, *lines = (line.split("\t") for line in one.app.clipboard.splitlines())
        counts = {line[head.index("value")] for line in lines if line[head.index("state")] == "done"}
        assert counts == {"0", "1", "2"}


@pytest.mark.parametrize(
    ("name", "words"), [(SAME, "dW is zero"), (REFUSED, "base is 160 x 96, tuned is 160 x 104")]
)
async def test_y_without_a_view_copies_why_there_is_none(name: str, words: str) -> None:
    async with opened() as one:
        one.main.go_to(name)
        await one.settle()
        for view in "123":
            await one.press(view, "y")
            assert one.app.clipboard.startswith(f"{name}\t")
            assert words in one.app.clipboard
            assert len(one.app.clipboard.splitlines()) == 1


async def test_capital_y_on_a_notice_says_that_there_is_nothing() -> None:
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


async def test_a_copied_table_is_told_by_its_size_and_the_same_notice_never_stacks() -> None:
    async with opened() as one:
        await one.press("n", "2", "Y", "Y", "Y")
        assert "Copied 10 rows of " in one.notices
        assert len(one.app._notifications) == 1


async def test_n_says_that_there_is_none_once_everything_is_analysed() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine, ready=True), engine=engine) as one:
        await one.press(*["left_square_bracket"] * 10, "n")
        assert "No intruder in any: 27 matrices analysed, 1 refused, side U, k 10, ε 0.00." in one.notices
