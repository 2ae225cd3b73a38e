"""The heatmap's windows: zoom, pan, both sides, and the whole matrix on demand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.apps import TRUECOLOR, Opened, opened
from tests.support.llama import STRONG, WEAK, llama_results
from tests.support.sessions import keep_study, study_of
from tests.support.studies import random_cosines

from intruder_tui.definition import Definition, Side
from intruder_tui.engine.protocol import Dropped, Failed, Stage
from intruder_tui.studies.answers import StudyKind
from intruder_tui.views.extent import Extent, leading

Q = 96
WHOLE = leading(Q, Q)
K_PROJ = "model.layers.0.self_attn.k_proj.weight"


def below(one: Opened) -> str:
    return one.line("#readout")


async def select(one: Opened, name: str) -> None:
    one.main.go_to(name)
    await one.pilot.pause()


async def deliver(one: Opened, side: Side = Side.LEFT) -> None:
    study = study_of(one.session, STRONG, StudyKind.COSINES, side)
    one.engine.say(keep_study(one.session, study, random_cosines(Q, Q, side)))
    await one.settle()


async def test_zooming_out_and_in_meets_k_and_all() -> None:
    async with opened() as one:
        await one.press("n", "tab", "l", "j")
        spans = []
        for _ in range(5):
            await one.press("Z")
            spans.append(one.map.extent.span)
        assert spans == [20, 40, 80, 96, 96]
        assert one.map.pooled
        assert one.map.cursor == (1, 1)
        for _ in range(4):
            await one.press("z")
        assert one.map.extent == leading(10, Q)
        await one.press("z")
        assert one.map.extent.span == 5
        assert one.map.extent.holds(1, 1)


async def test_the_window_follows_the_cursor_beyond_k() -> None:
    async with opened() as one:
        await one.press("n", "tab", "G", "l")
        assert one.map.cursor == (9, 10)
        assert one.map.extent.holds(9, 10)
        assert one.map.extent.span == 10
        assert "beyond k" in below(one)
        await one.press("shift+right", "shift+down")
        assert one.map.extent.left > 3
        assert one.map.extent.top == 5
        await one.press("g")
        assert one.map.extent == leading(10, Q)
        assert one.map.cursor == (0, 0)


@pytest.mark.parametrize("away", [("G", "l"), ("shift+down",), ("z",), ("Z",)])
async def test_another_k_shows_its_leading_vectors_from_any_window(away: tuple[str, ...]) -> None:
    async with opened() as one:
        await one.press("n", "tab", "plus")
        assert one.map.extent == leading(11, Q)
        await one.press(*away)
        assert one.map.extent != leading(11, Q)
        await one.press("plus")
        assert one.map.extent == leading(12, Q)
        assert one.map.extent.holds(*one.map.cursor)


async def test_another_matrix_shows_its_leading_vectors() -> None:
    async with opened() as one:
        await one.press("n", "tab", "Z", "shift+down")
        window = one.map.extent
        assert window.top > 0
        await one.press("u", "right_square_bracket", "2", "1")
        assert one.map.extent == window
        await one.press("n")
        assert one.main.selected == WEAK
        assert one.map.extent == leading(10, Q)


async def test_the_whole_matrix_stays_the_whole_one_whatever_k_and_matrix() -> None:
    async with opened() as one:
        await one.press("n", "tab", "w", "plus")
        assert one.map.extent == WHOLE
        await select(one, K_PROJ)
        assert one.map.extent == leading(48, 48)
        await select(one, STRONG)
        assert one.map.extent == WHOLE
        await one.press("w")
        assert one.map.extent == leading(11, Q)


async def test_the_title_says_where_a_window_is() -> None:
    async with opened() as one:
        await one.press("n", "tab")
        assert one.line("#title").startswith(f"{STRONG}   96 × 96")
        await one.press("G", "l")
        assert one.line("#title").startswith(f"{STRONG}   tuned 2–11   base 0–9   96 × 96")
        await one.press("w")
        assert one.line("#title").startswith(f"{STRONG}   all vectors   96 × 96")
        await one.press("w")
        assert one.line("#title").startswith(f"{STRONG}   96 × 96")
        await one.press("z", "3")
        assert "tuned" not in one.line("#title")
        await one.press("1")
        assert one.line("#title").startswith(f"{STRONG}   tuned 5–9   base 5–9   96 × 96")


async def test_a_narrow_title_says_where_a_window_is_before_the_shape() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "tab", "G", "l")
        assert f"{STRONG}   tuned 2–11" in one.text()


async def test_a_pooled_cell_says_what_it_covers() -> None:
    definition = Definition(k=32)
    async with opened(options=replace(TRUECOLOR, definition=definition), size=(60, 20)) as one:
        await one.press("n", "tab")
        assert one.map.pooled
        while len(one.map.block[0]) == 1:
            await one.press("j")
        rows, columns = one.map.block
        block = llama_results()[STRONG].left.block
        largest = block[rows.start : rows.stop, columns.start : columns.stop].max()
        words = f"max of base {rows[0]}–{rows[-1]} × tuned {columns[0]}"
        assert words in below(one)
        assert f"{largest:.3f}" in below(one)


async def test_enter_finds_the_intruder_columns_in_every_zoom() -> None:
    intruders = llama_results()[STRONG].summary().intruders(Definition())
    async with opened() as one:
        await one.press("n", "tab")
        for key in ("z", "Z", "Z", "w"):
            await one.press(key)
            seen = set()
            for _ in intruders:
                await one.press("enter")
                columns = one.map.block[1]
                assert one.map.extent.holds(*one.map.cursor)
                seen |= set(columns) & set(intruders)
            assert seen == set(intruders)


async def test_both_sides_stand_beside_each_other() -> None:
    async with opened() as one:
        await one.press("n", "tab")
        assert not one.map.both
        await one.press("U", "l")
        assert one.map.both
        text = one.text()
        assert "U, output space" in text
        assert "V, input space" in text
        result = llama_results()[STRONG]
        assert f"|cos| U {result.left.block[0, 1]:.3f}  V {result.right.block[0, 1]:.3f}" in below(one)
        await one.press("u")
        assert one.main.definition.side is Side.RIGHT
        assert [field.side for field in one.map.fields] == [Side.LEFT, Side.RIGHT]
        await one.press("U")
        assert [field.side for field in one.map.fields] == [Side.RIGHT]


async def test_a_narrow_screen_says_how_to_see_the_other_side() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "tab", "U")
        assert not one.map.both
        assert "u switches between them, b hides the tree" in one.line("#readout")
        await one.press("b")
        await one.settle()
        assert "Both sides need" not in one.text()  # there is room now
        await one.press("U")
        assert one.map.both


async def test_ample_room_shows_both_sides_unasked() -> None:
    async with opened(size=(200, 60)) as one:
        await one.press("n")
        assert one.map.both
        assert "V " in below(one)
        await one.pilot.resize_terminal(120, 40)
        await one.settle()
        assert not one.map.both
        assert "V " not in below(one)


async def test_the_whole_matrix_is_asked_for_by_a_key_alone_and_nothing_jumps_when_it_comes() -> None:
    async with opened() as one:
        await one.press("n", "tab", "w")
        assert one.map.extent == WHOLE
        assert not one.engine.studies
        assert "Of 96 × 96 cosines only the leading 32 are known." in one.text()
        assert "it factorises both weights" in one.text()
        await one.press("W")
        study = study_of(one.session, STRONG, StudyKind.COSINES, Side.LEFT)
        assert one.engine.studies == [study]
        assert "queued" in one.text()
        one.engine.say(Stage(study, "factorising tuned"))
        await one.settle()
        assert "factorising tuned" in one.text()
        window, cursor = one.map.extent, one.map.cursor
        await deliver(one)
        assert (one.map.extent, one.map.cursor) == (window, cursor)
        assert "factorising" not in one.text()
        assert None not in one.map.values()
        await one.press("G")
        rows, columns = one.map.block
        cosines = one.session.desk.cosines(STRONG, Side.LEFT)
        assert cosines is not None
        largest = cosines.window(rows.start, rows.stop, columns.start, columns.stop).max()
        assert f": {largest:.3f}" in below(one)
        await one.press("w")
        assert one.map.extent == leading(10, Q)


async def test_a_request_can_be_taken_back_and_a_refusal_says_why() -> None:
    async with opened() as one:
        await one.press("n", "tab", "w", "W", "W")
        assert one.engine.cancelled == [STRONG]
        study = study_of(one.session, STRONG, StudyKind.COSINES, Side.LEFT)
        one.engine.say(Dropped(study))
        await one.settle()
        assert "W computes all" in one.text()
        await one.press("W")
        one.engine.say(Failed(study, "16 GB are needed, 8 GB are free"))
        await one.settle()
        assert "16 GB are needed, 8 GB are free" in one.text()


async def test_both_sides_are_asked_for_where_both_are_shown() -> None:
    async with opened() as one:
        await one.press("n", "tab", "U", "W")
        assert [study.side for study in one.engine.studies] == [Side.LEFT, Side.RIGHT]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_every_zoom_draws_lines_of_the_screen_s_width(size: tuple[int, int], ascii_only: bool) -> None:
    async with opened(size=size, options=replace(TRUECOLOR, ascii=ascii_only)) as one:
        await one.press("n", "tab")
        for key in ("Z", "Z", "w", "z", "G", "shift+left", "shift+up", "U"):
            await one.press(key)
            strips = one.app.screen._compositor.render_strips()
            assert {strip.cell_length for strip in strips} == {size[0]}
            assert one.map.extent.holds(*one.map.cursor)


def test_panning_never_leaves_the_matrix() -> None:
    assert Extent(-5, 500, 10).within(96) == Extent(0, 86, 10)
