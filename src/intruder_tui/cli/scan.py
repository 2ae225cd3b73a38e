"""`intruder-tui scan`: every matrix, headless, resumable."""

from __future__ import annotations

import json
from pathlib import Path
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
    SideOption,
    Tuned,
    cache_of,
    definition_of,
    fail,
    log_of,
)
from intruder_tui.cli.sources import Download, LoraAlpha, Map, ResidualBase, Series, pairings_of
from intruder_tui.cli.writing import check_target, write_target

if TYPE_CHECKING:
    from intruder_tui.cache import Cache
    from intruder_tui.checkpoint.pairs import Pairing
    from intruder_tui.definition import Definition
    from intruder_tui.engine.session import Session

INCOMPLETE = 1
"""Some matrix that should have an answer has none."""
_NO_END = 10_000
"""Columns of a file or a pipe: a matrix is a line there."""


def scan(
    base: Base,
    tuned: Tuned,
    json_to: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the results as JSON; - is stdout.")
    ] = None,
    csv_to: Annotated[
        str | None, typer.Option("--csv", metavar="FILE|-", help="Write a line a matrix as CSV; - is stdout.")
    ] = None,
    k: K = 10,
    eps: Eps = 0.5,
    side: SideOption = "U",
    maps: Map = None,
    series: Series = False,
    download: Download = False,
    lora_alpha: LoraAlpha = None,
    residual_base: ResidualBase = False,
    exact: Annotated[
        bool, typer.Option("--exact", help="Values for every vector, not only certified verdicts.")
    ] = False,
    device: Device = "auto",
    cache_dir: CacheDir = None,
    cache_budget: CacheBudget = None,
    factor_budget: FactorBudget = None,
    log: LogFile = None,
) -> None:
    """Analyse every matrix. Ctrl-C keeps what is done; the same command goes on from there.

    Exit code 0: done; 1: some matrices failed or were refused, or nothing could be paired; 2: bad usage or
    unreadable input.
    """
    definition = definition_of(k, eps, side)
    if json_to == "-" and csv_to == "-":
        fail("--json - and --csv - both want stdout; give one of them a file")
    for target in (json_to, csv_to):
        check_target(target)
    log_file = log_of(log)
    pairings = pairings_of(
        base,
        tuned,
        maps=maps,
        series=series,
        download=download,
        lora_alpha=lora_alpha,
        residual_base=residual_base,
    )
    cache = cache_of(cache_dir, cache_budget, factor_budget)
    code = run_scan(
        pairings, definition, cache, device, exact=exact, json_to=json_to, csv_to=csv_to, log=log_file
    )
    raise typer.Exit(code)


def run_scan(
    pairings: list[Pairing],
    definition: Definition,
    cache: Cache,
    device: str,
    *,
    exact: bool = False,
    json_to: str | None = None,
    csv_to: str | None = None,
    log: Path | None = None,
) -> int:
    """Scan, then write what was asked for; the exit code."""
    from intruder_tui.checkpoint.names import printable
    from intruder_tui.checkpoint.pairs import RowKind
    from intruder_tui.cli.headless import INTERRUPTED, answer_all, engine_for
    from intruder_tui.engine.jobs import Depth
    from intruder_tui.engine.session import Session
    from intruder_tui.export.scan import scan_csv, scan_document

    for note in _remarks(pairings):
        typer.echo(f"note  {note}", err=True)
    with engine_for(cache, device, log) as engine:
        depth = Depth.EXACT if exact else Depth.VERDICT
        sessions = [Session(pairing, engine, cache, definition, depth) for pairing in pairings]
        try:
            answer_all(sessions, engine)
        except KeyboardInterrupt:
            typer.echo(_interrupted(sessions, definition), err=True)
            return INTERRUPTED
    if broken := next((session.broken for session in sessions if session.broken), ""):
        fail(broken)
    document = scan_document([(session, session.result) for session in sessions], definition)
    if json_to is not None:
        write_target(json_to, json.dumps(document, indent=1, allow_nan=False) + "\n")
    if csv_to is not None:
        write_target(csv_to, scan_csv(document))
    if "-" not in (json_to, csv_to):
        from rich.console import Console

        from intruder_tui.findings.scan import scanned
        from intruder_tui.views.scan import scan_report

        console = Console()
        if not console.is_terminal:
            console = Console(width=_NO_END)
        for session in sessions:
            console.print(scan_report(scanned(session, definition, session.result), definition))
    rows = [(session, row) for session in sessions for row in session.pairing.rows]
    failed = any(row.kind is RowKind.REFUSED or session.failed(row.name) for session, row in rows)
    nothing = [session.pairing for session in sessions if not session.default_names]
    for pairing in nothing:
        where = f"{printable(pairing.base.argument)} and {printable(pairing.tuned.argument)}"
        why = "; ".join(pairing.notes) or "neither has a weight matrix"
        typer.echo(f"intruder-tui: nothing to analyse between {where}: {why}", err=True)
    return INCOMPLETE if failed or nothing else 0


def _interrupted(sessions: list[Session], definition: Definition) -> str:
    """How far a scan came; what an adapter leaves alone is never computed, and no part of either number."""
    totals = [session.totals(definition) for session in sessions]
    untouched = sum(pair.untouched for session in sessions for pair in session.pairing.pairs)
    done = sum(one.answered for one in totals) - untouched
    matrices = sum(one.matrices for one in totals) - untouched
    return f"interrupted: {done} of {matrices} matrices are in the cache; run it again to go on"


def _remarks(pairings: list[Pairing]) -> list[str]:
    """What is known before anything is computed, and may make it worthless: each once, as `list` says it."""
    from intruder_tui.checkpoint.names import printable
    from intruder_tui.export.remarks import pairing_remarks

    remarks = [
        printable(pairing.base.argument) + f": {note}" for pairing in pairings for note in pairing.base.notes
    ]
    for pairing in pairings:
        own = pairing_remarks(pairing) if pairing.pairs else []
        remarks += [printable(pairing.tuned.argument) + f": {note}" for note in (*pairing.tuned.notes, *own)]
    return list(dict.fromkeys(remarks))
