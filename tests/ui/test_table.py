"""The intruder table on the screen: sorting, the vector below it, every base vector on demand."""

from __future__ import annotations

import pytest
from tests.support.apps import Opened, opened
from tests.support.llama import STRONG, llama_results
from tests.support.sessions import keep_study, study_of
from tests.support.studies import random_cosines

from intruder_tui.definition import Definition, Side
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.widgets.vector import VectorView
from intruder_tui.views.intruders import Order

INTRUDERS = llama_results()[STRONG].summary().intruders(Definition())


def ranks(one: Opened) -> list[int]:
    at = one.table._cells.names.index("j")
    return [int(str(one.table.get_row_at(row)[at])) for row in range(one.table.row_count)]


def best() -> list[int]:
    values = llama_results()[STRONG].left.upper[:10]
    return sorted(range(10), key=lambda j: (values[j], j))


async def test_keys_sort_by_any_column_and_the_cursor_stays_on_its_vector() -> None:
    async with opened() as one:
        await one.press("n", "2", "tab", "j", "j")
        assert one.table.tuned == 2
        await one.press("full_stop", "full_stop")
        assert one.table.order == Order("best")
        assert ranks(one) == best()
        assert one.table.tuned == 2
        assert "best |cos| ▴" in one.text()
        await one.press("r")
        assert ranks(one)[-1] == best()[0]
        assert "best |cos| ▾" in one.text()
        await one.press("g", "y")
        assert one.map.cursor[1] == ranks(one)[0]
        await one.press("comma", "comma", "r")
        assert ranks(one) == list(range(10))


async def test_every_column_can_be_reached_at_every_width() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "2", "tab")
        seen = {one.table.order.column}
        for _ in range(12):
            await one.press("full_stop")
            seen.add(one.table.order.column)
            assert not one.table.show_horizontal_scrollbar
        assert seen >= {"j", "sigma", "best", "base i", "verdict"}


async def test_the_copied_table_is_sorted_as_the_screen_is() -> None:
    async with opened() as one:
        await one.press("n", "2", "tab", "full_stop", "full_stop")
        lines = one.table.plain.splitlines()
        assert [int(line.split("\t")[1]) for line in lines[1:]] == best()


async def test_enter_opens_the_vector_of_the_sorted_row() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "2", "tab", "full_stop", "full_stop", "g", "enter")
        assert f"Tuned vector {best()[0]}," in one.text()
        await one.press("escape")
        assert one.table.tuned == best()[0]


@pytest.mark.parametrize(("size", "roomy"), [((80, 24), False), ((120, 40), True), ((200, 60), True)])
async def test_the_vector_under_the_cursor_stands_below_where_there_is_room(
    size: tuple[int, int], roomy: bool
) -> None:
    async with opened(size=size) as one:
        await one.press("n", "2", "tab", "g")
        assert ("Tuned vector 0," in one.text()) is roomy
        await one.press("j")
        assert ("Tuned vector 1," in one.text()) is roomy
        assert one.table.row_count == 10
        assert not one.table.show_vertical_scrollbar


async def test_all_base_vectors_are_shown_once_they_are_there() -> None:
    async with opened(size=(80, 24)) as one:
        await one.press("n", "2", "tab", "enter")

        def text() -> str:
            return " ".join(one.main.query_one(VectorView).plain().split())

        assert "64 of them lie beyond the 32 shown" in text()
        assert "W computes all" in text()
        await one.press("W")
        study = study_of(one.session, STRONG, StudyKind.COSINES, Side.LEFT)
        assert one.engine.studies == [study]
        assert "queued" in text()
        one.engine.say(keep_study(one.session, study, random_cosines(96, 96)))
        await one.settle()
        assert "beyond" not in text()
        assert "W computes" not in text()
        assert "a bar: max of 3" in text()
