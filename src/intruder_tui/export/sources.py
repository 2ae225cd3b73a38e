"""Where the numbers came from: files with their stamps, and the versions that computed."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from intruder_tui import __version__
from intruder_tui.checkpoint.pairs import Source
from intruder_tui.definition import Definition


def source_document(source: Source) -> dict[str, Any]:
    """One side of a pairing: what was typed, what it is, and its files as they are now."""
    return {
        "path": source.argument,
        "label": source.label,
        "kind": source.kind,
        "files": [_file(Path(path)) for path in source.files],
        "notes": list(source.notes),
    }


def definition_document(definition: Definition) -> dict[str, Any]:
    """The definition in force, complete enough to repeat the count."""
    return {
        "side": str(definition.side),
        "k": definition.k,
        "eps": definition.eps,
        "cosine": "absolute",
        "maximum_over": "all base vectors",
        "rule": "tuned vector j < k is an intruder when best(j) < eps",
        "source": "arXiv 2410.21228",
    }


def versions_document() -> dict[str, str]:
    """Versions of this program and of what it computes with."""
    from importlib.metadata import PackageNotFoundError, version  # loads all of email

    found = {"intruder-tui": __version__, "python": platform.python_version()}
    for package in ("torch", "numpy", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _file(path: Path) -> dict[str, Any]:
    try:
        stat = path.stat()
    except OSError as error:
        return {"path": str(path), "missing": error.strerror}
    return {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
