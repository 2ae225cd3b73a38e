"""From the factors an adapter stores to an update of a matrix, or to why they are none."""

from __future__ import annotations

from intruder_tui.checkpoint.adapter import Change
from intruder_tui.checkpoint.adapter_config import AdapterConfig
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.quantised import FLOATS
from intruder_tui.checkpoint.recipes import LoraUpdate
from intruder_tui.checkpoint.stored import StoredTensor

KNOWN_PARTS = frozenset({"a", "b", "embedding_a", "embedding_b", "magnitude", "bias", "tokens"})


class Unusable(Exception):
    """A change that can't be applied to its weight; one line for its row."""


_STRANGE = "saved from ZeRO-3 or FSDP without gathering the shards"


def problem_of(change: Change, config: AdapterConfig) -> str:
    """Why a change can't be used, whatever the base is; empty when it can."""
    if change.problem:
        return change.problem
    unknown = [part for part in change.parts if part not in KNOWN_PARTS]
    if unknown:
        return f"an unknown adapter part, {printable(unknown[0], 60)}"
    kinds = [
        kind
        for kind, parts in (("LoRA", ("a", "b")), ("embedding", ("embedding_a", "embedding_b")))
        if any(part in change.parts for part in parts)
    ]
    if "tokens" in change.parts:
        return "both LoRA factors and trained token rows, which is not read" if kinds else ""
    if len(kinds) > 1:
        return "LoRA factors of a linear layer and of an embedding, which is not read"
    if not kinds:
        return "" if set(change.parts) == {"bias"} else "the LoRA factors are missing"
    if config.dora is not None and config.dora != ("magnitude" in change.parts):
        said = "says use_dora, and the magnitude is missing" if config.dora else "does not say use_dora"
        return f"{'' if config.dora else 'a DoRA magnitude, and '}adapter_config.json {said}"
    a, b = factors(change)
    if a is None or b is None:
        return f"lora_{'A' if a is None else 'B'} is missing"
    for tensor in (a, b, *_optional(change, "magnitude")):
        if tensor.dtype not in FLOATS:
            return f"LoRA factors stored as {a.dtype} and {b.dtype}; only floating point is read"
    if len(a.shape) < 2 or len(b.shape) < 2 or 0 in a.shape or 0 in b.shape:
        return f"lora_A is {shape_text(a.shape)} and lora_B {shape_text(b.shape)}: {_STRANGE}"
    if any(axis != 1 for axis in b.shape[2:]):
        return f"lora_B is {shape_text(b.shape)}; only its first two axes may be more than 1"
    return ""


def factors(change: Change) -> tuple[StoredTensor | None, StoredTensor | None]:
    """The factors A and B of a change, of a linear layer or of an embedding."""
    parts = change.parts
    if "embedding_a" in parts or "embedding_b" in parts:
        return parts.get("embedding_a"), parts.get("embedding_b")
    return parts.get("a"), parts.get("b")


def lora_update(change: Change, config: AdapterConfig) -> LoraUpdate:
    """The update of a change in which `problem_of` finds none.

    Raises:
        Unusable: r does not fit the factors.
        CheckpointError: the pattern keys can't be matched in time.
    """
    a, b = factors(change)
    assert a is not None
    assert b is not None
    if change.alpha is None:
        scaling = scaling_of(change.key, a, b, config)
    elif a.shape[0] == b.shape[1]:
        scaling = change.alpha / a.shape[0]
    else:
        raise Unusable(f"lora_A is {shape_text(a.shape)} and lora_B {shape_text(b.shape)}")
    return LoraUpdate(a, b, scaling, flipped="embedding_a" in change.parts)


def scaling_of(key: str, a: StoredTensor, b: StoredTensor, config: AdapterConfig, experts: int = 1) -> float:
    """The scaling of a module by the configuration, whose r must be that of the factors.

    Raises:
        Unusable: r does not fit the factors, or nothing says it.
        CheckpointError: the pattern keys can't be matched in time.
    """
    if config.scaling is None:
        raise Unusable("LoRA factors, and a configuration that is not LoRA's")
    rank = config.scaling.rank_of(key)
    if not rank * experts == a.shape[0] == b.shape[1]:
        each = f" for each of {experts} experts" if experts > 1 else ""
        raise Unusable(
            f"adapter_config.json says r = {rank}{each}, lora_A is {shape_text(a.shape)} and "
            f"lora_B {shape_text(b.shape)}"
        )
    return config.scaling.of(key)


def _optional(change: Change, part: str) -> tuple[StoredTensor, ...]:
    return (change.parts[part],) if part in change.parts else ()
