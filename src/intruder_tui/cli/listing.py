"""`intruder-tui list`: what was found, and why anything was left out. Headers only; no torch."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from intruder_tui.cli.options import Base
from intruder_tui.cli.sources import Download, LoraAlpha, Map, ResidualBase, Series, pairings_of

if TYPE_CHECKING:
    from intruder_tui.checkpoint.pairs import Pairing

_LINES_AT_ONCE = 200


def list_(
    base: Base,
    tuned: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TUNED...]", help="Fine-tuned checkpoints or adapters; without one BASE is listed alone."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON instead of a table: an array with an object for each TUNED."),
    ] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", "-a", help="Also list norms, biases and other tensors that are not analysed."),
    ] = False,
    maps: Map = None,
    series: Series = False,
    download: Download = False,
    lora_alpha: LoraAlpha = None,
    residual_base: ResidualBase = False,
) -> None:
    """List what BASE and TUNED are, their matrices, how they pair up, and why some can't be compared."""
    pairings = pairings_of(
        base,
        tuned or [base],
        maps=maps,
        series=series,
        download=download,
        lora_alpha=lora_alpha,
        residual_base=residual_base,
    )
    if not tuned:
        pairings = [_alone(pairing) for pairing in pairings]
    if as_json:
        from intruder_tui.export.listing import listing_document

        typer.echo(json.dumps([listing_document(pairing) for pairing in pairings], indent=1))
        return
    from rich.console import Console
    from rich.text import Text

    from intruder_tui.views.listing import listing

    console = Console()
    width = console.width if console.is_terminal else None
    for pairing in pairings:
        lines = listing(pairing, everything=everything, width=width)
        while some := list(islice(lines, _LINES_AT_ONCE)):
            if console.is_terminal:
                console.print(Text("\n").join(some), no_wrap=True, overflow="ignore", crop=False)
            else:
                typer.echo("\n".join(line.plain for line in some))


def _alone(pairing: Pairing) -> Pairing:
    """A checkpoint beside itself, because nothing was given to compare it with."""
    from dataclasses import replace

    from intruder_tui.checkpoint.pairing import SAME_FILES

    return replace(pairing, notes=tuple(note for note in pairing.notes if note != SAME_FILES))
