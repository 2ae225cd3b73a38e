"""Stacks of expert matrices, [experts, ., .]: which way they are stored, and each expert as a matrix."""

from __future__ import annotations

from intruder_tui.checkpoint.recipes import Recipe, Stored
from intruder_tui.checkpoint.sides import Side

_TRANSPOSED_MODELS = frozenset({"gpt_oss", "llama4", "llama4_text"})
"""transformers model types whose stacks are [experts, in, out]."""


def stack_transposed(side: Side, name: str) -> bool:
    """Whether a stack is [experts, in, out].

    A gate_up_proj makes twice as many outputs as its down_proj takes inputs, and takes what that one makes:
    their shapes tell. Where they don't, the model type does.
    """
    if name in side.packed:
        return False
    module, dot, leaf = name.rpartition(".")
    both = [side.tensors.get(f"{module}{dot}{one}") for one in ("gate_up_proj", "down_proj")]
    up, down = (one.shape if one else () for one in both)
    if leaf in ("gate_up_proj", "down_proj") and len(up) == len(down) == 3:
        straight = up[2] == down[1] and up[1] == 2 * down[2]
        across = up[1] == down[2] and up[2] == 2 * down[1]
        if straight != across:
            return across
    return side.model_type in _TRANSPOSED_MODELS


def stack_shape(side: Side, name: str) -> tuple[int, int, int]:
    """(experts, out, in)."""
    count, rows, columns = side.shape(name)
    return (count, columns, rows) if stack_transposed(side, name) else (count, rows, columns)


def experts(side: Side, name: str) -> tuple[Recipe, ...]:
    """One recipe an expert, each giving [out, in]."""
    packed = side.packed.get(name)
    if packed is not None:
        return packed.recipes
    tensor = side.tensors[name]
    count, rows, columns = tensor.shape
    transposed = stack_transposed(side, name)
    return tuple(
        Stored(tensor.part(index * rows * columns, (rows, columns)), transposed) for index in range(count)
    )
