"""From recipes to tensors: reads the bytes, in the worker. The only place where weights enter memory."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from io import FileIO
from pathlib import Path

import torch

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import opened, shown, stamp_of
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dora,
    FileStamp,
    Recipe,
    Reinitialised,
    ReplacedRows,
    Stored,
    StoredTensor,
)
from intruder_tui.checkpoint.safetensors_file import byte_ranges
from intruder_tui.engine.adapters import AdapterRecipe, Against, LoraFactors, execute

BLOCK_BYTES = 16 * 2**20
"""What is read at once: between two blocks a reader can be stopped, and progress is told."""

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of the whole tensor."""
Hashes = dict[StoredTensor, str]
"""Per stored tensor: sha256, in hexadecimal, of its dtype, shape and bytes."""


class ReadError(Exception):
    """A tensor can't be read, or its file is no longer the one that was opened; one line."""


def assemble(
    recipe: Recipe,
    device: torch.device,
    on_progress: Progress | None = None,
    against: Against | None = None,
) -> tuple[torch.Tensor | LoraFactors, Hashes]:
    """Execute a recipe.

    `Stored` gives W [out, in] in its stored dtype, contiguous, on the device. An adapter's recipe gives the
    factors of W1 - W0 where these are all there is, and W1 in float32 or wider elsewhere; W0 is the pair's
    base in `against`, the recipe's own base without it. A base that is in memory already is not read again.

    Raises:
        ReadError: see `read_tensor`; or what an adapter did to this weight can't be known.
    """
    match recipe:
        case Stored():
            weight, content = read_tensor(recipe.tensor, on_progress)
            return _oriented(weight, recipe.transposed, device), {recipe.tensor: content}
        case Adapted() | Dora() | Reinitialised() | ReplacedRows():
            return _adapted(recipe, device, on_progress, against)


def _adapted(
    recipe: AdapterRecipe, device: torch.device, on_progress: Progress | None, against: Against | None
) -> tuple[torch.Tensor | LoraFactors, Hashes]:
    hashes: Hashes = {}

    def read(stored: StoredTensor) -> torch.Tensor:
        tensor, hashes[stored] = read_tensor(stored, on_progress)
        return tensor

    def base() -> torch.Tensor:
        if against is not None and against.recipe == recipe.base:
            return against.weight
        weight, contents = assemble(recipe.base, device, on_progress)
        assert isinstance(weight, torch.Tensor)
        hashes.update(contents)
        return weight

    try:
        return execute(recipe, read, base, device, against), hashes
    except CheckpointError as error:
        raise ReadError(str(error)) from error


def read_tensor(stored: StoredTensor, on_progress: Progress | None = None) -> tuple[torch.Tensor, str]:
    """A stored tensor on the CPU in its own dtype and shape, and the sha256 of its dtype, shape and bytes.

    Raises:
        ReadError: not a floating-point dtype, unreadable, or the file changed since its header was read.
    """
    if stored.dtype not in _DTYPES or sys.byteorder != "little":
        raise ReadError(f"{_called(stored)}: {stored.dtype} is not a plain floating-point dtype here")
    try:
        with opened(Path(stored.path)) as (descriptor, stamp):
            _check_stamp(stored, stamp)
            tensor, content = _read_blocks(stored, descriptor, _first_byte(stored), on_progress)
        # Of the path: the descriptor would go on giving a file that has been replaced.
        _check_stamp(stored, stamp_of(Path(stored.path).stat()))
    except CheckpointError as error:
        raise ReadError(f"{printable(stored.name)}: {error}") from error
    except OSError as error:
        raise ReadError(f"{_called(stored)}: {(error.strerror or str(error)).lower()}") from error
    return tensor, content


def _first_byte(stored: StoredTensor) -> int:
    begin, end = _ranges(stored.path, stored.stamp).get(stored.name, (0, -1))
    size = math.prod(stored.shape) * _DTYPES[stored.dtype].itemsize
    if end - begin != size or end > stored.stamp.size:
        raise ReadError(f"{_called(stored)}: its bytes are not where its header said; start again")
    return begin


@lru_cache(maxsize=32)
def _ranges(path: str, stamp: FileStamp) -> dict[str, tuple[int, int]]:
    """Byte ranges of a file as it is under that stamp."""
    return byte_ranges(Path(path))


def _read_blocks(
    stored: StoredTensor, descriptor: int, offset: int, on_progress: Progress | None
) -> tuple[torch.Tensor, str]:
    digest = hashlib.sha256(f"{stored.dtype} {shape_text(stored.shape)}\n".encode())
    tensor = torch.empty(stored.shape, dtype=_DTYPES[stored.dtype])
    buffer: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    done = 0
    # Hashing one block while the next is read: both let go of the interpreter.
    with FileIO(descriptor, closefd=False) as file, ThreadPoolExecutor(1) as hashing:
        file.seek(offset)
        while done < len(buffer):
            read = file.readinto(buffer[done : done + BLOCK_BYTES])
            if not read:
                raise ReadError(f"{_called(stored)}: the file changed while it was read: it ends early")
            hashing.submit(digest.update, buffer[done : done + read])
            done += read
            if on_progress is not None:
                on_progress(done, len(buffer))
    return tensor, digest.hexdigest()


def _oriented(weight: torch.Tensor, transposed: bool, device: torch.device) -> torch.Tensor:
    weight = weight.to(device)
    return weight.t().contiguous() if transposed else weight


def _check_stamp(stored: StoredTensor, stamp: FileStamp) -> None:
    if stamp != stored.stamp:
        raise ReadError(
            f"{_called(stored)}: the file changed since it was opened; start again to read the new one"
        )


def _called(stored: StoredTensor) -> str:
    return f"{printable(stored.name)} in {shown(stored.path)}"
