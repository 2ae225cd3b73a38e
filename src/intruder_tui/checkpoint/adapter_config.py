"""`adapter_config.json` of a PEFT LoRA adapter: what decides its scaling, and what changes its formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.patterns import PatternRules

LARGEST_RANK = 1_000_000
LARGEST_ALPHA = 1e9

_HARMLESS_INITS = frozenset({"gaussian", "eva", "orthogonal", "mica"})
"""They choose how A and B start, and leave the base alone."""
_BASE_CHANGING_INITS = {
    "pissa": "PiSSA",
    "olora": "OLoRA",
    "corda": "CorDA",
    "loftq": "LoftQ",
    "lora_ga": "LoRA-GA",
}
_OTHER_FORMULAS = {
    "use_dora": "DoRA (use_dora)",
    "use_qalora": "QALoRA (use_qalora)",
    "use_bdlora": "block-diagonal LoRA (use_bdlora)",
    "arrow_config": "Arrow routing (arrow_config)",
    "kasa_config": "KaSA (kasa_config)",
    "velora_config": "VeLoRA (velora_config)",
    "monteclora_config": "MonteCLoRA (monteclora_config)",
    "alora_invocation_tokens": "activated LoRA (alora_invocation_tokens)",
    "layer_replication": "layer replication (layer_replication)",
}
_NO_WEIGHTS = frozenset(
    {
        "PROMPT_TUNING",
        "MULTITASK_PROMPT_TUNING",
        "P_TUNING",
        "PREFIX_TUNING",
        "CPT",
        "ADAPTION_PROMPT",
        "CARTRIDGE",
    }
)
_ROUTED = frozenset({"XLORA", "POLY"})
_KNOWN = frozenset(
    {
        *("alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "corda_config", "eva_config"),
        *("ensure_weight_tying", "exclude_modules", "fan_in_fan_out", "inference_mode", "init_lora_weights"),
        *("layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha", "lora_bias", "lora_dropout"),
        *(
            "lora_ga_config",
            "megatron_config",
            "megatron_core",
            "modules_to_save",
            "peft_type",
            "peft_version",
        ),
        *("qalora_group_size", "r", "rank_pattern", "revision", "runtime_config", "target_modules"),
        *("target_parameters", "task_type", "trainable_token_indices", "use_rslora"),
    }
)
_MERGE = "merge it with merge_and_unload, save the model and give that"


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What a LoRA adapter's configuration says about its weights.

    Attributes:
        path: the file.
        rank, alpha: the defaults of all modules.
        ranks, alphas: overrides per module.
        rank_stabilised: scaling is alpha / sqrt(r) rather than alpha / r.
        fan_in_fan_out: the adapted weights are stored [in, out].
        parameters: some updates are of bare parameters (target_parameters), whose rank counts the experts.
    base: base_model_name_or_path; empty when it is not said.
        notes: fields that do not change what is computed here but should be known.
    """

    path: Path
    rank: int
    alpha: float
    ranks: PatternRules[int]
    alphas: PatternRules[float]
    rank_stabilised: bool
    fan_in_fan_out: bool
    parameters: bool
    base: str
    notes: tuple[str, ...]

    def rank_of(self, module: str) -> int:
        """r of a module. Raises CheckpointError as `PatternRules.find` does."""
        return self.ranks.find(module, self.rank)

    def scaling_of(self, module: str) -> float:
        """alpha / r, or alpha / sqrt(r) under rank stabilisation. Raises CheckpointError alike."""
        rank = self.rank_of(module)
        alpha = self.alphas.find(module, self.alpha)
        return alpha / math.sqrt(rank) if self.rank_stabilised else alpha / rank


def read_adapter_config(path: Path) -> AdapterConfig:
    """Read a PEFT LoRA configuration.

    Raises:
        CheckpointError: malformed, another kind of adapter, or a LoRA variant whose formula is another.
    """
    fields = read_object(path)
    label = shown(path)
    _refuse_other_types(fields, label)
    _refuse_variants(fields, label)
    notes = []
    if fields.get("lora_bias") is True:
        notes.append("lora_bias is set: the bias updates are listed, not analysed")
    unknown = sorted(name for name, value in fields.items() if value and name not in _KNOWN)
    if unknown:
        listed = ", ".join(printable(name, 40) for name in unknown[:4])
        notes.append(f"adapter_config.json sets {listed}, which is not known here; it may change the update")
    return AdapterConfig(
        path=path,
        rank=_rank(fields.get("r", 8), f"{label}: r"),
        alpha=_alpha(fields.get("lora_alpha", 8), f"{label}: lora_alpha"),
        ranks=PatternRules(
            {
                key: _rank(value, f"{label}: rank_pattern")
                for key, value in _table(fields, "rank_pattern", label)
            },
            f"{label}: rank_pattern",
        ),
        alphas=PatternRules(
            {
                key: _alpha(value, f"{label}: alpha_pattern")
                for key, value in _table(fields, "alpha_pattern", label)
            },
            f"{label}: alpha_pattern",
        ),
        rank_stabilised=_flag(fields, "use_rslora", label),
        fan_in_fan_out=_flag(fields, "fan_in_fan_out", label),
        parameters=bool(fields.get("target_parameters")),
        base=_string(fields.get("base_model_name_or_path")),
        notes=tuple(notes),
    )


def _refuse_other_types(fields: Mapping[str, object], label: str) -> None:
    kind = _string(fields.get("peft_type"))
    if not kind:
        raise CheckpointError(
            f"{label}: no peft_type in it; an MLX adapter, or another tool's: "
            "fuse it into the model and give that"
        )
    if kind == "LORA":
        return
    name = printable(kind, 40)
    if kind in _NO_WEIGHTS:
        raise CheckpointError(
            f"{label}: {name} leaves the weight matrices alone; there is nothing to compare"
        )
    if kind in _ROUTED:
        raise CheckpointError(f"{label}: {name} chooses its update per token; there is no one tuned matrix")
    raise CheckpointError(f"{label}: peft_type {name} is not read yet, only LORA: {_MERGE}")


def _refuse_variants(fields: Mapping[str, object], label: str) -> None:
    for field, name in _OTHER_FORMULAS.items():
        if fields.get(field):
            raise CheckpointError(f"{label}: {name} is not read yet: {_MERGE}")
    init = fields.get("init_lora_weights", True)
    if isinstance(init, bool) or init is None or (isinstance(init, str) and init in _HARMLESS_INITS):
        return
    for prefix, name in _BASE_CHANGING_INITS.items():
        if isinstance(init, str) and init.startswith(prefix):
            raise CheckpointError(
                f"{label}: initialised with {name}, which changed the base weights: added to the original "
                f"base its update would be wrong. {_MERGE.capitalize()}"
            )
    raise CheckpointError(
        f"{label}: init_lora_weights is {printable(str(init), 40)}, which is not known here; it may have "
        f"changed the base weights. {_MERGE.capitalize()}"
    )


def _table(fields: Mapping[str, object], name: str, label: str) -> list[tuple[str, object]]:
    value = fields.get(name) or {}
    if not isinstance(value, dict):
        raise CheckpointError(f"{label}: {name} is not an object")
    return list(value.items())


def _rank(value: object, label: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST_RANK:
        raise CheckpointError(
            f"{label} is {printable(str(value), 40)}; it must be an integer from 1 to {LARGEST_RANK}"
        )
    return value


def _alpha(value: object, label: str) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number <= LARGEST_ALPHA:
        raise CheckpointError(
            f"{label} is {printable(str(value), 40)}; it must be a number above 0, at most {LARGEST_ALPHA:g}"
        )
    return float(number)


def _flag(fields: Mapping[str, object], name: str, label: str) -> bool:
    value = fields.get(name, False)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise CheckpointError(f"{label}: {name} is {printable(str(value), 40)}; it must be true or false")
    return value


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
