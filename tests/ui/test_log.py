"""What fails is told in a line; its trace is in the log, and `L` shows both."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.apps import opened
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, llama_session

from intruder_tui.engine.jobs import Job
from intruder_tui.engine.log import open_log
from intruder_tui.engine.protocol import Failed
from intruder_tui.ui.screens.main import MainScreen

FIRST = "model.layers.0.self_attn.q_proj.weight"


@pytest.fixture
def engine(tmp_path: Path) -> SilentEngine:
    silent = SilentEngine()
    silent.log_path = open_log(tmp_path / "intruder.log")
    return silent


async def test_the_log_screen_lists_failures_refusals_and_the_end_of_the_file(engine: SilentEngine) -> None:
    sessions = [llama_session(engine, tuned=f"lora-{i}") for i in range(2)]
    assert engine.log_path is not None
    with engine.log_path.open("a") as file:
        file.write("a word of the worker's\n")
    async with opened(*sessions, engine=engine, size=(160, 40)) as one:
        await one.press("enter")
        pair = one.session.row(FIRST).pair
        assert pair is not None
        engine.say(Failed(Job(pair), "out of memory on cpu: 3.1 GB"))
        await one.settle()
        await one.press("L")
        text = one.text()
        assert str(engine.log_path) in text
        assert f"lora-0: {FIRST}: out of memory on cpu: 3.1 GB" in text
        assert f"lora-1: {REFUSED}: base is 160 x 96, tuned is 160 x 104" in text
        assert "a word of the worker's" in text


async def test_an_error_of_the_interface_is_a_line_and_its_trace_is_logged(
    engine: SilentEngine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engine.log_path is not None

    def fail(_: MainScreen) -> None:
        raise ZeroDivisionError("by nought")

    async def press() -> None:
        async with opened(llama_session(engine, ready=True), engine=engine) as one:
            await one.press("u")

    monkeypatch.setattr(MainScreen, "action_side", fail)
    with pytest.raises(ZeroDivisionError):
        await press()
    log = engine.log_path.read_text()
    assert "the interface failed" in log
    assert 'raise ZeroDivisionError("by nought")' in log
    told = " ".join(capsys.readouterr().err.split())
    assert told.startswith("intruder-tui: internal error: ZeroDivisionError: by nought; the trace is in ")
    assert "Traceback" not in told


async def test_what_can_not_be_saved_is_said(engine: SilentEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a picture of no width")

    monkeypatch.setattr("intruder_tui.ui.saving.write_snapshot", fail)
    async with opened(llama_session(engine, ready=True), engine=engine) as one:
        await one.press("s")
        await one.settle(0.3)
        assert "Not saved: ValueError: a picture of no width" in one.notices
    assert engine.log_path is not None
    assert "in fail" in engine.log_path.read_text()
