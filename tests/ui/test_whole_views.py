"""Sweep, Map, Compare and one vector, on an app whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, WEAK, llama_results, llama_rows, llama_session
from tests.support.results import analyse, base_weight, bounded, plant
from tests.support.sessions import finished, matrix_row, session
from textual.widgets import ContentSwitcher

from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed
from intruder_tui.findings.model_map import Cell, Measure
from intruder_tui.ui.widgets import pane
from intruder_tui.ui.widgets.compare import CompareView
from intruder_tui.ui.widgets.model_map import MapGrid, MapView
from intruder_tui.ui.widgets.sweep import SweepPane
from intruder_tui.ui.widgets.vector import VectorView


def page(one: Opened) -> str | None:
    return one.main.query_one(ContentSwitcher).current


def grid(one: Opened) -> MapGrid:
    return one.main.query_one(MapGrid)


def cell(one: Opened) -> Cell:
    found = grid(one).cell
    assert found is not None
    return found


def words(picture: SweepPane | CompareView | VectorView) -> str:
    return " ".join(picture.plain().split())


async def test_the_sweep_counts_what_the_definition_counts() -> None:
    async with opened() as one:
        await one.press("n", "5")
        (sweep,), _ = one.main.query_one(SweepPane).curves()
        found = llama_results()[STRONG].summary()
        for eps in (0.2, 0.4, 0.5):
            count = len(found.intruders(Definition(eps=eps)))
            assert sweep.value(eps) == (count, count)
        assert "layers.1 q_proj" in one.text()
        await one.press("m")
        (whole,), _ = one.main.query_one(SweepPane).curves()
        total = one.session.totals(one.main.definition).intruders
        assert whole.value(0.5) == (total, total)
        assert "all matrices" in one.text()


async def test_the_sweep_follows_k_and_has_a_curve_per_checkpoint() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=tuned) for tuned in ("lora-r8", "lora-r16")]
    async with opened(*sessions, engine=engine, size=(120, 60)) as one:
        await one.press("n", "5", *["minus"] * 9)
        sweeps, _ = one.main.query_one(SweepPane).curves()
        assert [sweep.label for sweep in sweeps] == ["lora-r8", "lora-r16"]
        assert {int(sweep.certain.max()) for sweep in sweeps} == {1}
        assert "at k 1" in one.text()
        assert "all matrices" in one.text()


async def test_a_matrix_without_an_answer_has_no_curve() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("5")
        assert one.main.query_one(SweepPane).curves() == ([], [])
        assert "nothing analysed to sweep over" in one.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 60)])
async def test_a_sweep_of_a_matrix_that_has_none_says_why_as_the_other_views_do(
    size: tuple[int, int],
) -> None:
    engine = SilentEngine()
    llama = llama_session(engine, ready=[WEAK])
    async with opened(llama, engine=engine, size=size) as one:
        pair = llama.row(STRONG).pair
        assert pair is not None
        engine.say(Failed(Job(pair), "tuned has 1 of 9216 values that are not finite"))
        for name, *told in (
            (STRONG, "Failed", "tuned has 1 of 9216 values that are not finite"),
            (REFUSED, "Can't be compared", "base is 160 x 96"),
            (SAME, "Unchanged", "dW is zero"),
        ):
            one.main.go_to(name)
            await one.press("5")
            sweep = words(one.main.query_one(SweepPane))
            assert all(word in sweep for word in told)
            assert "nothing analysed" not in sweep
            assert "Enter" not in sweep
        await one.press("m")
        assert "1 matrix analysed and changed" in words(one.main.query_one(SweepPane))


async def test_the_map_starts_at_the_selected_matrix_and_enter_goes_to_another() -> None:
    async with opened() as one:
        await one.press("n", "6", "tab")
        assert grid(one).has_focus
        assert cell(one).names == (STRONG,)
        assert one.line("#spot").split() == ["intruders", "2", STRONG.removesuffix(".weight")]
        await one.press("right", "right", "down", "enter")
        assert one.main.selected == "model.layers.3.self_attn.k_proj.weight"
        assert page(one) == "modelmap"
        assert grid(one).has_focus
        await one.press("n")
        assert cell(one).names == (WEAK,)


@pytest.mark.parametrize("keys", [("right", "left", "down", "up"), ("l", "h", "j", "k")])
async def test_the_map_has_a_cursor(keys: tuple[str, str, str, str]) -> None:
    right, left, down, up = keys
    async with opened() as one:
        await one.press("6", "tab", right, down, down)
        assert grid(one).cursor == (2, 1)
        await one.press(left, up)
        assert grid(one).cursor == (1, 0)
        await one.press(up, up, up)
        assert grid(one).cursor == (0, 0)
        await one.press("G")
        assert grid(one).cursor == (6, 3)
        await one.press("g")
        assert grid(one).cursor == (0, 0)


async def test_m_shows_every_measure_and_reads_results_for_the_heavy_ones() -> None:
    async with opened() as one:
        await one.press("n", "6")
        view = one.main.query_one(MapView)
        seen = []
        for _ in Measure:
            await one.press("m")
            await one.settle(0.6)
            seen.append((view.measure, one.line("#spot").split("   ")[1]))
        update = llama_results()[STRONG].update
        best = min(float(v) for v in llama_results()[STRONG].left.lower[:10])
        assert seen[0] == (Measure.LOWEST, f"{best:.3f}")
        assert seen[1] == (Measure.RELATIVE, f"{100 * update.relative_norm:.0f} %")
        assert seen[2] == (Measure.EFFECTIVE, f"{update.effective_rank:.1f}")
        assert seen[3][0] is Measure.COUNT


async def test_the_map_fills_while_answers_come_but_not_at_every_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("6", "a")
        await one.settle(0.6)
        assert one.line("#spot").startswith("intruders   waiting")
        view = one.main.query_one(MapView)
        told = []
        tell = view.tell

        def count(scope: object) -> None:
            told.append(scope)
            tell(scope)

        monkeypatch.setattr(view, "tell", count)
        for name in one.session.default_names[:20]:
            engine.say(finished(one.session, name))
        await one.settle(pane.LEAST_WAIT + 0.4)
        assert 1 <= len(told) <= 3
        assert "intruders   0" in one.line("#spot")


async def test_compare_lists_matrices_and_enter_goes_to_one() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=tuned) for tuned in ("lora-r8", "lora-r16")]
    async with opened(*sessions, engine=engine) as one:
        await one.press("7", "tab")
        view = one.main.query_one(CompareView)
        assert view.cursor == STRONG
        count = len(llama_results()[STRONG].summary().intruders(Definition()))
        assert view.row.split()[:2] == ["1.self_attn.q_proj", str(count)]
        await one.press("down", "enter")
        assert one.main.selected == WEAK
        await one.press("k", "y")
        assert one.app.clipboard.startswith("1.self_attn.q_proj")
        await one.press("G")
        assert view.cursor == WEAK
        await one.press("g")
        assert view.cursor == STRONG


async def test_compare_with_one_checkpoint_says_how_to_open_more() -> None:
    async with opened() as one:
        await one.press("7", "tab", "down", "enter", "G")
        assert "intruder-tui BASE TUNED TUNED2" in words(one.main.query_one(CompareView))


async def test_training_steps_are_shown_as_a_series() -> None:
    engine = SilentEngine()
    base = base_weight(96, 96)
    sessions = []
    for label, strength in (("checkpoint-100", 0.2), ("checkpoint-200", 1.2)):
        results = {STRONG: analyse(base, plant(base, [strength]))}
        step = session(llama_rows(), engine, results, [STRONG], label)
        files = (f"/run/{label}/model.safetensors",)
        step.pairing = replace(step.pairing, tuned=replace(step.pairing.tuned, files=files))
        sessions.append(step)
    async with opened(*sessions, engine=engine, size=(120, 60)) as one:
        await one.press("n")
        await one.press("7")
        text = one.main.query_one(CompareView).plain()
        assert "layers.1 q_proj over the training steps" in text
        assert "first j" in text
        for number in ("100", "200"):
            assert any(number in line.split() for line in text.splitlines())


async def test_checkpoints_without_a_step_have_no_series() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=tuned) for tuned in ("lora-r8", "lora-r16")]
    async with opened(*sessions, engine=engine) as one:
        await one.press("7")
        assert "over the training steps" not in words(one.main.query_one(CompareView))


async def test_enter_on_a_row_shows_the_vector_and_escape_goes_back() -> None:
    async with opened() as one:
        await one.press("n", "2", "tab", "enter")
        assert page(one) == "vector"
        view = one.main.query_one(VectorView)
        assert view.has_focus
        best = float(llama_results()[STRONG].left.lower[0])
        assert f"best |cos| {best:.3f}" in words(view)
        await one.press("right", "j")
        assert view.tuned == 2
        await one.press("left", "y")
        assert "Tuned vector 1" in one.app.clipboard
        await one.press("escape")
        assert page(one) == "intruders"
        assert one.table.has_focus
        assert one.table.cursor_row == 1


async def test_where_every_cosine_is_known_none_is_offered() -> None:
    engine = SilentEngine()
    base = base_weight(24, 24)
    results = {STRONG: analyse(base, plant(base, [1.2]))}
    small = session([matrix_row(STRONG, (24, 24))], engine, results, [STRONG])
    async with opened(small, engine=engine) as one:
        await one.press("2", "tab", "enter")
        assert "over all 24 base vectors" in words(one.main.query_one(VectorView))
        assert "computes all" not in one.text()


async def test_the_vector_stays_when_the_matrix_changes_and_goes_with_the_view() -> None:
    async with opened() as one:
        await one.press("n", "2", "tab", "enter", "n")
        assert page(one) == "vector"
        assert one.main.selected == WEAK
        await one.press("shift+tab", "escape")
        assert page(one) == "intruders"
        await one.press("tab", "enter", "3", "2")
        assert page(one) == "intruders"


async def test_bounds_have_a_vector_too() -> None:
    engine = SilentEngine()
    given = session(llama_rows(), engine, {STRONG: bounded(llama_results()[STRONG])}, [STRONG])
    async with opened(given, engine=engine) as one:
        await one.press("n", "2", "tab", "enter")
        assert page(one) == "vector"
        assert "Single cosines are not known" in words(one.main.query_one(VectorView))


async def test_an_empty_row_opens_nothing() -> None:
    engine = SilentEngine()
    async with opened(llama_session(engine), engine=engine) as one:
        await one.press("2", "tab", "enter")
        assert page(one) == "intruders"


async def test_a_matrix_without_a_view_still_has_the_map() -> None:
    async with opened() as one:
        await one.press("slash", *"2.mlp.up", "enter", "G")
        assert page(one) == "notice"
        for key, name in (("5", "sweep"), ("6", "modelmap"), ("7", "compare")):
            await one.press(key)
            assert page(one) == name
        await one.press("1")
        assert page(one) == "notice"


@pytest.mark.parametrize("view", ["5", "6", "7"])
async def test_an_idle_view_writes_nothing(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=tuned) for tuned in ("lora-r8", "lora-r16")]
    async with opened(*sessions, engine=engine) as one:
        await one.press("n", view, "tab", "m")
        await one.settle(1.0)
        painted: list[object] = []
        monkeypatch.setattr(one.app, "_display", lambda screen, part: painted.append(part))
        await one.settle(1.2)
        assert painted == []
        await one.press("u")
        assert painted


async def test_k_as_a_share_of_all_vectors() -> None:
    async with opened() as one:
        await one.press("n", "5", "tab")
        assert "count over k at" in one.text()
        await one.press("percent_sign")
        text = " ".join(one.text().split())
        assert "count over k / q at" in text
        assert "k 10 of 96, 10 % of all" in text
        (over_share,) = one.main.query_one(SweepPane).curves()[1]
        assert over_share.value(10 / 96) == (2, 2)
        await one.press("m")  # matrices of several sizes have no share in common
        text = " ".join(one.text().split())
        assert "count over k / q at" in text
        assert "of all" not in text
        await one.press("percent_sign")
        assert "count over k at" in one.text()
