"""Studies are told everywhere: what runs, what failed, what stops it; and words name the keys in force."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from tests.support.apps import Opened, opened
from tests.support.engines import SilentEngine
from tests.support.llama import SAME, STRONG, llama_session
from tests.support.results import analyse, base_weight, plant
from tests.support.sessions import adapted_row, session, study_of

import intruder_tui
from intruder_tui.definition import Side
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.protocol import Dropped, Failed, Stage
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui import studying
from intruder_tui.ui.app import IntruderApp
from intruder_tui.ui.keymap import places
from intruder_tui.ui.keys import every_key, spelled
from intruder_tui.ui.widgets.compare import CompareView
from intruder_tui.ui.widgets.update import UpdateView

VERBS = (
    "analyses|closes|computes?|follows|goes|hides|lists|marks|moves?|pauses|renews|shows|stops|switches|takes"
    "|tries"
)
SIZES = [(80, 24), (120, 34)]


async def ask(one: Opened) -> Study:
    """W on the matrix in front, at the window that a matrix opens with."""
    await one.press("n", "tab", "W")
    return study_of(one.session, STRONG, StudyKind.COSINES, Side.LEFT)


@pytest.mark.parametrize("size", SIZES)
async def test_w_is_answered_at_once_in_the_default_window(size: tuple[int, int]) -> None:
    async with opened(size=size) as one:
        study = await ask(one)
        assert one.map.extent.span == one.main.definition.k
        assert "Cosines U queued. W in Heatmap takes that back." in " ".join(one.line("#finding").split())
        assert "queued" in "\n".join(one.text().splitlines()[-4:])
        one.engine.say(Stage(study, "factorising base"))
        await one.settle()
        assert "Computing cosines U: factorising base. W in Heatmap stops it." in one.line("#finding")
        assert "factorising base" in one.line("#header")
        one.engine.say(Failed(study, "out of memory: 12 GB [wanted]"))
        await one.settle()
        assert "Failed: cosines U of" in one.notices
        assert "out of memory: 12 GB [wanted]" in one.notices
        assert "Cosines U failed: out of memory: 12 GB [wanted]. W in Heatmap" in one.line("#finding")
        assert "factorising" not in one.line("#header")


async def test_a_study_is_told_in_every_view_and_on_every_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studying, "WORTH_TELLING", 0.0)
    async with opened(size=(140, 34)) as one:
        study = await ask(one)
        one.engine.say(Stage(study, "factorising tuned"))
        one.main.go_to(SAME)
        for view in "1234567":
            await one.press(view)
            await one.settle()
            assert "cosines U of layers.1 q_proj: factorising tuned 0:0" in one.line("#header")
        await one.settle(1.2)
        assert re.search(r"factorising tuned 0:0[1-9]", one.line("#header"))  # it runs on
        one.engine.say(Dropped(study))
        await one.settle()
        assert "cosines" not in one.line("#header")


async def test_a_failed_study_is_in_the_log_s_list_until_it_is_asked_for_again() -> None:
    engine = SilentEngine()
    sessions = [llama_session(engine, ready=True, tuned=name) for name in ("lora-a", "lora-b")]
    async with opened(*sessions, engine=engine, size=(140, 40)) as one:
        study = await ask(one)
        one.engine.say(Failed(study, "out of memory: 12 GB"))
        await one.settle()
        await one.press("L")
        assert f"lora-a: {STRONG}: cosines U: out of memory: 12 GB" in one.text()
        await one.press("escape", "W", "L")
        assert "Failed studies" not in one.text()


async def test_p_says_what_runs_and_a_stops_it() -> None:
    async with opened() as one:
        study = await ask(one)
        await one.press("p")
        assert "Only cosines U of" in one.notices
        assert "W in Heatmap stops it" in one.notices
        assert not one.engine.held
        await one.press("a")  # every matrix has its answer
        assert one.engine.cancelled == [study.name]
        assert one.engine.submitted == []


async def test_the_help_says_what_goes_first_and_what_stops_it() -> None:
    async with opened(size=(120, 120)) as one:
        await one.press("question_mark")
        text = " ".join(one.text().split())
        assert "What is computed first" in text
        assert "p pauses" in text
        assert "a stops" in text


# Keys in force ----------------------------------------------------------------------------------


def other_keys() -> dict[str, str]:
    """A key for every action that no other one has, and none of the defaults."""
    names = list(every_key(places(IntruderApp), {}))
    keys = (
        f"{modifier}f{number}" for modifier, number in product(("", "ctrl+", "alt+", "shift+"), range(1, 25))
    )
    given = list(keys) + [f"ctrl+alt+f{number}" for number in range(1, 25)]
    assert len(given) >= len(names)
    return dict(zip(names, given, strict=False))


def defaults_named(text: str) -> list[str]:
    """Where a text says what a default key does."""
    keys = set(every_key(places(IntruderApp), {}).values())
    named = "|".join(sorted(map(re.escape, keys), key=len, reverse=True))
    return re.findall(rf"(?:^|[\s(;,.])(?:{named})(?: in \w+)? (?:{VERBS})\b.*", text, re.IGNORECASE)


async def test_no_word_names_a_default_key_once_every_key_is_another() -> None:
    engine = SilentEngine()
    keymap = other_keys()
    base = base_weight(96, 96)
    results = {STRONG: analyse(base, plant(base, [1.2, 0.3]), adapter_rank=8)}
    lora = session([adapted_row(STRONG, (96, 96))], engine, results, [STRONG])
    sessions = [llama_session(engine), llama_session(engine, ready=True, tuned="b"), lora]

    async with opened(*sessions, engine=engine, size=(120, 60)) as one:
        await one.settle(0.5)
        one.app.set_keymap(keymap)
        said = []

        def words() -> str:
            return one.main.query_one(CompareView).plain() + one.main.query_one(UpdateView).plain()

        async def press(*names: str) -> None:
            for name in names:
                await one.press(keymap[name])
            await one.settle()
            text = "\n".join(
                [
                    one.text(),
                    one.line("#finding"),
                    one.line("#findings"),
                    one.notices,
                    one.map.remark,
                    words(),
                ]
            )
            said.append(" ".join(text.split()))
            assert defaults_named(said[-1]) == []

        one.main._define(one.main.definition)
        one.main._tell_subject()
        one.main._tell_totals()
        await press("measure", "pause", "next-intruder", "next-marked")
        assert f"{spelled(keymap['measure'])} switches the measure" in said[-1]
        assert f"{spelled(keymap['mark'])} marks the matrix" in said[-1]
        one.app.clear_notifications()
        one.main.go_to(SAME)
        await one.settle()
        await press("view.heatmap")
        assert f"{spelled(keymap['next-intruder']).capitalize()} goes to the next" in said[-1]
        await press("next-tuned", "next-intruder")
        one.map.focus()
        await press("map.whole")
        compute = spelled(keymap["map.compute"])
        assert f"{compute.capitalize()} computes all" in said[-1]
        await press("map.last")
        assert f"not known: {compute} computes all" in said[-1]
        await press("map.compute")
        assert "takes that back" in said[-1]
        await press("next-tuned", "view.update")
        one.main.query_one(UpdateView).focus()
        await press("update.last")
        assert f"or {spelled(keymap['update.smaller'])} and {spelled(keymap['update.larger'])}" in said[-1]
        for view in ("heatmap", "intruders", "spectrum", "update", "sweep", "map", "compare"):
            await press(f"view.{view}", "help")
            await press("help.close")


def test_no_sentence_of_the_sources_names_a_letter() -> None:
    letters = {key for key in every_key(places(IntruderApp), {}).values() if len(key) == 1 and key.isalpha()}
    wanted = re.compile(rf"(?:^|[\"'\s;.])(?:{'|'.join(sorted(letters))}) (?:{VERBS})\b")
    root = Path(intruder_tui.__file__).parent
    found = [
        f"{path.name}: {line.strip()}"
        for folder in ("ui", "views")
        for path in (root / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if wanted.search(line) and ('"' in line or "'" in line) and '"""' not in line
    ]
    assert found == []
