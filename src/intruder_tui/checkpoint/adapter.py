"""A LoRA adapter's tensors, sorted by the module they change. Key forms: PEFT's `save_pretrained`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from intruder_tui.checkpoint.adapter_config import AdapterConfig, read_adapter_config
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.locate import ADAPTER_CONFIG, Located
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.recipes import LoraUpdate, StoredTensor
from intruder_tui.checkpoint.safetensors_file import read_header

_PREFIX = "base_model.model."
_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<factor>[AB])\.weight", re.DOTALL)
_FACTOR_OF_EMBEDDING = re.compile(r"(?P<module>.+)\.lora_embedding_(?P<factor>[AB])", re.DOTALL)
_OTHER_PART = re.compile(
    r"(?P<module>.+?)\.(?P<part>lora_.+|token_adapter\..+|trainable_tokens_.+)", re.DOTALL
)
_WITH_ADAPTER_NAME = re.compile(r".+\.lora_[AB]\.[^.]+\.weight", re.DOTALL)
_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})


@dataclass(slots=True)
class Change:
    """What an adapter holds for one module.

    Attributes:
        module: the module's name, PEFT's own prefix removed.
        a, b: the LoRA factors.
        others: further parts by their suffix, which change the formula or something else than the weight.
        problem: why the change can't be used; empty when it can.
    """

    module: str
    a: StoredTensor | None = None
    b: StoredTensor | None = None
    others: dict[str, StoredTensor] = field(default_factory=dict)
    problem: str = ""

    @property
    def weight_name(self) -> str:
        """The name of the weight that the change applies to."""
        return f"{self.module}.weight"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter.

    Attributes:
        located, config: where it lies, what it says.
        tensors: how many tensors its file has.
        changes: per weight name.
        full: tensors that replace the base's of that name: modules_to_save, biases, saved embeddings.
        notes: remarks.
    """

    located: Located
    config: AdapterConfig
    tensors: int
    changes: Mapping[str, Change]
    full: Mapping[str, StoredTensor]
    notes: tuple[str, ...]


def open_adapter(located: Located) -> Adapter:
    """Read an adapter's configuration and the header of its weights.

    Raises:
        CheckpointError: malformed, or a kind of adapter that is not read.
    """
    config = read_adapter_config(located.directory / ADAPTER_CONFIG)
    header = read_header(located.files[0])
    changes: dict[str, Change] = {}
    full: dict[str, StoredTensor] = {}
    named = [key for key in header.tensors if _WITH_ADAPTER_NAME.fullmatch(key)]
    if named:
        raise CheckpointError(
            f"{shown(header.path)}: its keys carry an adapter's name ({printable(named[0])}): a state_dict, "
            "not an adapter saved by save_pretrained; save it that way"
        )
    for key, tensor in header.tensors.items():
        _sort_in(key.removeprefix(_PREFIX), tensor, changes, full)
    for change in changes.values():
        change.problem = change.problem or _problem(change, config)
        if change.weight_name in full and not change.problem:
            change.problem = "the adapter both replaces and adapts this weight, which is not covered yet"
    notes = (*located.notes, *config.notes)
    return Adapter(
        located, config, len(header.tensors), {c.weight_name: c for c in changes.values()}, full, notes
    )


def lora_update(change: Change, config: AdapterConfig) -> LoraUpdate:
    """The update of a change without a problem. Raises CheckpointError as `AdapterConfig.scaling_of` does."""
    assert change.a is not None
    assert change.b is not None
    return LoraUpdate(change.a, change.b, config.scaling_of(change.module))


def _sort_in(
    key: str, tensor: StoredTensor, changes: dict[str, Change], full: dict[str, StoredTensor]
) -> None:
    embedding = _FACTOR_OF_EMBEDDING.fullmatch(key)
    factor = _FACTOR.fullmatch(key) or embedding
    other = None if factor else _OTHER_PART.fullmatch(key)
    if factor is None and other is None:
        full[key.replace(".base_layer.", ".")] = tensor
        return
    found = factor or other
    assert found is not None
    change = changes.setdefault(found["module"], Change(found["module"]))
    if embedding:
        change.problem = "LoRA on an embedding, which is not covered yet"
    if other is not None:
        change.others[other["part"]] = tensor
    elif found["factor"] == "A":
        change.a = tensor
    else:
        change.b = tensor


def _problem(change: Change, config: AdapterConfig) -> str:
    for part in change.others:
        if part.startswith("lora_magnitude_vector"):
            return "a DoRA magnitude beside the LoRA factors, which is not covered yet"
        if part.startswith(("token_adapter", "trainable_tokens")):
            return "trainable token rows, which are not covered yet"
        if part in ("lora_A", "lora_B"):
            return "LoRA on a bare parameter (target_parameters, attention in_proj), which is not covered yet"
        if part != "lora_B.bias":
            return f"an unknown adapter part, {printable(part, 60)}"
    a, b = change.a, change.b
    if a is None or b is None:
        return "" if set(change.others) == {"lora_B.bias"} else f"lora_{'A' if a is None else 'B'} is missing"
    if not {a.dtype, b.dtype} <= _FLOATS:
        return f"LoRA factors stored as {a.dtype} and {b.dtype}; only floating point is read"
    if len(a.shape) < 2 or len(b.shape) < 2 or 0 in a.shape or 0 in b.shape:
        return (
            f"lora_A is {shape_text(a.shape)} and lora_B {shape_text(b.shape)}: saved from ZeRO-3 or FSDP "
            "without gathering the shards"
        )
    if len(a.shape) > 2 or len(b.shape) > 2:
        return "LoRA on a convolution, which is not covered yet"
    rank = config.rank_of(change.module)
    stacked = a.shape[0] == b.shape[1] and a.shape[0] > rank and a.shape[0] % rank == 0
    if config.parameters and (stacked or change.module.endswith(".base_layer")):
        return "LoRA on a stack of experts (target_parameters), which is not covered yet"
    if not rank == a.shape[0] == b.shape[1]:
        return (
            f"adapter_config.json says r = {rank}, lora_A is {shape_text(a.shape)} and "
            f"lora_B {shape_text(b.shape)}"
        )
    return ""
