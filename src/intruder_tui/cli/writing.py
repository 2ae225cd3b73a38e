"""Where `--json` and `--csv` go: stdout, a file that is complete or not there, or a pipe."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import typer

from intruder_tui.cli.options import fail

STDOUT = "-"


def check_target(target: str | None) -> None:
    """Refuse a target that can't be written, before anything is computed for it."""
    if target is None or target == STDOUT:
        return
    path = Path(target)
    if path.is_dir():
        fail(f"{target} can't be written: it is a directory")
    if not path.exists() and not os.access(path.resolve().parent, os.W_OK):
        fail(f"{target} can't be written: {path.resolve().parent} is not a directory one can write to")


def write_target(target: str, text: str) -> None:
    """Write all of it, or leave what was there; pipes and devices are written to, links are followed."""
    if target == STDOUT:
        typer.echo(text, nl=False)
        return
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path, text)
    except OSError as error:
        fail(f"{target} can't be written: {error.strerror}")


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
