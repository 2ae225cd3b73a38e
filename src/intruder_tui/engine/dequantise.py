"""Packed values back to weights, in float32. Formulas: each scheme's own writer; see the recipes.

Every byte is looked up or widened on the CPU where it was read: packed weights are a fraction of the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from intruder_tui.checkpoint.recipes import Dequantised, FourBit, MxFp4, NestedScales, PackedIntegers, Scaled
from intruder_tui.checkpoint.stored import StoredTensor

Read = Callable[[StoredTensor], Tensor]
"""Reads a stored tensor in its own dtype and shape."""

_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_FP4_VALUES = (*_E2M1, *(-value for value in _E2M1))
_EXPONENT_BIAS = 127


class DequantiseError(ValueError):
    """The constants beside a packed weight contradict it; one line."""


def dequantise(recipe: Dequantised, read: Read) -> Tensor:
    """W [out, in], float32.

    Raises:
        DequantiseError: the constants do not fit the packed values, or codes lie outside their codebook.
    """
    match recipe:
        case Scaled():
            return _scaled(recipe, read)
        case FourBit():
            return _four_bit(recipe, read)
        case MxFp4():
            return _mxfp4(read(recipe.blocks), read(recipe.scales))
        case PackedIntegers():
            return _packed_integers(recipe, read)


def _scaled(recipe: Scaled, read: Read) -> Tensor:
    weight = read(recipe.values).float()
    if recipe.scale is not None:
        _multiply_blocks(weight, _scales(read(recipe.scale)), recipe.block)
    return weight if recipe.factor == 1 else weight.mul_(recipe.factor)


def _scales(stored: Tensor) -> Tensor:
    """Scales as numbers: bytes are exponents (E8M0)."""
    if stored.dtype == torch.uint8:
        return torch.exp2(stored.float() - _EXPONENT_BIAS)
    return stored.float()


def _multiply_blocks(weight: Tensor, scale: Tensor, block: tuple[int, int]) -> None:
    """In place. The last block of a row or a column may be cut off: the grid counts it all the same."""
    rows, columns = weight.shape
    grid = (math.ceil(rows / block[0]), math.ceil(columns / block[1]))
    if scale.numel() != grid[0] * grid[1]:
        raise DequantiseError(
            f"{scale.numel()} scales for {grid[0]} x {grid[1]} blocks of {block[0]} x {block[1]}"
        )
    wide = scale.reshape(grid)
    if block[1] < columns:
        wide = wide.repeat_interleave(block[1], dim=1)[:, :columns]
    for index in range(grid[0]):
        weight[index * block[0] : (index + 1) * block[0]] *= wide[index]


def _four_bit(recipe: FourBit, read: Read) -> Tensor:
    size = math.prod(recipe.shape)
    codes = _nibbles(read(recipe.values).reshape(-1).view(torch.uint8), high_first=True)
    if codes.numel() not in (size, size + size % 2):
        raise DequantiseError(f"{codes.numel()} codes of 4 bits for {size} elements")
    weight = _looked_up(read(recipe.codebook), codes[:size])
    absmax = read(recipe.absmax)
    if recipe.nested is not None:
        absmax = _nested(absmax, recipe.nested, read)
    return _times_runs(weight, absmax.float(), recipe.block).reshape(recipe.shape)


def _nested(codes: Tensor, nested: NestedScales, read: Read) -> Tensor:
    scales = _looked_up(read(nested.codebook), codes.reshape(-1))
    return _times_runs(scales, read(nested.absmax).float(), nested.block) + nested.offset


def _times_runs(values: Tensor, scale: Tensor, run: int) -> Tensor:
    """Each run of consecutive values times its scale; the last run may be short."""
    runs = math.ceil(values.numel() / run)
    if scale.numel() != runs:
        raise DequantiseError(f"{scale.numel()} scales for {runs} blocks of {run} elements")
    full = values.numel() // run
    values[: full * run].view(full, run).mul_(scale.reshape(-1)[:full, None])
    if full < runs:
        values[full * run :].mul_(scale.reshape(-1)[-1])
    return values


def _looked_up(codebook: Tensor, codes: Tensor) -> Tensor:
    book = codebook.float().reshape(-1)
    if codes.numel() and int(codes.max()) >= book.numel():
        raise DequantiseError(f"code {int(codes.max())} in a codebook of {book.numel()}")
    return book[codes.int()]


def _nibbles(packed: Tensor, *, high_first: bool) -> Tensor:
    """Two codes of 4 bits from every byte, in order, along the last axis."""
    low, high = packed & 0x0F, packed >> 4
    pair = (high, low) if high_first else (low, high)
    return torch.stack(pair, dim=-1).flatten(-2)


def _mxfp4(blocks: Tensor, scales: Tensor) -> Tensor:
    rows = blocks.shape[0]
    values = _looked_up(torch.tensor(_FP4_VALUES), _nibbles(blocks, high_first=False))
    return torch.ldexp(values, scales.int().unsqueeze(-1) - _EXPONENT_BIAS).reshape(rows, -1)


def _packed_integers(recipe: PackedIntegers, read: Read) -> Tensor:
    rows, columns = recipe.shape
    words = read(recipe.packed)
    shifts = torch.arange(0, 32, recipe.bits, dtype=torch.int32)
    codes = (words.unsqueeze(-1) >> shifts) & (2**recipe.bits - 1)
    weight: Tensor = (codes.flatten(1)[:, :columns] - 2 ** (recipe.bits - 1)).float()
    if weight.shape != (rows, columns):
        raise DequantiseError(f"{weight.shape[1]} packed values in a row of {columns}")
    _multiply_blocks(weight, _scales(read(recipe.scale)), recipe.block)
    return weight
