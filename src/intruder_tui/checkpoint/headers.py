"""What any weight file says of itself, whatever its format; and which format that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from intruder_tui.checkpoint.stored import StoredTensor


@dataclass(frozen=True, slots=True)
class Header:
    """One file's tensors.

    Attributes:
        path: the file.
        tensors: by name.
        metadata: free text by key (safetensors).
        aliases: further names of tensors, each with the name that is in `tensors`.
        notes: remarks.
    """

    path: Path
    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor's bytes lie in its file: from `begin` to `end`, row-major unless `strides` are given."""

    begin: int
    end: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
