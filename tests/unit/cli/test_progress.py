"""What a scan says on the way."""

from __future__ import annotations

import pytest
from tests.support.engines import SilentEngine
from tests.support.results import clean
from tests.support.sessions import key_of, matrix_row, session

from intruder_tui.cli import headless
from intruder_tui.engine.protocol import Finished, Listener


class PromptEngine(SilentEngine):
    """Answers everything at once, and says that each matrix took a second and a half."""

    def start(self, listener: Listener) -> None:
        for job in self.jobs:
            listener(Finished(job, key_of(job.pair), 1.5))


def test_the_time_left_is_told_once_enough_was_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(headless, "_SECONDS_BETWEEN_LINES", -1.0)
    monkeypatch.setattr(headless, "_SECONDS_BETWEEN_QUESTIONS", -1.0)
    names = [f"layers.{number}.q_proj.weight" for number in range(5)]
    engine = PromptEngine()
    one = session([matrix_row(name) for name in names], engine, dict.fromkeys(names, clean()))
    headless.answer_all([one], engine)
    assert capsys.readouterr().err.splitlines() == [
        "1 of 5 matrices",
        "2 of 5 matrices",
        "3 of 5 matrices, about 0:05 left",
        "4 of 5 matrices, about 0:05 left",
        "5 of 5 matrices",
    ]
