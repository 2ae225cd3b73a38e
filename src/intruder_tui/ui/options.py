"""What the command line decides about the interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from intruder_tui.definition import Definition
from intruder_tui.ui.config import Config


@dataclass(frozen=True, slots=True)
class UiOptions:
    """Settings of one run.

    Attributes:
        definition: side, k and eps at the start.
        output: where snapshots go; made when the first one is written.
        colour: "auto", "truecolor", "256", "16" or "none".
        ascii: draw with ASCII characters only.
        mouse: let the app have the mouse; keys do everything either way.
        theme: a Textual theme; None for the one that the configuration names or that was chosen last.
        select: "first" matrix, or the "worst" once a scan (started at once) has found it.
        config: keys, theme and colour map that a person has set.
        choices: the file in which choices are remembered; None to remember nothing.
    """

    definition: Definition = field(default_factory=Definition)
    output: Path = Path("snapshots")
    colour: str = "auto"
    ascii: bool = False
    mouse: bool = True
    theme: str | None = None
    select: str = "first"
    config: Config = field(default_factory=Config)
    choices: Path | None = None
