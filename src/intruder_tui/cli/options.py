"""Arguments and options that several commands share, and what they become."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from intruder_tui.cache import Cache
    from intruder_tui.definition import Definition

BAD_INPUT = 2

Base = Annotated[
    str,
    typer.Argument(
        metavar="BASE", help="The base checkpoint: a file, a directory or a name in the hub cache."
    ),
]
Tuned = Annotated[
    list[str],
    typer.Argument(
        metavar="TUNED...", help="Fine-tuned checkpoints of that base, or LoRA adapter directories."
    ),
]
OneTuned = Annotated[str, typer.Argument(metavar="TUNED", help="A fine-tuned checkpoint or a LoRA adapter.")]
K = Annotated[
    int, typer.Option("--k", "-k", help="How many of the highest-ranking tuned vectors are examined.")
]
Eps = Annotated[float, typer.Option("--eps", "-e", help="An intruder's best cosine is below this.")]
SideOption = Annotated[
    str, typer.Option("--side", metavar="U|V", help="Compare left (U, output) or right (V, input) vectors.")
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda[:N]",
        help="Where to compute; what is in the cache needs no device.",
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir", help="Where results are kept [default: $INTRUDER_TUI_CACHE or the platform's]."
    ),
]
CacheBudget = Annotated[
    float | None,
    typer.Option("--cache-budget", metavar="GB", help="Size at which the oldest results are dropped."),
]
FactorBudget = Annotated[
    float | None,
    typer.Option(
        "--factor-budget", metavar="GB", help="Size up to which bases' singular vectors are kept; 0: none."
    ),
]

LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        help="Append the worker's output, failures and traces to this file [default: a private one].",
    ),
]


def fail(message: str) -> NoReturn:
    """One line on stderr, exit code 2."""
    typer.echo(f"intruder-tui: {message}", err=True)
    raise typer.Exit(BAD_INPUT)


def definition_of(k: int, eps: float, side: str) -> Definition:
    """The definition the options ask for; a usage error otherwise."""
    from intruder_tui.definition import Definition, Side

    if side.upper() not in ("U", "V"):
        fail(f"--side is {side!r}; it is U (left, output) or V (right, input)")
    try:
        return Definition(Side(side.upper()), k, eps)
    except ValueError as error:
        fail(str(error))


def log_of(path: Path | None) -> Path | None:
    """The log that `--log` names, begun; None where none was named."""
    from intruder_tui.engine.log import LogError, open_log

    try:
        return None if path is None else open_log(path)
    except LogError as error:
        fail(f"--log: {error}")


def cache_of(
    directory: Path | None, budget_gb: float | None = None, factors_gb: float | None = None
) -> Cache:
    """The cache the options name."""
    from intruder_tui.cache import DEFAULT_BUDGET, DEFAULT_FACTORS_BUDGET, Cache, default_root

    if budget_gb is not None and not 0 < budget_gb < 1e6:
        fail(f"--cache-budget is {budget_gb} GB; it must be more than 0")
    budget = DEFAULT_BUDGET if budget_gb is None else int(budget_gb * 1e9)
    if factors_gb is not None and not 0 <= factors_gb < 1e6:
        fail(f"--factor-budget is {factors_gb} GB; it must be 0 or more")
    factors = DEFAULT_FACTORS_BUDGET if factors_gb is None else int(factors_gb * 1e9)
    return Cache(directory if directory is not None else default_root(), budget, factors)
