"""What the command line decides about the interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from intruder_tui.definition import Definition


@dataclass(frozen=True, slots=True)
class UiOptions:
    """Settings of one run.

    Attributes:
        definition: side, k and eps at the start.
        output: where snapshots go; made when the first one is written.
        colour: "auto", "truecolor", "256", "16" or "none".
        ascii: draw with ASCII characters only.
        mouse: let the app have the mouse; keys do everything either way.
        theme: a Textual theme; None for the app's own.
        select: "first" matrix, or the "worst" once a scan (started at once) has found it.
    """

    definition: Definition = field(default_factory=Definition)
    output: Path = Path("snapshots")
    colour: str = "auto"
    ascii: bool = False
    mouse: bool = True
    theme: str | None = None
    select: str = "first"
