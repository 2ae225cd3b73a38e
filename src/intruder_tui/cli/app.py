"""The typer application and the screen that appears without arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from intruder_tui import __version__
from intruder_tui.cli.guessing import COMMANDS

WELCOME = """\
intruder-tui looks at what fine-tuning did to a model's weight matrices.

  intruder-tui BASE TUNED [TUNED ...]   open a base checkpoint and one or more fine-tuned ones
  intruder-tui demo                     open a small sample pair, offline

BASE is a model's directory, a weight file (.safetensors, .bin, .pt), or a name in the hub cache. TUNED is
another such, or an adapter of BASE: a PEFT directory or a LoRA file.

Without a screen: list (what pairs up), show (one matrix), scan (all of them). In it: ? explains, q quits.
All options: intruder-tui --help, and intruder-tui open --help for the first line above.
"""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"intruder-tui {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Look at what fine-tuning did to a model's weight matrices."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME, nl=False)


def application(first: str = "") -> typer.Typer:
    """The application with its commands; with one of their names only that one.

    Reading what the others take would be an eighth of the time until the interface's first frame.
    """
    app = typer.Typer(
        no_args_is_help=False,
        add_completion=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help; rich is not even imported for it
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Look at what fine-tuning did to a model's weight matrices.",
    )
    app.callback(invoke_without_command=True)(root)
    for name in (first,) if first in COMMANDS else COMMANDS:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    match name:
        case "open":
            from intruder_tui.cli.opening import open_

            app.command(name)(open_)
        case "demo":
            from intruder_tui.cli.demo import demo

            app.command(name)(demo)
        case "list":
            from intruder_tui.cli.listing import list_

            app.command(name)(list_)
        case "show":
            from intruder_tui.cli.show import show

            app.command(name)(show)
        case "scan":
            from intruder_tui.cli.scan import scan

            app.command(name)(scan)
        case _:
            from intruder_tui.cli.cache import app as cache

            app.add_typer(cache, name=name)
