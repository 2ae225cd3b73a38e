"""`intruder-tui demo`: a small sample pair, made on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intruder_tui.cli.opening import Ascii, Colour, ConfigFile, NoMouse, Output, Theme, missing_terminal
from intruder_tui.cli.options import (
    CacheBudget,
    CacheDir,
    Device,
    Eps,
    FactorBudget,
    K,
    LogFile,
    SideOption,
)


def demo(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Only write the files, into this directory.")
    ] = None,
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
    """Open a small base with a LoRA adapter (planted intruders) and a full fine-tune. Works offline.

    Without a terminal it prints the scan's table instead.
    """
    from intruder_tui.cli.opening import prepare_terminal, run_interface
    from intruder_tui.cli.options import cache_of, definition_of, fail, log_of
    from intruder_tui.cli.sources import pairings_of
    from intruder_tui.demo import write_demo
    from intruder_tui.demo.write import VERSION

    definition = definition_of(k, eps, side)
    prepare_terminal(colour)
    cache = cache_of(cache_dir, cache_budget, factor_budget)
    directory = write if write is not None else cache.root / "demo" / f"v{VERSION}"
    if write is None:
        doing = "Opening" if directory.is_dir() else "Making"
        typer.echo(f"{doing} the sample pair in {directory}", err=True)
    try:
        paths = write_demo(directory)
    except OSError as error:
        fail(f"the demo can't be written to {directory}: {error.strerror}")
    if write is not None:
        typer.echo(f"base      {paths.base}\nLoRA      {paths.lora}\nfull      {paths.full}")
        typer.echo(f"\nOpen them with: intruder-tui {paths.base} {paths.lora} {paths.full}")
        return
    pairings = pairings_of(str(paths.base), [str(paths.lora), str(paths.full)])
    if missing_terminal():
        from intruder_tui.cli.scan import run_scan

        raise typer.Exit(run_scan(pairings, definition, cache, device, log=log_of(log)))
    run_interface(
        pairings,
        definition,
        cache,
        device,
        log=log_of(log),
        output=output,
        colour=colour,
        ascii_only=ascii_only,
        mouse=not no_mouse,
        theme=theme,
        config=config,
        select="worst",
    )
