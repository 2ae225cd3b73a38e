"""bitsandbytes' packed weights as its Linear4bit and Linear8bitLt save them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from intruder_tui.checkpoint.documents import parse
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.packed import Packed
from intruder_tui.checkpoint.recipes import FourBit, NestedScales, Scaled
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.weight_file import small_bytes

_STATE = "quant_state.bitsandbytes__"
_KINDS = {"nf4": 9.0, "fp4": 13.0}
_INT8_NOISE = 1.0
_BYTES = {"U8": 1, "I8": 1, "F16": 2, "BF16": 2, "F32": 4}
"""What may hold the codes: the storage type is the writer's choice."""
_CONSTANTS = ("absmax", "quant_map", "nested_absmax", "nested_quant_map")

Tensors = Mapping[str, StoredTensor]


def four_bit_names(tensors: Tensors) -> frozenset[str]:
    """The tensors that have the constants of a 4-bit weight beside them."""
    suffixes = tuple(f".{_STATE}{kind}" for kind in _KINDS)
    states = (name for name in tensors if name.endswith(suffixes))
    return frozenset(name.rpartition(f".{_STATE}")[0] for name in states)


def four_bit(name: str, tensors: Tensors) -> tuple[Packed, tuple[str, ...]]:
    """A 4-bit weight and the names of its constants. Raises CheckpointError when these can't be read."""
    kind = next(kind for kind in _KINDS if f"{name}.{_STATE}{kind}" in tensors)
    state_name = f"{name}.{_STATE}{kind}"
    used = (state_name, *(f"{name}.{constant}" for constant in _CONSTANTS))
    values, scheme = tensors[name], f"{kind} (bitsandbytes)"
    try:
        state = parse(small_bytes(tensors[state_name]), printable(state_name))
        recipe = _recipe(name, values, tensors, state)
    except (CheckpointError, KeyError, TypeError, ValueError) as error:
        reason = f"stored as {scheme}, and its constants are damaged ({printable(str(error), 80)})"
        return Packed(values, values.shape, scheme, reason=reason), used
    return Packed(values, recipe.shape, scheme, (recipe,), _KINDS[kind]), used


def row_wise_int8(name: str, tensors: Tensors) -> tuple[Packed, tuple[str, ...]]:
    """An int8 weight with a scale a row. Raises CheckpointError when its format can't be read."""
    module = name.rpartition(".")[0]
    values, scale = tensors[name], tensors[f"{module}.SCB"]
    layout = tensors.get(f"{module}.weight_format")
    used = (scale.name, f"{module}.weight_format")
    scheme = "int8 (bitsandbytes)"
    if layout is not None and layout.dtype == "U8" and any(small_bytes(layout)):
        reason = (
            f"stored as {scheme} in an order made for one kind of GPU: save it again with a newer version"
        )
    elif len(values.shape) != 2 or math.prod(scale.shape) != values.shape[0] or scale.dtype != "F32":
        reason = f"stored as {scheme}, and its scales do not fit"
    else:
        recipe = Scaled(values, scale, (1, values.shape[1]), factor=1 / 127)
        return Packed(values, values.shape, scheme, (recipe,), _INT8_NOISE), used
    return Packed(values, values.shape, scheme, reason=reason), used


def _recipe(name: str, values: StoredTensor, tensors: Tensors, state: Any) -> FourBit:
    rows, columns = (_positive(size) for size in state["shape"])
    size = math.prod(values.shape) * _BYTES.get(values.dtype, 0)
    if size != math.ceil(rows * columns / 2):
        raise ValueError(f"{size} bytes for {rows} x {columns} codes")
    nested = None
    if f"{name}.nested_absmax" in tensors:
        offset = state["nested_offset"]
        if not isinstance(offset, float | int) or not math.isfinite(offset):
            raise ValueError("nested_offset is no number")
        nested = NestedScales(
            tensors[f"{name}.nested_absmax"],
            tensors[f"{name}.nested_quant_map"],
            _positive(state["nested_blocksize"]),
            float(offset),
        )
    return FourBit(
        values,
        tensors[f"{name}.absmax"],
        tensors[f"{name}.quant_map"],
        (rows, columns),
        _positive(state["blocksize"]),
        nested,
    )


def _positive(value: object) -> int:
    if type(value) is not int or not 0 < value < 2**31:
        raise ValueError(f"{value} where a size was expected")
    return value
