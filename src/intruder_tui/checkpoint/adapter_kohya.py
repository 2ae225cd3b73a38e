"""kohya's LoRA files: module names with their dots flattened to underscores, alpha beside the factors.

A flattened name can't be read back by itself: it is looked up among the flattened names of the base.
"""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.adapter import Change
from intruder_tui.checkpoint.adapter_config import AdapterOptions, checked_alpha
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.weight_file import small_bytes

_MARKS = (".lora_down.weight", ".lora_up.weight")
_PREFIXES = (
    *("lora_unet_", "lora_te1_", "lora_te2_", "lora_te3_", "lora_te_", "lora_transformer_", "lora_prior_"),
    *("lycoris_", "lora_"),
)
_PARTS = {"lora_down.weight": "a", "lora_up.weight": "b", "alpha": "alpha"}
_OTHER_FORMULAS = {
    "dora_scale": "a DoRA scale, of which two conventions exist",
    "lora_mid": "a Tucker-decomposed convolution (lora_mid)",
    "hada_": "LoHa (hada_)",
    "lokr_": "LoKr (lokr_)",
    "oft_": "OFT (oft_)",
    "diff": "a full difference (diff)",
}
_MOST_PREFIX_COMPONENTS = 3
_FLOATS = {"F32": "<f", "F64": "<d", "F16": "<e"}


def is_kohya(tensors: Mapping[str, StoredTensor]) -> bool:
    """Whether the names are kohya's: flattened modules, down and up factors."""
    return any(name.endswith(_MARKS) and name.startswith("lora_") for name in tensors)


def kohya_changes(
    tensors: Mapping[str, StoredTensor],
    metadata: Mapping[str, str],
    base: Mapping[str, StoredTensor],
    options: AdapterOptions,
) -> tuple[Change, ...]:
    """The changes of a kohya file, placed among the names of the base where these allow it.

    Raises:
        CheckpointError: an alpha that can't be read or makes no sense.
    """
    changes: dict[str, Change] = {}
    alphas: dict[str, StoredTensor] = {}
    for key, tensor in tensors.items():
        flat, _, part = key.partition(".")
        change = changes.setdefault(flat, Change(flat, key=flat))
        kind = _PARTS.get(part, part)
        if kind == "alpha":
            alphas[flat] = tensor
        else:
            change.parts[kind] = tensor
            formula = next((name for mark, name in _OTHER_FORMULAS.items() if part.startswith(mark)), "")
            if formula:
                change.problem = f"{formula}, which is not read: fuse it into the model and give that"
    names = _Flattened.of(base)
    for flat, change in changes.items():
        _place(change, names)
        _give_alpha(change, alphas.get(flat), metadata, options)
    resolve_claims(changes.values())
    return tuple(changes.values())


def resolve_claims(changes: Iterable[Change]) -> None:
    """Mark changes that claim the same module: which of them is meant can't be known."""
    claims: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        claims[change.module].append(change)
    for claimants in claims.values():
        for change in claimants if len(claimants) > 1 else ():
            others = ", ".join(printable(other.key, 60) for other in claimants if other is not change)
            change.problem = change.problem or (
                f"{printable(change.key, 60)} and {others} both fit this weight: give a base that holds one"
            )
            change.module = change.key


@dataclass(frozen=True, slots=True)
class _Flattened:
    """Base modules by their flattened name, in full and without their first components."""

    full: Mapping[str, tuple[str, ...]]
    shortened: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, base: Mapping[str, StoredTensor]) -> _Flattened:
        full: dict[str, list[str]] = defaultdict(list)
        shortened: dict[str, list[str]] = defaultdict(list)
        shapes = {}
        for name, tensor in base.items():
            module, _, leaf = name.rpartition(".")
            if leaf != "weight" or len(tensor.shape) < 2:
                continue
            shapes[module] = tensor.shape
            full[module.replace(".", "_")].append(module)
            components = module.split(".")
            for start in range(1, min(_MOST_PREFIX_COMPONENTS, len(components) - 1) + 1):
                shortened["_".join(components[start:])].append(module)
        return cls(_frozen(full), _frozen(shortened), shapes)

    def find(self, flat: str, shape: tuple[int, int] | None) -> list[str]:
        """Base modules of that flattened name that an update of `shape` fits."""
        for table in (self.full, self.shortened):
            found = [module for module in table.get(flat, ()) if shape is None or self._fits(module, shape)]
            if found:
                return found
        return []

    def _fits(self, module: str, shape: tuple[int, int]) -> bool:
        stored = self.shapes[module]
        return shape in ((stored[0], math.prod(stored[1:])), stored[::-1])


def _frozen(table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(modules) for name, modules in table.items()}


def _place(change: Change, names: _Flattened) -> None:
    a, b = change.parts.get("a"), change.parts.get("b")
    shape = (b.shape[0], math.prod(a.shape[1:])) if a and b and a.shape and b.shape else None
    flat = change.key
    bare = next((flat.removeprefix(prefix) for prefix in _PREFIXES if flat.startswith(prefix)), flat)
    found = names.find(flat, shape) or names.find(bare, shape)
    if len(found) == 1:
        change.module = found[0]
        change.rule = f"flattened to {printable(flat, 80)}"
    elif found:
        change.problem = change.problem or f"it could be {len(found)} weights of the base"


def _give_alpha(
    change: Change, stored: StoredTensor | None, metadata: Mapping[str, str], options: AdapterOptions
) -> None:
    a = change.parts.get("a")
    rank = a.shape[0] if a and a.shape else 0
    label = f"{printable(change.key, 60)}: alpha"
    if stored is not None:
        change.alpha = checked_alpha(_scalar(stored, label), label)
    elif metadata.get("ss_network_dim") == str(rank) and (
        number := _number(metadata.get("ss_network_alpha"))
    ):
        change.alpha = checked_alpha(number, "ss_network_alpha")
    elif options.lora_alpha is not None:
        change.alpha = options.lora_alpha
    elif rank:
        change.problem = change.problem or (
            f"r = {rank} and no alpha in the file: its scaling can't be known; give it with --lora-alpha"
        )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _scalar(tensor: StoredTensor, label: str) -> float:
    if math.prod(tensor.shape) != 1 or tensor.dtype not in {*_FLOATS, "BF16"}:
        raise CheckpointError(f"{label} is {tensor.dtype} {shape_text(tensor.shape)}, not one number")
    data = small_bytes(tensor)
    if tensor.dtype == "BF16":
        return float(struct.unpack("<f", b"\0\0" + data)[0])
    return float(struct.unpack(_FLOATS[tensor.dtype], data)[0])
