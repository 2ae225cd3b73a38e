"""Saving what is in front: gathered at once, drawn and written on a thread, told when it is done.

Imported when something is saved: the first frame does not wait for the writers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual.app import App

from intruder_tui.export.snapshot import write_snapshot
from intruder_tui.ui.forms import FIGURE
from intruder_tui.ui.marks import marked
from intruder_tui.ui.screens.main import MainScreen
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.snapshot import contents, document, label, screen_picture


def save(app: App[None], main: MainScreen, directory: Path, *, whole: bool) -> None:
    """Save the view in front, or the whole screen, with the data behind it.

    What is shown is gathered now; drawing and writing it must not hold up the keys. Nothing is saved where a
    pairing has no rows.
    """
    shown = main.shown()
    if shown is None:
        return
    # Textual has no public way to the lines of a screen.
    strips = main._compositor.render_strips() if whole else []
    screen = screen_picture(strips) if whole else None
    name = label(shown) + ("_screen" if whole else "")
    data = document(shown) | {"marked": marked(main.session, main.marks)}
    work = partial(_write, app, directory, shown, screen, main.size.width, name, data)
    app.run_worker(work, thread=True, exit_on_error=False)


def _write(
    app: App[None],
    directory: Path,
    shown: Shown,
    screen: RenderableType | None,
    width: int,
    name: str,
    data: dict[str, Any],
) -> None:
    """Write the files; on a thread of its own."""
    try:
        paths = write_snapshot(directory, name, contents(shown, screen, width, data), data)
    except OSError as error:
        reason = f"{directory}: {error.strerror or error}"
        app.notify(reason, title="Not saved", severity="error", markup=False)
        return
    stem = paths[0].name.removesuffix(".svg")
    others = ", ".join(path.name.removeprefix(stem).lstrip(".") for path in paths[1:])
    words = f"{paths[0]}\nand beside it {others}"
    if screen is None and not any(path.name.endswith(FIGURE) for path in paths):
        words += f"\nNo figure: {shown.view.value} has nothing yet that one could show."
    app.notify(words, title="Saved", markup=False, timeout=6)
