"""`intruder-tui cache info|clear|path`."""

from __future__ import annotations

import typer

from intruder_tui.cli.options import CacheBudget, CacheDir, FactorBudget, cache_of

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
    typer.echo(f"{usage.results} results, {decimal(usage.size)} of {decimal(usage.budget)}")
    typer.echo(
        f"{usage.factors} base factors, {decimal(usage.factors_size)} of {decimal(usage.factors_budget)}"
    )
    typer.echo(f"{usage.studies} studies, {decimal(usage.studies_size)} of {decimal(usage.studies_budget)}")


@app.command()
def clear(cache_dir: CacheDir = None) -> None:
    """Remove every cached result."""
    cache = cache_of(cache_dir)
    typer.echo(f"{cache.root}: removed {cache.clear()} entries")
