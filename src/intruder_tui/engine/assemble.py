"""From recipes to tensors: reads the bytes, in the worker. The only place where weights enter memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from intruder_tui.checkpoint.files import shown, stamp_of
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.recipes import Adapted, Recipe, Stored, StoredTensor

BLOCK_BYTES = 16 * 2**20
"""What is read at once: between two blocks a reader can be stopped, and progress is told."""

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes of the whole tensor."""
Hashes = dict[StoredTensor, str]
"""Per stored tensor: sha256, in hexadecimal, of its dtype, shape and bytes."""


class ReadError(Exception):
    """A tensor can't be read, or its file is no longer the one that was opened; one line."""


@dataclass(frozen=True, slots=True)
class LoraFactors:
    """dW = scaling * b @ a, with a [r, in] and b [out, r] in their stored dtypes; never multiplied out."""

    a: torch.Tensor
    b: torch.Tensor
    scaling: float


def assemble(
    recipe: Recipe, device: torch.device, on_progress: Progress | None = None
) -> tuple[torch.Tensor | LoraFactors, Hashes]:
    """Execute a recipe.

    `Stored` gives W [out, in] in its stored dtype, contiguous, on the device. `Adapted` gives the factors of
    dW alone: its base is the pair's base, which the caller has already, and the sum is never formed here.

    Raises:
        ReadError: see `read_tensor`.
    """
    match recipe:
        case Stored():
            weight, content = read_tensor(recipe.tensor, on_progress)
            return _oriented(weight, recipe.transposed, device), {recipe.tensor: content}
        case Adapted():
            update = recipe.update
            a, content_a = read_tensor(update.a, on_progress)
            b, content_b = read_tensor(update.b, on_progress)
            factors = LoraFactors(a.to(device), b.to(device), update.scaling)
            return factors, {update.a: content_a, update.b: content_b}


def read_tensor(stored: StoredTensor, on_progress: Progress | None = None) -> tuple[torch.Tensor, str]:
    """A stored tensor on the CPU in its own dtype and shape, and the sha256 of its dtype, shape and bytes.

    Raises:
        ReadError: not a floating-point dtype, unreadable, or the file changed since its header was read.
    """
    if stored.dtype not in _DTYPES:
        raise ReadError(f"{_called(stored)}: {stored.dtype} is not a plain floating-point dtype")
    _check_unchanged(stored)
    try:
        with safe_open(stored.path, framework="pt", backend="pread") as file:
            part = file.get_slice(stored.name)
            if part.get_dtype() != stored.dtype or tuple(part.get_shape()) != stored.shape:
                raise ReadError(f"{_called(stored)}: changed since it was opened")
            tensor, content = _read_blocks(stored, part, on_progress)
    except (OSError, SafetensorError) as error:
        _check_unchanged(stored)
        raise ReadError(f"{_called(stored)}: {printable(str(error))}") from error
    _check_unchanged(stored)
    return tensor, content


def _read_blocks(stored: StoredTensor, part: Any, on_progress: Progress | None) -> tuple[torch.Tensor, str]:
    digest = hashlib.sha256(f"{stored.dtype} {shape_text(stored.shape)}\n".encode())
    tensor = torch.empty(stored.shape, dtype=_DTYPES[stored.dtype])
    total = tensor.numel() * tensor.element_size()
    if total == 0:
        return tensor, digest.hexdigest()
    if not stored.shape:
        tensor.copy_(part[...])
        digest.update(_bytes(tensor))
        return tensor, digest.hexdigest()
    rows = stored.shape[0]
    step = max(1, BLOCK_BYTES * rows // total)
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        # The first axis is the slowest: a range of it is one contiguous piece of the file and of the tensor.
        tensor[start:stop] = part[start:stop]
        digest.update(_bytes(tensor[start:stop]))
        if on_progress is not None:
            on_progress(total // rows * stop, total)
    return tensor, digest.hexdigest()


def _bytes(contiguous: torch.Tensor) -> memoryview:
    return contiguous.reshape(-1).view(torch.uint8).numpy().data


def _oriented(weight: torch.Tensor, transposed: bool, device: torch.device) -> torch.Tensor:
    weight = weight.to(device)
    return weight.t().contiguous() if transposed else weight


def _check_unchanged(stored: StoredTensor) -> None:
    try:
        status = Path(stored.path).stat()
    except OSError as error:
        raise ReadError(f"{_called(stored)}: {(error.strerror or str(error)).lower()}") from error
    if stamp_of(status) != stored.stamp:
        raise ReadError(
            f"{_called(stored)}: the file changed since it was opened; start again to read the new one"
        )


def _called(stored: StoredTensor) -> str:
    return f"{printable(stored.name)} in {shown(stored.path)}"
