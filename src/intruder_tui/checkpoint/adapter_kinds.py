"""Adapters by what they do to a weight: which are read, and why and how each other one is refused."""

from __future__ import annotations

from collections.abc import Mapping

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable

MERGE = "merge it with merge_and_unload, save the model and give that"

HOSTED = frozenset(
    {
        *("ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "HRA", "FOURIERFT", "C3A", "SHIRA", "MISS"),
        *("DELORA", "HIRA", "GRALORA", "ROAD", "WAVEFT", "PSOFT", "OSF", "PEANUT", "DEFT", "GLORA"),
    }
)
"""Tuners that PEFT's own layer classes merge into one linear layer at a time, knowing no other layer."""

_NO_WEIGHTS = frozenset(
    {
        *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT"),
        *("ADAPTION_PROMPT", "CARTRIDGE"),
    }
)
_ROUTED = frozenset({"XLORA", "POLY", "LILY"})
_BESIDE = frozenset({"SHADOW"})
"""They run a network beside the model, which PEFT does not merge."""
_SHARED = frozenset({"VERA", "PVERA", "VBLORA", "TINYLORA", "UNILORA", "FROD", "RANDLORA"})

_REFUSED_VARIANTS = {
    "use_qalora": "QALoRA (use_qalora)",
    "use_bdlora": "block-diagonal LoRA (use_bdlora)",
    "arrow_config": "Arrow routing (arrow_config)",
    "kasa_config": "KaSA (kasa_config)",
    "monteclora_config": "MonteCLoRA (monteclora_config)",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens)",
}
_HARMLESS_INITS = frozenset({"gaussian", "eva", "orthogonal", "mica"})
"""They choose how A and B start, and leave the base alone."""
_BASE_CHANGING_INITS = {
    "pissa": "PiSSA by a randomised decomposition",
    "olora": "OLoRA",
    "corda": "CorDA",
    "loftq": "LoftQ",
    "lora_ga": "LoRA-GA",
}
RECOMPUTED_INITS = frozenset({"pissa", "olora"})
"""They took from the base what its own decomposition gives again."""


def refuse_kind(kind: str, label: str) -> None:
    """Refuse a `peft_type` that is neither LORA, TRAINABLE_TOKENS nor one of `HOSTED`.

    Raises:
        CheckpointError: always; it names the kind and what to do.
    """
    if not kind:
        raise CheckpointError(
            f"{label}: no peft_type in it; an MLX adapter, or another tool's: "
            "fuse it into the model and give that"
        )
    name = printable(kind, 40)
    if kind in _NO_WEIGHTS:
        raise CheckpointError(
            f"{label}: {name} leaves the weight matrices alone; there is nothing to compare"
        )
    if kind in _ROUTED:
        raise CheckpointError(f"{label}: {name} chooses its update per token; there is no one tuned matrix")
    if kind in _BESIDE:
        raise CheckpointError(f"{label}: {name} runs a network beside the model; there is no tuned matrix")
    if kind == "LN_TUNING":
        raise CheckpointError(f"{label}: {name} trains norms only; there is no matrix to compare")
    if kind in _SHARED:
        raise CheckpointError(
            f"{label}: {name} shares vectors or projections between layers, which is not read: {MERGE}"
        )
    raise CheckpointError(f"{label}: peft_type {name} is not read: {MERGE}")


def refuse_variants(fields: Mapping[str, object], label: str) -> None:
    """Refuse LoRA configurations whose update follows another formula. Raises CheckpointError."""
    for field, name in _REFUSED_VARIANTS.items():
        if fields.get(field):
            raise CheckpointError(f"{label}: {name} is not read: {MERGE}")


def initialisation(value: object, residual_base: bool, label: str) -> tuple[str, str]:
    """What `init_lora_weights` took from the base ("pissa", "olora", empty for nothing), and a note.

    With `residual_base` the person says that BASE already lacks that part, so nothing is to be taken.

    Raises:
        CheckpointError: the part that was taken can't be known.
    """
    if isinstance(value, bool) or value is None:
        return "", ""
    init = value.lower() if isinstance(value, str) else ""
    if init in _HARMLESS_INITS:
        return "", ""
    shown = printable(str(value), 40)
    named = next((name for prefix, name in _BASE_CHANGING_INITS.items() if init.startswith(prefix)), "")
    if init in RECOMPUTED_INITS:
        if residual_base:
            return "", f"init_lora_weights is {shown}; BASE is taken for the residual it left"
        return init, (
            f"init_lora_weights is {shown}: what it took from the base is recomputed from BASE and taken "
            "off; the rounding of the residual to the base's dtype is left out"
        )
    if named and residual_base:
        return "", f"init_lora_weights is {shown}; BASE is taken for the residual it left"
    if named:
        raise CheckpointError(
            f"{label}: initialised with {named} ({shown}), which changed the base weights in a way that "
            f"can't be recomputed: give the residual model as BASE with --residual-base, or {MERGE}"
        )
    raise CheckpointError(
        f"{label}: init_lora_weights is {shown}, which is not known here; it may have changed the base "
        f"weights. {MERGE.capitalize()}"
    )
