"""`intruder-tui BASE TUNED`: the interface."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from intruder_tui.cli.guessing import fail_alone
from intruder_tui.cli.options import (
    Base,
    CacheBudget,
    CacheDir,
    Device,
    Eps,
    FactorBudget,
    K,
    LogFile,
    SideOption,
    cache_of,
    definition_of,
    fail,
    log_of,
)
from intruder_tui.cli.sources import Download, LoraAlpha, Map, ResidualBase, Series, pairings_of

if TYPE_CHECKING:
    from intruder_tui.cache import Cache
    from intruder_tui.checkpoint.pairs import Pairing
    from intruder_tui.definition import Definition

BEHIND_THE_KEYS = 5
"""Niceness of the worker: on a machine of few cores a key would wait for a factorisation."""
COLOURS = ("auto", "truecolor", "256", "16", "none")

Colour = Annotated[
    str, typer.Option("--color", metavar="|".join(COLOURS), help="How many colours the terminal can show.")
]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")]
NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where snapshots are written.")]
Theme = Annotated[
    str | None, typer.Option("--theme", help="A Textual theme; ansi-dark takes the terminal's own.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Keys and theme [default: $INTRUDER_TUI_CONFIG or config.toml in the platform's place].",
    ),
]


def open_(
    base: Base,
    tuned: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TUNED...", help="Fine-tuned checkpoints of that base, or LoRA adapter directories."
        ),
    ] = None,
    maps: Map = None,
    series: Series = False,
    download: Download = False,
    lora_alpha: LoraAlpha = None,
    residual_base: ResidualBase = False,
    k: K = 10,
    eps: Eps = 0.5,
    side: SideOption = "U",
    device: Device = "auto",
    cache_dir: CacheDir = None,
    cache_budget: CacheBudget = None,
    factor_budget: FactorBudget = None,
    log: LogFile = None,
    output: Output = Path("snapshots"),
    colour: Colour = "auto",
    ascii_only: Ascii = False,
    no_mouse: NoMouse = False,
    theme: Theme = None,
    config: ConfigFile = None,
) -> None:
    """Open BASE and one or more TUNED checkpoints in the terminal."""
    definition = definition_of(k, eps, side)
    prepare_terminal(colour)
    if not tuned:
        fail_alone(base)
    pairings = pairings_of(
        base,
        tuned,
        maps=maps,
        series=series,
        download=download,
        lora_alpha=lora_alpha,
        residual_base=residual_base,
    )
    if missing := missing_terminal():
        fail(f"the interface needs a terminal: {missing}; list, show and scan work without one")
    run_interface(
        pairings,
        definition,
        cache_of(cache_dir, cache_budget, factor_budget),
        device,
        log=log_of(log),
        output=output,
        colour=colour,
        ascii_only=ascii_only,
        mouse=not no_mouse,
        theme=theme,
        config=config,
    )


def missing_terminal() -> str:
    """Why no interface can be drawn; empty where a person sits at both ends. It is drawn on stderr."""
    for name, stream in (("stdin", sys.stdin), ("stderr", sys.stderr)):
        if not stream.isatty():
            return f"{name} is none"
    return "TERM is dumb" if os.environ.get("TERM", "") == "dumb" else ""


def prepare_terminal(colour: str) -> None:
    """Settings that Textual reads once, when it is imported."""
    if colour not in COLOURS:
        fail(f"--color is {colour!r}; it is one of {', '.join(COLOURS)}")
    if colour == "none":
        os.environ["NO_COLOR"] = "1"
    elif colour != "auto":
        names = {"truecolor": "truecolor", "256": "256", "16": "standard"}
        os.environ["TEXTUAL_COLOR_SYSTEM"] = names[colour]
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    if "SSH_CONNECTION" in os.environ:
        os.environ.setdefault("TEXTUAL_FPS", "30")


def run_interface(
    pairings: list[Pairing],
    definition: Definition,
    cache: Cache,
    device: str,
    *,
    log: Path | None = None,
    output: Path = Path("snapshots"),
    colour: str = "auto",
    ascii_only: bool = False,
    mouse: bool = True,
    theme: str | None = None,
    config: Path | None = None,
    select: str = "first",
) -> None:
    """Start the worker, then the app over it: torch loads behind the first paint."""
    # Nothing is garbage while modules load; the app collects again once its first frame is out.
    gc.disable()
    from intruder_tui.cli.headless import engine_for
    from intruder_tui.engine.session import Session

    with engine_for(cache, device, log, niceness=BEHIND_THE_KEYS) as engine:
        from intruder_tui.ui import UiOptions, run
        from intruder_tui.ui.config import read_config, state_path

        sessions = [Session(pairing, engine, cache, definition) for pairing in pairings]
        options = UiOptions(
            definition=definition,
            output=output,
            colour=colour,
            ascii=ascii_only,
            mouse=mouse,
            theme=theme,
            select=select,
            config=read_config(config),
            choices=state_path(),
        )
        code = run(sessions, engine, options)
    raise typer.Exit(code)
