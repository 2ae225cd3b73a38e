"""`intruder-tui list`: what was found, and why anything was left out. Headers only; no torch."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from intruder_tui.cli.options import Base, OneTuned, pairings_of


def list_(
    base: Base,
    tuned: OneTuned,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", "-a", help="Also list norms, biases and other tensors that are not analysed."),
    ] = False,
) -> None:
    """List the matrices of BASE and TUNED, how they pair up, and why some can't be compared."""
    pairing = pairings_of(base, [tuned])[0]
    if as_json:
        from intruder_tui.export.listing import listing_document

        typer.echo(json.dumps(listing_document(pairing), indent=1))
        return
    from rich.console import Console

    from intruder_tui.views.listing import listing

    console = Console(soft_wrap=False)
    for part in listing(pairing, everything=everything):
        console.print(part)
