"""Theme and colour map: the ones that a run begins with, and remembering another that a person takes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from textual.app import App

from intruder_tui.checkpoint.names import printable
from intruder_tui.ui import theme
from intruder_tui.ui.config import chosen, keep
from intruder_tui.ui.options import UiOptions
from intruder_tui.views.palette import COLOURMAP, COLOURMAPS


def first_theme(options: UiOptions, available: Collection[str], troubles: list[str]) -> str:
    """The theme that was asked for, else the configured one, else the last one chosen, else our own.

    What names no `available` one is told in `troubles`.
    """
    for name, source in ((options.theme, "--theme"), (options.config.theme, "[ui] theme")):
        if name is not None and name in available:
            return name
        if name is not None:
            known = ", ".join(sorted(available))
            troubles.append(f"{source}: no theme {printable(name)}; there are {known}")
    last = chosen(options.choices).get("theme")
    return last if last is not None and last in available else theme.NAME


def first_colourmap(options: UiOptions, troubles: list[str]) -> str:
    """The configured colour map, else the last one chosen, else our own; an unknown one is a trouble."""
    configured = options.config.colourmap
    if configured is not None and configured in COLOURMAPS:
        return configured
    if configured is not None:
        known = ", ".join(COLOURMAPS)
        troubles.append(f"[ui] colourmap: no map {printable(configured)}; there are {known}")
    last = chosen(options.choices).get("colourmap")
    return last if last in COLOURMAPS else COLOURMAP


def remember(app: App[None], options: UiOptions, choice: Literal["theme", "colourmap"], name: str) -> None:
    """Begin the next run with `name`, or say what the configuration begins it with, or why it can't be."""
    configured = options.config.theme if choice == "theme" else options.config.colourmap
    if configured is not None:
        words = f"{options.config.path} names {configured}, which comes back at the next start."
        app.notify(words, markup=False)
    elif options.choices is not None:
        try:
            keep(options.choices, choice, name)
        except OSError as error:
            reason = f"{options.choices}: {error.strerror}"
            app.notify(reason, title="Not remembered", severity="warning", markup=False)
