"""From what the person typed to the files it means. Names come from a fixed list, never from a pattern."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import looks_like_safetensors, shown
from intruder_tui.checkpoint.foreign import refuse_directory, refuse_file, training_checkpoints
from intruder_tui.checkpoint.index import INDEX_SUFFIX, read_weight_map, shard_of
from intruder_tui.checkpoint.names import printable

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
"""PEFT's names, in the order they are looked for."""
DIFFUSERS_LORA = "pytorch_lora_weights.safetensors"
MODEL_STEMS = ("model", "diffusion_pytorch_model")
"""Transformers' and diffusers' names, in the order they are looked for."""


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
    """Find the weight files an argument stands for: a file, a model directory or an adapter directory.

    Raises:
        CheckpointError: nothing there, nothing that is read, or a choice the person has to make.
    """
    try:
        path = Path(argument).expanduser().absolute()
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise CheckpointError(_not_found(argument)) from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CheckpointError(f"{printable(argument)}: {reason}") from None
    if stat.S_ISDIR(mode):
        return _directory(argument, path)
    return _file(argument, path)


def _directory(argument: str, directory: Path) -> Located:
    names = _listing(directory)
    if ADAPTER_CONFIG in names and not names.isdisjoint(ADAPTER_WEIGHTS):
        return _adapter(argument, directory, names)
    for stem in MODEL_STEMS:
        single, index = f"{stem}.safetensors", f"{stem}{INDEX_SUFFIX}"
        if single in names:
            notes = list(_children(directory, names))
            if index in names:
                notes.append(f"{index} is also there and was not used: {single} takes precedence")
            label = _label(directory)
            return Located(argument, label, Kind.MODEL, directory, (directory / single,), notes=tuple(notes))
        if index in names:
            return _sharded(argument, directory / index, names)
    if DIFFUSERS_LORA in names:
        return Located(argument, _label(directory), Kind.FILE, directory, (directory / DIFFUSERS_LORA,))
    raise CheckpointError(f"{shown(argument)}: {refuse_directory(directory, names)}")


def _sharded(argument: str, index: Path, names: frozenset[str]) -> Located:
    weight_map = read_weight_map(index)
    shards = sorted(set(weight_map.values()))
    present = [shard for shard in shards if shard in names]
    missing = tuple(shard for shard in shards if shard not in names)
    if not present:
        raise CheckpointError(
            f"{shown(index)}: none of the {len(shards)} shards it lists is there, "
            f"such as {printable(shards[0])}"
        )
    notes = list(_children(index.parent, names))
    if missing:
        notes.append(
            f"{len(missing)} of {len(shards)} shards are missing, such as {printable(missing[0])}; "
            "their tensors can't be compared"
        )
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
        for stem in MODEL_STEMS
        for name in (f"{stem}.safetensors", f"{stem}{INDEX_SUFFIX}")
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
    if path.name.endswith(INDEX_SUFFIX):
        return _sharded(argument, path, siblings)
    # A hub cache's blobs have no suffix: content decides.
    if path.suffix != ".safetensors" and not looks_like_safetensors(path):
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
    if path.stem in MODEL_STEMS or path.name in ADAPTER_WEIGHTS or shard_of(path.name):
        return f"{_label(path.parent)}/{path.name}"
    return path.stem


def _not_found(argument: str) -> str:
    name = printable(argument)
    looks_like_id = argument.startswith("hf://") or (
        argument.count("/") <= 1 and not argument.startswith((".", "/", "~")) and "." not in argument[-12:]
    )
    if looks_like_id:
        return (
            f"{name}: no such file or directory; hub names are not resolved yet: "
            "give the snapshot directory in the hub cache"
        )
    return f"{name}: no such file or directory"


def read_optional(directory: Path, name: str) -> dict[str, object]:
    """A JSON object that may be absent: empty then. Raises CheckpointError when it is there and malformed."""
    if not (directory / name).is_file():
        return {}
    return read_object(directory / name)
