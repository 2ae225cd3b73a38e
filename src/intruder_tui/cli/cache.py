"""`intruder-tui cache info|clear|path`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from intruder_tui.cli.options import CacheBudget, CacheDir, FactorBudget, cache_of

if TYPE_CHECKING:
    from intruder_tui.cache import Usage

app = typer.Typer(no_args_is_help=True, help="Look at or empty the cache of results.")


@app.command()
def path(cache_dir: CacheDir = None) -> None:
    """Print where the cache is."""
    typer.echo(cache_of(cache_dir).root)


@app.command()
def info(
    cache_dir: CacheDir = None, cache_budget: CacheBudget = None, factor_budget: FactorBudget = None
) -> None:
    """Print how full the cache is."""
    from rich.filesize import decimal

    cache = cache_of(cache_dir, cache_budget, factor_budget)
    usage = cache.usage()
    typer.echo(f"{cache.root}")
    results, hashes, factors, studies = _entries(usage)
    for what, size, budget in (
        (f"{results}, {hashes}", usage.size, usage.budget),
        (factors, usage.factors_size, usage.factors_budget),
        (studies, usage.studies_size, usage.studies_budget),
    ):
        typer.echo(f"{what}, {decimal(size)} of {decimal(budget)}")


@app.command()
def clear(cache_dir: CacheDir = None) -> None:
    """Remove every cached result, and all that was kept beside the results."""
    cache = cache_of(cache_dir)
    usage = cache.usage()
    typer.echo(f"{cache.root}: removed {cache.clear()} entries: {', '.join(_entries(usage))}")


def _entries(usage: Usage) -> tuple[str, str, str, str]:
    """How many there are of each kind."""
    from intruder_tui.views.numbers import plural

    return (
        plural(usage.results, "result"),
        plural(usage.hashes, "content hash", "content hashes"),
        plural(usage.factors, "set of base factors", "sets of base factors"),
        plural(usage.studies, "study", "studies"),
    )
