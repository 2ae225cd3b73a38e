"""`intruder-tui cache info|clear|path`."""

from __future__ import annotations

import typer

from intruder_tui.cli.options import CacheBudget, CacheDir, cache_of

app = typer.Typer(no_args_is_help=True, help="Look at or empty the cache of results.")


@app.command()
def path(cache_dir: CacheDir = None) -> None:
    """Print where the cache is."""
    typer.echo(cache_of(cache_dir).root)


@app.command()
def info(cache_dir: CacheDir = None, cache_budget: CacheBudget = None) -> None:
    """Print how full the cache is."""
    from rich.filesize import decimal

    cache = cache_of(cache_dir, cache_budget)
    usage = cache.usage()
    typer.echo(f"{cache.root}: {usage.results} results, {decimal(usage.size)} of {decimal(usage.budget)}")


@app.command()
def clear(cache_dir: CacheDir = None) -> None:
    """Remove every cached result."""
    cache = cache_of(cache_dir)
    typer.echo(f"{cache.root}: removed {cache.clear()} entries")
