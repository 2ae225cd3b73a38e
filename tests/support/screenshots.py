"""The pictures of the README, drawn by the real app on the demo: `python -m tests.support.screenshots`."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.definition import Definition
from intruder_tui.demo import write_demo
from intruder_tui.engine.inline import InlineEngine
from intruder_tui.engine.protocol import Event
from intruder_tui.engine.session import Session
from intruder_tui.export.snapshot import offline_svg
from intruder_tui.ui import IntruderApp, UiOptions

DIRECTORY = Path(__file__).parents[2] / "screenshots"
WORST = "model.layers.2.self_attn.q_proj.weight"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its file's stem, the terminal's size, the colours, the keys pressed before."""

    name: str
    columns: int
    lines: int
    keys: tuple[str, ...] = ()
    colour: str = "truecolor"
    ascii: bool = False


SHOTS = (
    Shot("heatmap", 120, 34),
    Shot("intruders", 120, 34, ("2",)),
    Shot("spectrum", 120, 34, ("3",)),
    Shot("update", 120, 34, ("4",)),
    Shot("sweep", 120, 34, ("5",)),
    Shot("map", 120, 34, ("6",)),
    Shot("heatmap-80x24-256-colours", 80, 24, colour="256"),
    Shot("heatmap-80x24-ascii", 80, 24, colour="none", ascii=True),
)


async def draw(shot: Shot, sessions: list[Session], engine: InlineEngine) -> str:
    """The SVG of one picture."""
    options = UiOptions(colour=shot.colour, ascii=shot.ascii)
    app = IntruderApp(sessions, engine, options)
    async with app.run_test(size=(shot.columns, shot.lines)) as pilot:
        while not sessions[0].primed:
            await pilot.pause(0.05)
        while app.main.selected != WORST:
            await pilot.press("n")
        for key in shot.keys:
            await pilot.press(key)
        await pilot.pause(1.5)
        return offline_svg(app.export_screenshot(title="intruder-tui demo"))


def main() -> None:
    """Draw every picture into `screenshots/`."""
    with tempfile.TemporaryDirectory() as temporary:
        paths = write_demo(Path(temporary) / "demo")
        cache = Cache(Path(temporary) / "cache")
        engine = InlineEngine(cache)
        pairings = [open_pairing(str(paths.base), str(tuned)) for tuned in (paths.lora, paths.full)]
        events: list[Event] = []
        engine.start(events.append)
        for session in [Session(pairing, engine, cache, Definition()) for pairing in pairings]:
            session.scan()
        DIRECTORY.mkdir(exist_ok=True)
        for shot in SHOTS:
            sessions = [Session(pairing, engine, cache, Definition()) for pairing in pairings]
            svg = asyncio.run(draw(shot, sessions, InlineEngine(cache)))
            (DIRECTORY / f"{shot.name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
