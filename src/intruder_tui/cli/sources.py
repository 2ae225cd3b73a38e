"""Options on how BASE and TUNED are found and paired, and the pairings they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from intruder_tui.cli.options import fail

if TYPE_CHECKING:
    from intruder_tui.checkpoint.pairs import Pairing

Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="REGEX=REPL",
        help="Where REGEX matches a tuned tensor's name, REPL gives the base's. May be repeated.",
    ),
]
Series = Annotated[
    bool,
    typer.Option("--series", help="Open every checkpoint-N of a training output directory, by step."),
]
Download = Annotated[
    bool,
    typer.Option("--download", help="Fetch hub names that are not in the cache (needs the extra [hub])."),
]

LoraAlpha = Annotated[
    float | None,
    typer.Option("--lora-alpha", help="alpha of LoRA factors that come without a configuration."),
]
ResidualBase = Annotated[
    bool,
    typer.Option(
        "--residual-base",
        help="BASE already lacks what the adapter's initialisation (PiSSA, ...) took from it.",
    ),
]


def pairings_of(
    base: str,
    tuned: list[str],
    *,
    maps: list[str] | None = None,
    series: bool = False,
    download: bool = False,
    lora_alpha: float | None = None,
    residual_base: bool = False,
) -> list[Pairing]:
    """Open BASE beside every TUNED; the first one that can't be used ends the command."""
    from intruder_tui.checkpoint import CheckpointError, expand_series, open_pairing
    from intruder_tui.checkpoint.adapter_config import AdapterOptions, checked_alpha

    try:
        alpha = None if lora_alpha is None else checked_alpha(lora_alpha, "--lora-alpha")
        said = AdapterOptions(alpha, residual_base)
        if download:
            for argument in (base, *tuned):
                _fetch(argument)
        wanted = [one for argument in tuned for one in expand_series(argument)] if series else tuned
        return [open_pairing(base, one, said, maps or ()) for one in wanted]
    except CheckpointError as error:
        fail(str(error))


def _fetch(argument: str) -> None:
    """Download a hub name that neither a path nor the cache answers."""
    from pathlib import Path

    from intruder_tui.checkpoint.errors import CheckpointError
    from intruder_tui.checkpoint.hub import download, hub_name
    from intruder_tui.checkpoint.locate import locate

    name = hub_name(argument)
    if name is None or Path(argument).expanduser().exists():
        return
    try:
        locate(argument)
    except CheckpointError:
        download(name)
