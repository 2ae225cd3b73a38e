"""Recipes: how a matrix is made from tensors that lie in files. Plans only; the worker executes them.

A recipe is frozen, hashable and picklable. Adding a way to make a matrix (a quantised group, a slice of a
fused parameter, another adapter kind) means adding a dataclass here and its execution in `engine.assemble`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What `stat` says of a file: enough to notice that it was replaced or rewritten."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor's bytes are.

    Attributes:
        path: the file, absolute.
        name: the tensor's name inside that file.
        dtype: as safetensors writes it: "BF16", "F32".
        shape: as stored.
        stamp: the file when its header was read.
    """

    path: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    stamp: FileStamp


@dataclass(frozen=True, slots=True)
class Stored:
    """A matrix as it lies in a file; `transposed` when the file holds [in, out]."""

    tensor: StoredTensor
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class LoraUpdate:
    """dW = scaling * B A, with A [r, in] and B [out, r]; dW is [out, in] whatever the host stores."""

    a: StoredTensor
    b: StoredTensor
    scaling: float

    @property
    def rank(self) -> int:
        """The adapter rank r."""
        return self.a.shape[0]


@dataclass(frozen=True, slots=True)
class Adapted:
    """W1 = W0 + dW, never merged in the storage dtype."""

    base: Stored
    update: LoraUpdate


Recipe = Stored | Adapted


def tensors(recipe: Recipe) -> Iterator[StoredTensor]:
    """Every stored tensor a recipe reads, in a fixed order."""
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if isinstance(value, StoredTensor):
            yield value
        elif is_dataclass(value) and not isinstance(value, type):
            yield from tensors(value)  # type: ignore[arg-type]


def describe(recipe: Any, identity: Callable[[StoredTensor], str]) -> dict[str, Any]:
    """A JSON-able description of a recipe in which each tensor is replaced by `identity(tensor)`.

    With an identity made of `stat` it names the files as they are now; with one made of content hashes it
    names the matrix itself, wherever it is stored.
    """
    out: dict[str, Any] = {"kind": type(recipe).__name__}
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        if isinstance(value, StoredTensor):
            out[field.name] = identity(value)
        elif is_dataclass(value):
            out[field.name] = describe(value, identity)
        else:
            out[field.name] = value
    return out
