"""A weight that one side fuses and the other keeps apart: parts of the fused one, so that they pair.

Only where the fused rows are the parts' rows one after the other: query, key, value; gate, up; and stacks of
experts. Weights that interleave per head (GPT-NeoX, Falcon) or per pair (gpt-oss) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from intruder_tui.checkpoint.rules import plain_name, shortened
from intruder_tui.checkpoint.sides import Side
from intruder_tui.checkpoint.stacks import stack_transposed
from intruder_tui.checkpoint.stored import StoredTensor

PARTS = {
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "W_pack": ("q_proj", "k_proj", "v_proj"),
    "gate_up_proj": ("gate_proj", "up_proj"),
}
"""Fused modules and what their rows are, part after part."""
_BY_HEAD, _BY_GROUP = "interleaved by head", "interleaved by group of heads"
INTERLEAVED = {
    **dict.fromkeys(("gpt_neox", "gpt_neox_japanese", "bloom", "persimmon", "gpt_bigcode"), _BY_HEAD),
    **dict.fromkeys(("falcon", "RefinedWeb", "RefinedWebModel", "internlm2"), _BY_GROUP),
    "codegen": "shuffled in four blocks",
}
"""How the rows of a fused query, key and value lie in the model types that do not put part after part."""
_EXPERT = re.compile(r"(?P<stack>.+\.experts)\.(?P<index>\d{1,6})\.(?:gate|up|down)_proj\.weight", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a fused tensor under the name it would have apart."""

    name: str
    tensor: StoredTensor
    origin: str


def taken_apart(left: Side, right: Side) -> tuple[Side, Side]:
    """Both sides, with what one of them fuses and the other does not taken apart."""
    return _like(left, right), _like(right, left)


def _like(side: Side, other: Side) -> Side:
    """`side` with the fused weights that `other` keeps apart replaced by their parts."""
    if not any(_may_be_fused(name, tensor) for name, tensor in side.tensors.items()):
        return side
    known = _Names.of(other)
    tensors: dict[str, StoredTensor] = {}
    origins: dict[str, str] = {}
    for name, tensor in side.tensors.items():
        parts = tuple(_parts(name, tensor, side, known))
        if parts:
            tensors.update((part.name, part.tensor) for part in parts)
            origins.update((part.name, part.origin) for part in parts)
        else:
            tensors[name] = tensor
    return replace(side, tensors=tensors, origins=origins) if origins else side


def _may_be_fused(name: str, tensor: StoredTensor) -> bool:
    """Cheap: most models fuse nothing, and the other side's names are then not looked at."""
    module, _, leaf = name.rpartition(".")
    if len(tensor.shape) == 3:
        return module.endswith("experts") and leaf in ("gate_up_proj", "down_proj")
    return leaf == "weight" and len(tensor.shape) == 2 and module.rpartition(".")[2] in PARTS


@dataclass(frozen=True, slots=True)
class _Names:
    """The other side's shapes by plain name, with and without known prefixes."""

    shapes: Mapping[str, tuple[int, ...]]
    stacks: frozenset[str]

    @classmethod
    def of(cls, side: Side) -> _Names:
        shapes: dict[str, tuple[int, ...]] = {}
        stacks: set[str] = set()
        for name in side.tensors:
            if "_proj" not in name and "block_sparse_moe" not in name:
                continue
            for short, _ in shortened(plain_name(name)):
                shapes.setdefault(short, side.shape(name))
                match = _EXPERT.fullmatch(short)
                if match:
                    stacks.add(match["stack"])
        return cls(shapes, frozenset(stacks))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of the weight of that name, empty when there is none."""
        forms = (self.shapes.get(short) for short, _ in shortened(plain_name(name)))
        return next((form for form in forms if form), ())

    def has_stack(self, name: str) -> bool:
        """Whether the experts of that name are there one by one."""
        return any(short in self.stacks for short, _ in shortened(plain_name(name)))


def _parts(name: str, tensor: StoredTensor, side: Side, other: _Names) -> Iterator[_Part]:
    if name in side.packed or not _may_be_fused(name, tensor):
        return
    module, _, _ = name.rpartition(".")
    if len(tensor.shape) == 3:
        if other.has_stack(module) and not stack_transposed(side, name):
            yield from _expert_parts(name, tensor)
        return
    parent, _, fused = module.rpartition(".")
    # CodeGen's own qkv_proj lies in attn; a file alone does not say that it is CodeGen's.
    unknown = fused == "qkv_proj" and not side.model_type and not parent.endswith("self_attn")
    if side.model_type in INTERLEAVED or unknown or other.shape(name):
        return
    apart = [f"{parent}.{part}.weight" if parent else f"{part}.weight" for part in PARTS[fused]]
    shapes = [other.shape(part) for part in apart]
    columns = tensor.shape[1]
    if any(len(shape) != 2 or shape[1] != columns for shape in shapes):
        return
    if sum(shape[0] for shape in shapes) != tensor.shape[0]:
        return
    start = 0
    for part, shape in zip(apart, shapes, strict=True):
        stop = start + shape[0]
        yield _Part(part, tensor.part(start * columns, shape), f"rows {start} to {stop - 1} of {fused}")
        start = stop


def _expert_parts(name: str, tensor: StoredTensor) -> Iterator[_Part]:
    module, _, leaf = name.rpartition(".")
    count, rows, columns = tensor.shape
    leaves = PARTS.get(leaf, (leaf,))
    if rows % len(leaves):
        return
    share = rows // len(leaves)
    for index in range(count):
        for place, part in enumerate(leaves):
            start = index * rows + place * share
            yield _Part(
                f"{module}.{index}.{part}.weight",
                tensor.part(start * columns, (share, columns)),
                f"expert {index} of {leaf}"
                + (f", rows {place * share} to {(place + 1) * share - 1}" if len(leaves) > 1 else ""),
            )
