"""An app that is told to end while it is still being put together."""

from __future__ import annotations

import pytest
from tests.support.apps import TRUECOLOR
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session
from textual.app import ComposeResult
from textual.widget import Widget

from intruder_tui.ui.app import IntruderApp
from intruder_tui.ui.screens.main import MainScreen
from intruder_tui.ui.widgets.pane import MatrixPane
from intruder_tui.ui.widgets.side import SidePane


@pytest.mark.parametrize("interrupted", [MainScreen, SidePane, MatrixPane])
async def test_an_end_while_widgets_are_mounted_is_no_error(
    interrupted: type[Widget], monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = interrupted.compose

    def compose_and_end(self: Widget) -> ComposeResult:
        yield from compose(self)
        self.app.exit(return_code=3)

    monkeypatch.setattr(interrupted, "compose", compose_and_end)
    engine = SilentEngine()
    app = IntruderApp([llama_session(engine)], engine, TRUECOLOR)
    async with app.run_test():
        pass
    assert app.return_code == 3
