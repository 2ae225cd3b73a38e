"""The typer application and the screen that appears without arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from intruder_tui import __version__
from intruder_tui.cli import cache, demo, listing, opening, scan, show

app = typer.Typer(
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help; rich is not even imported for it
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Look at what fine-tuning did to a model's weight matrices.",
)
app.command("open")(opening.open_)
app.command("demo")(demo.demo)
app.command("list")(listing.list_)
app.command("show")(show.show)
app.command("scan")(scan.scan)
app.add_typer(cache.app, name="cache")

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


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Look at what fine-tuning did to a model's weight matrices."""
    if context.invoked_subcommand is None:
        typer.echo(WELCOME, nl=False)
