"""The app over sessions whose answers are known, driven by a pilot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.engines import SilentEngine
from tests.support.llama import llama_session
from textual.pilot import Pilot

from intruder_tui.engine.session import Session
from intruder_tui.ui import IntruderApp, UiOptions
from intruder_tui.ui.screens.main import MainScreen
from intruder_tui.ui.widgets.heatmap import HeatmapMap
from intruder_tui.ui.widgets.line import Line
from intruder_tui.ui.widgets.table import IntruderTable
from intruder_tui.ui.widgets.tree import LayerTree

TRUECOLOR = UiOptions(colour="truecolor")


@dataclass
class Opened:
    """An app that runs, and what lies under it."""

    app: IntruderApp
    pilot: Pilot[Any]
    engine: SilentEngine
    sessions: list[Session]

    @property
    def main(self) -> MainScreen:
        return self.app.main

    @property
    def session(self) -> Session:
        return self.main.session

    @property
    def tree(self) -> LayerTree:
        return self.main.query_one(LayerTree)

    @property
    def map(self) -> HeatmapMap:
        return self.main.query_one(HeatmapMap)

    @property
    def table(self) -> IntruderTable:
        return self.main.query_one(IntruderTable)

    @property
    def submitted(self) -> list[str]:
        return [name for name, _ in self.engine.submitted]

    @property
    def notices(self) -> str:
        """What was said in passing."""
        return "\n".join(f"{one.title}: {one.message}" for one in self.app._notifications)

    def line(self, selector: str) -> str:
        """What a line says, in full."""
        return self.main.query_one(selector, Line).text

    async def press(self, *keys: str) -> None:
        """Press keys and let everything that follows happen."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def settle(self, seconds: float = 0.15) -> None:
        """Wait for what is only repainted now and then."""
        await self.pilot.pause(seconds)
        await self.pilot.pause()

    async def saved(self) -> None:
        """Wait for what is being written."""
        await self.settle()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    def text(self) -> str:
        """The screen as text, a line a row."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@asynccontextmanager
async def opened(
    *sessions: Session,
    engine: SilentEngine | None = None,
    options: UiOptions = TRUECOLOR,
    size: tuple[int, int] = (120, 34),
) -> AsyncIterator[Opened]:
    """Run the app headless; without sessions over a Llama-like pair whose answers are all in the cache."""
    engine = engine or SilentEngine()
    given = list(sessions) or [llama_session(engine, ready=True)]
    app = IntruderApp(given, engine, options)
    async with app.run_test(size=size, notifications=True) as pilot:
        one = Opened(app, pilot, engine, given)
        await one.settle()
        yield one
