"""Snapshots on disk: pictures and data under one name, written whole or not at all, never over another."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

LONGEST_STEM = 120
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")


def stem(model: str, matrix: str, view: str) -> str:
    """A file name's stem from names that strangers chose: letters, digits, dots, dashes."""
    parts = [re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in (model, matrix, view.lower())]
    text = "_".join(part for part in parts if part) or "snapshot"
    if len(text) <= LONGEST_STEM:
        return text
    tail = f"_{parts[-1]}" if parts[-1] else ""
    return text[: LONGEST_STEM - len(tail)].rstrip("-._") + tail


def offline_svg(svg: str) -> str:
    """The picture without the web fonts it would ask a server for."""
    return _FONT_FACE.sub("", svg)


def write_snapshot(
    directory: Path, name: str, pictures: Mapping[str, str | bytes], document: Mapping[str, Any]
) -> list[Path]:
    """Write `name.EXTENSION` for every picture, and `name.json`; a number is added where the name is taken.

    An extension that begins with an underscore ("_figure.svg") follows the name without a dot.

    Raises:
        OSError: the directory can't be made or written.
    """
    data = json.dumps(document, indent=2, allow_nan=False) + "\n"
    contents: dict[str, str | bytes] = {**pictures, "json": data}
    directory.mkdir(parents=True, exist_ok=True)
    label = _reserve(directory, name, list(contents))
    paths = []
    for extension, content in contents.items():
        path = _path(directory, label, extension)
        _write(path, content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return paths


def _path(directory: Path, label: str, extension: str) -> Path:
    return directory / (f"{label}{extension}" if extension.startswith("_") else f"{label}.{extension}")


def _reserve(directory: Path, name: str, extensions: list[str]) -> str:
    """A stem none of whose files exist; its first file is made, so that nobody else takes it."""
    for number in count(1):
        label = name if number == 1 else f"{name}_{number}"
        if any(_path(directory, label, extension).exists() for extension in extensions):
            continue
        try:
            os.close(
                os.open(_path(directory, label, extensions[0]), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
            )
        except FileExistsError:
            continue
        return label
    raise AssertionError("count() does not end")


def _write(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
