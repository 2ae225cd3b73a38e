"""What a person sees of an error that should not have happened: one line; the trace is in a log."""

from __future__ import annotations

import typer

INTERNAL_ERROR = 70
"""EX_SOFTWARE of sysexits.h."""


def tell(error: Exception) -> int:
    """One line on stderr that names the log with the trace; the exit code."""
    where = getattr(error, "__notes__", None)
    if where is None:
        where = [f"the trace is in {_kept(error)}"]
    lines = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
    typer.echo(f"intruder-tui: internal error: {words}; {'; '.join(where)}", err=True)
    return INTERNAL_ERROR


def _kept(error: Exception) -> str:
    """A log of its own for an error outside any command's; "no log" where none can be written."""
    from intruder_tui.cache import default_root
    from intruder_tui.engine.log import note_trace, private_log

    try:
        log = private_log(default_root() / "logs")
    except OSError as refusal:
        return f"no log, which can't be written: {refusal.strerror}"
    note_trace(log, "the command failed", error)
    return str(log)
