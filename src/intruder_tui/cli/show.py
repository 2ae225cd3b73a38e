"""`intruder-tui show`: one matrix, to a terminal of any width, a pipe, or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from intruder_tui.cli.options import (
    Base,
    CacheBudget,
    CacheDir,
    Device,
    Eps,
    FactorBudget,
    K,
    LogFile,
    OneTuned,
    SideOption,
    cache_of,
    definition_of,
    fail,
    log_of,
)
from intruder_tui.cli.sources import Download, LoraAlpha, Map, ResidualBase, pairings_of

if TYPE_CHECKING:
    from intruder_tui.checkpoint.pairs import Pairing, Row
    from intruder_tui.definition import Definition
    from intruder_tui.engine.session import Session

SOME_FAILED = 1
_MOST_CANDIDATES = 4


def show(
    base: Base,
    tuned: OneTuned,
    matrix: Annotated[
        str, typer.Argument(metavar="MATRIX", help="A matrix's name, or an unambiguous part of it.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the data instead of pictures.")] = False,
    maps: Map = None,
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
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
) -> None:
    """Show one matrix: what was found, its similarity heatmap, its intruders, its update."""
    definition = definition_of(k, eps, side)
    log_file = log_of(log)
    pairing = pairings_of(
        base, [tuned], maps=maps, download=download, lora_alpha=lora_alpha, residual_base=residual_base
    )[0]
    name = find_matrix(pairing, matrix)
    from intruder_tui.checkpoint.names import printable
    from intruder_tui.cli.headless import INTERRUPTED, answer, engine_for
    from intruder_tui.engine.jobs import Depth
    from intruder_tui.engine.session import Session
    from intruder_tui.findings.ledger import State

    cache = cache_of(cache_dir, cache_budget, factor_budget)
    with engine_for(cache, device, log_file) as engine:
        session = Session(pairing, engine, cache, definition, Depth.EXACT)
        try:
            answer(session, engine, name)
        except KeyboardInterrupt:
            typer.echo(f"interrupted: {printable(name)} has no answer yet", err=True)
            raise typer.Exit(INTERRUPTED) from None
        result = session.result(name)
    if session.broken:
        fail(session.broken)
    if session.state(name) is State.FAILED or (result is None and session.state(name) is not State.UNCHANGED):
        typer.echo(f"intruder-tui: {printable(name)}: {session.reason(name)}", err=True)
        raise typer.Exit(SOME_FAILED)
    if as_json:
        from intruder_tui.export.matrix import matrix_document

        typer.echo(json.dumps(matrix_document(session, name, result, definition), indent=1, allow_nan=False))
        return
    _print(session, name, definition, ascii_only=ascii_only)


def _print(session: Session, name: str, definition: Definition, *, ascii_only: bool) -> None:
    from rich.console import Console

    from intruder_tui.checkpoint.names import printable
    from intruder_tui.views.glyphs import glyphs
    from intruder_tui.views.palette import ColourMode, resolve
    from intruder_tui.views.report import matrix_report

    console = Console()
    result = session.result(name)
    if result is None:
        console.print(f"{printable(name)}: unchanged, the adapter leaves it alone", markup=False)
        return
    report = matrix_report(
        name,
        result,
        definition,
        built_on_base=(pair := session.row(name).pair) is not None and pair.built_on_base,
        width=console.width,
        glyphs=glyphs(ascii_only=ascii_only),
        colours=resolve(ColourMode.AUTO, console.color_system, no_color=console.no_color),
    )
    console.print(report)


def find_matrix(pairing: Pairing, wanted: str) -> str:
    """The row a person means: the exact name, else the only row whose name contains it.

    Whole parts of a name go before other matches ("layers.1" is not layers.11), and what a listing shows,
    refused rows among it, before norms and biases.
    """
    from intruder_tui.checkpoint.names import printable

    rows = pairing.rows
    whole = [row for row in rows if f".{wanted.strip('.')}." in f".{row.name}."]
    matches = whole or [row for row in rows if wanted in row.name]
    found = (
        [row for row in rows if row.name == wanted]
        or [row for row in matches if row.pair is not None or len(row.shape) != 1]
        or matches
    )
    if not wanted or not found:
        fail(f"no matrix is called {wanted!r}; `intruder-tui list` prints the names")
    if len(found) > 1:
        names = ", ".join(printable(row.name) + _kind(row) for row in found[:_MOST_CANDIDATES])
        more = ", …" if len(found) > _MOST_CANDIDATES else ""
        fail(f"{wanted!r} fits {len(found)} matrices; name one of them: {names}{more}")
    if found[0].pair is None:
        fail(f"{printable(found[0].name)}: {found[0].kind}: {found[0].reason}")
    return found[0].name


def _kind(row: Row) -> str:
    """What else than a matrix to analyse a candidate is."""
    return "" if row.pair is not None else f" ({row.kind})"
