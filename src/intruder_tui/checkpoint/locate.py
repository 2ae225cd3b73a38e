"""From what the person typed to the files it means. Names come from a fixed list, never from a pattern."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.foreign import (
    looks_like_weights,
    refuse_directory,
    refuse_file,
    training_checkpoints,
)
from intruder_tui.checkpoint.hub import hub_name, resolve
from intruder_tui.checkpoint.index import INDEX_SUFFIXES, read_weight_map, shard_of
from intruder_tui.checkpoint.layouts import USUAL, weights_of
from intruder_tui.checkpoint.names import printable

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
"""PEFT's names, in the order they are looked for."""
DIFFUSERS_LORA = "pytorch_lora_weights.safetensors"


class Kind(StrEnum):
    """What an argument turned out to be."""

    FILE = "file"
    MODEL = "model directory"
    SHARDED = "sharded model directory"
    ADAPTER = "LoRA adapter"


@dataclass(frozen=True, slots=True)
class Located:
    """The files behind an argument.

    Attributes:
        argument: what was typed.
        label: a short name for people.
        kind: see `Kind`.
        directory: where config.json or adapter_config.json would lie.
        files: the weight files that exist, absolute.
        weight_map: tensor name to shard file name, for SHARDED.
        missing: shard file names the index lists and the directory lacks.
        notes: what the person should know about the choice.
    """

    argument: str
    label: str
    kind: Kind
    directory: Path
    files: tuple[Path, ...]
    weight_map: Mapping[str, str] | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def locate(argument: str) -> Located:
    """Find the weight files an argument stands for: a file, a directory, or a name in the local hub cache.

    A path that exists wins over a hub name. Nothing is fetched.

    Raises:
        CheckpointError: nothing there, nothing that is read, or a choice the person has to make.
    """
    try:
        path = _typed(argument)
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        name = hub_name(argument)
        if name is None or argument.startswith(("/", ".", "~")):
            raise CheckpointError(f"{printable(argument)}: no such file or directory") from None
        snapshot, notes = resolve(name)
        if name.file and not (snapshot / name.file).is_file():
            raise CheckpointError(
                f"{name.repository}: {name.file} is not in the hub cache at {snapshot.name[:8]}"
            ) from None
        found = _file(argument, snapshot / name.file) if name.file else _directory(argument, snapshot)
        return replace(found, notes=(*found.notes, *notes))
    except (OSError, ValueError, RuntimeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CheckpointError(f"{printable(argument)}: {reason}") from None
    if stat.S_ISDIR(mode):
        return _directory(argument, path)
    return _file(argument, path)


def _typed(argument: str) -> Path:
    """The absolute path of an argument, without `..` where that leads to the same place.

    After a link to a directory it leads elsewhere.
    """
    path = Path(argument).expanduser().absolute()
    plain = Path(os.path.normpath(path))
    with contextlib.suppress(OSError):
        if plain.samefile(path):
            return plain
    return path


def _directory(argument: str, directory: Path) -> Located:
    names = _listing(directory)
    if ADAPTER_CONFIG in names and not names.isdisjoint(ADAPTER_WEIGHTS):
        return _adapter(argument, directory, names)
    layout = weights_of(names)
    if layout is not None:
        if layout.sharded:
            found = _sharded(argument, directory / layout.name, names)
            return replace(found, notes=(*found.notes, *layout.notes))
        notes = (*_children(directory, names), *layout.notes)
        files = (directory / layout.name,)
        return Located(argument, _label(directory), Kind.MODEL, directory, files, notes=notes)
    if DIFFUSERS_LORA in names:
        return Located(argument, _label(directory), Kind.FILE, directory, (directory / DIFFUSERS_LORA,))
    raise CheckpointError(f"{shown(argument)}: {refuse_directory(directory, names)}")


def _sharded(argument: str, index: Path, names: frozenset[str]) -> Located:
    weight_map = read_weight_map(index)
    shards = sorted(set(weight_map.values()))
    # A hub cache links to its blobs, and a link may have come before its blob.
    here = {shard for shard in shards if shard in names and not _dangling(index.parent / shard)}
    present = [shard for shard in shards if shard in here]
    missing = tuple(shard for shard in shards if shard not in here)
    if not present:
        raise CheckpointError(
            f"{shown(index)}: none of the {len(shards)} shards it lists is there, "
            f"such as {printable(shards[0])}"
        )
    notes = list(_children(index.parent, names))
    if missing:
        one = len(missing) == 1
        which = (
            f"is missing, {printable(missing[0])}" if one else f"are missing, such as {printable(missing[0])}"
        )
        whose = "its" if one else "their"
        notes.append(f"{len(missing)} of {len(shards)} shards {which}; {whose} tensors can't be compared")
    return Located(
        argument,
        _label(index.parent),
        Kind.SHARDED,
        index.parent,
        tuple(index.parent / shard for shard in present),
        weight_map,
        missing,
        tuple(notes),
    )


def _adapter(argument: str, directory: Path, names: frozenset[str]) -> Located:
    notes = list(_children(directory, names))
    notes += [
        f"{name} is also there and was not read; give the file itself to compare it"
        for name in USUAL
        if name in names
    ]
    weights = next(name for name in ADAPTER_WEIGHTS if name in names)
    return Located(
        argument, _label(directory), Kind.ADAPTER, directory, (directory / weights,), notes=tuple(notes)
    )


def _file(argument: str, path: Path) -> Located:
    siblings = _listing(path.parent)
    of_adapter = path.name in (ADAPTER_CONFIG, *ADAPTER_WEIGHTS)
    if of_adapter and ADAPTER_CONFIG in siblings and not siblings.isdisjoint(ADAPTER_WEIGHTS):
        return _adapter(argument, path.parent, siblings)
    if INDEX_SUFFIXES.search(path.name):
        return _sharded(argument, path, siblings)
    # A hub cache's blobs have no suffix: content decides.
    if path.suffix != ".safetensors" and not looks_like_weights(path):
        raise CheckpointError(f"{shown(argument)}: {refuse_file(path)}")
    shard = shard_of(path.name)
    notes = (f"one shard of {shard}; give the directory to compare the whole model",) if shard else ()
    return Located(argument, _file_label(path), Kind.FILE, path.parent, (path,), notes=notes)


def _listing(directory: Path) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise CheckpointError(f"{shown(directory)}: {(error.strerror or str(error)).lower()}") from None


def _children(directory: Path, names: frozenset[str]) -> tuple[str, ...]:
    steps = training_checkpoints(directory, names)
    if not steps:
        return ()
    return (f"training checkpoints are inside and can be given instead: {listed(steps)}",)


def listed(names: list[str], most: int = 8) -> str:
    """Names for a message, the middle left out when there are many."""
    safe = [printable(name) for name in names]
    if len(safe) > most:
        safe = [*safe[: most - 1], f"… ({len(safe)} in all)", safe[-1]]
    return ", ".join(safe)


def _label(directory: Path) -> str:
    name = directory.name
    parent = directory.parent
    if parent.name == "snapshots" and parent.parent.name.startswith("models--"):
        return "/".join(parent.parent.name.removeprefix("models--").split("--"))
    if name.startswith("checkpoint-") and parent.name:
        return f"{parent.name}/{name}"
    return name or str(directory)


def _file_label(path: Path) -> str:
    if path.name in USUAL or path.name in ADAPTER_WEIGHTS or shard_of(path.name):
        return f"{_label(path.parent)}/{path.name}"
    return path.stem


def located_directory(argument: str) -> Path | None:
    """The directory an argument names, by path or in the hub cache; None when it is something else."""
    try:
        path = _typed(argument)
        if path.exists():
            return path if path.is_dir() else None
        name = hub_name(argument)
        return resolve(name)[0] if name and not name.file else None
    except (OSError, ValueError, RuntimeError, CheckpointError):
        return None


def _dangling(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def read_optional(directory: Path, name: str) -> dict[str, object]:
    """A JSON object that may be absent: empty then. Raises CheckpointError when it is there and malformed."""
    if not (directory / name).is_file():
        return {}
    return read_object(directory / name)
