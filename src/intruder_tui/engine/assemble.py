"""From recipes to tensors: reads the bytes, in the worker. The only place where weights enter memory."""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path

import torch

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import opened, shown, stamp_of
from intruder_tui.checkpoint.headers import Place
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dequantised,
    Dora,
    Hosted,
    Recipe,
    Reinitialised,
    ReplacedRows,
    Stored,
    tensors,
)
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor
from intruder_tui.checkpoint.weight_file import places
from intruder_tui.engine.adapters import AdapterRecipe, Against, LoraFactors, execute
from intruder_tui.engine.dequantise import DequantiseError, dequantise

BLOCK_BYTES = 4 * 2**20
"""What is read at once: between two blocks a reader can be stopped, and progress is told."""
LEAF_BYTES = 4 * 2**20
"""What is hashed at once: a tensor's hash is of its leaves' hashes, which several threads make."""
_HASHERS = min(4, os.cpu_count() or 1)

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_PACKED_DTYPES = {
    **_DTYPES,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I32": torch.int32,
}
"""What a packed weight and its constants are stored in."""

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of the whole tensor."""
Hashes = dict[StoredTensor, str]
"""Per stored tensor, in hexadecimal: sha256 of its dtype, its shape and the sha256 of each of its leaves."""


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
        case Adapted() | Dora() | Reinitialised() | ReplacedRows() | Hosted():
            return _adapted(recipe, device, on_progress, against)
        case _:
            return _dequantised(recipe, device, on_progress)


def _dequantised(
    recipe: Dequantised, device: torch.device, on_progress: Progress | None
) -> tuple[torch.Tensor, Hashes]:
    hashes: Hashes = {}

    def read(stored: StoredTensor) -> torch.Tensor:
        tensor, hashes[stored] = read_tensor(stored, on_progress, _PACKED_DTYPES)
        return tensor

    try:
        return dequantise(recipe, read).to(device), hashes
    except DequantiseError as error:
        raise ReadError(f"{_called(next(tensors(recipe)))}: {error}") from error


def _adapted(
    recipe: AdapterRecipe, device: torch.device, on_progress: Progress | None, against: Against | None
) -> tuple[torch.Tensor | LoraFactors, Hashes]:
    hashes: Hashes = {}
    # PEFT's tuners keep indices too.
    dtypes = {**_DTYPES, **_PACKED_DTYPES, "I64": torch.int64} if isinstance(recipe, Hosted) else _DTYPES

    def read(stored: StoredTensor) -> torch.Tensor:
        tensor, hashes[stored] = read_tensor(stored, on_progress, dtypes)
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


def read_tensor(
    stored: StoredTensor,
    on_progress: Progress | None = None,
    dtypes: Mapping[str, torch.dtype] = _DTYPES,
) -> tuple[torch.Tensor, str]:
    """A stored tensor on the CPU in its own dtype and shape, and the sha256 of its dtype, shape and bytes.

    Of a part only its own bytes are read and hashed.

    Raises:
        ReadError: a dtype not in `dtypes`, unreadable, or the file changed since its header was read.
    """
    if stored.dtype not in dtypes or sys.byteorder != "little":
        raise ReadError(f"{_called(stored)}: {stored.dtype} is not a plain floating-point dtype here")
    try:
        with opened(Path(stored.path)) as (descriptor, stamp):
            _check_stamp(stored, stamp)
            tensor, content = _read_place(stored, descriptor, dtypes[stored.dtype], on_progress)
        # Of the path: the descriptor would go on giving a file that has been replaced.
        _check_stamp(stored, stamp_of(Path(stored.path).stat()))
    except CheckpointError as error:
        raise ReadError(f"{printable(stored.name)}: {error}") from error
    except OSError as error:
        raise ReadError(f"{_called(stored)}: {(error.strerror or str(error)).lower()}") from error
    return tensor, content


def _read_place(
    stored: StoredTensor, descriptor: int, dtype: torch.dtype, on_progress: Progress | None
) -> tuple[torch.Tensor, str]:
    place = _place_of(stored, dtype.itemsize)
    size = math.prod(stored.shape)
    digest = hashlib.sha256(f"{stored.dtype} {shape_text(stored.shape)}\n".encode())
    if place.strides is None:
        begin = place.begin + (stored.start or 0) * dtype.itemsize
        tensor = torch.empty(stored.shape, dtype=dtype)
        _read_blocks(stored, descriptor, tensor, begin, digest, on_progress)
        return tensor, digest.hexdigest()
    digest.update(f"strides {place.strides} from {stored.start}\n".encode())
    span = torch.empty((place.end - place.begin) // dtype.itemsize, dtype=dtype)
    _read_blocks(stored, descriptor, span, place.begin, digest, on_progress)
    whole = span.as_strided(place.shape, place.strides).contiguous()
    return whole.view(-1)[stored.start or 0 :][:size].view(stored.shape), digest.hexdigest()


def _place_of(stored: StoredTensor, itemsize: int) -> Place:
    place = places(stored.path, stored.stamp).get(stored.name)
    size = math.prod(stored.shape)
    whole = math.prod(place.shape) if place else 0
    if (
        place is None
        or place.end > stored.stamp.size
        or (place.strides is None and place.end - place.begin != whole * itemsize)
        or (place.shape != stored.shape if stored.start is None else stored.start + size > whole)
    ):
        raise ReadError(f"{_called(stored)}: its bytes are not where its header said; start again")
    return place


def _read_blocks(
    stored: StoredTensor,
    descriptor: int,
    tensor: torch.Tensor,
    offset: int,
    digest: hashlib._Hash,
    on_progress: Progress | None,
) -> None:
    """Fill a contiguous tensor from `offset` of the file, hashing what is read."""
    buffer: memoryview = tensor.reshape(-1).view(torch.uint8).numpy().data
    done = hashed = 0
    leaves: list[Future[bytes]] = []
    hashing = ThreadPoolExecutor(_HASHERS)
    try:
        # Hashing while more is read: both let go of the interpreter.
        with FileIO(descriptor, closefd=False) as file:
            file.seek(offset)
            while done < len(buffer):
                read = file.readinto(buffer[done : done + BLOCK_BYTES])
                if not read:
                    raise ReadError(f"{_called(stored)}: the file changed while it was read: it ends early")
                done += read
                while done - hashed >= LEAF_BYTES or hashed < done == len(buffer):
                    leaves.append(hashing.submit(_leaf, buffer[hashed : hashed + LEAF_BYTES]))
                    hashed += LEAF_BYTES
                if on_progress is not None:
                    on_progress(done, len(buffer))
        for leaf in leaves:
            digest.update(leaf.result())
    finally:
        # Reading may be ahead of hashing by the whole tensor when it is stopped.
        hashing.shutdown(cancel_futures=True)


def _leaf(part: memoryview) -> bytes:
    return hashlib.sha256(part).digest()


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
