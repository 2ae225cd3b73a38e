"""`adapter_config.json` of a PEFT adapter: what decides its scaling, and what changes its formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from intruder_tui.checkpoint.adapter_kinds import HOSTED, MERGE, initialisation, refuse_kind, refuse_variants
from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.patterns import PatternRules

LARGEST_RANK = 1_000_000
LARGEST_ALPHA = 1e9
_PEFT_ALPHA = 8.0
"""`LoraConfig.lora_alpha` where it is not given."""

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
        *("target_parameters", "task_type", "trainable_token_indices", "use_rslora", "use_dora"),
        *("layer_replication", "velora_config", "merge_weights"),
    }
)
"""Fields that are read elsewhere, or that choose the modules or the training and leave the update alone."""
_MOST_LAYERS = 1_000
_MOST_TOKENS = 1_000_000
_MOST_NAMES = 1_000
"""Of embeddings and bare parameters, each of which is looked for in every module's name."""


@dataclass(frozen=True, slots=True)
class AdapterOptions:
    """What the person says about an adapter that its files can't.

    Attributes:
        lora_alpha: alpha of LoRA factors that came without a configuration.
        residual_base: BASE already lacks what the adapter's initialisation took from it.
    """

    lora_alpha: float | None = None
    residual_base: bool = False


NOTHING_SAID = AdapterOptions()


@dataclass(frozen=True, slots=True)
class Scaling:
    """What decides r and the scaling of each module.

    Attributes:
        rank, alpha: the defaults of all modules.
        ranks, alphas: overrides per module.
        stabilised: scaling is alpha / sqrt(r) rather than alpha / r.
        assumed: what the configuration does not say of alpha and was taken instead; empty where it says it.
    """

    rank: int
    alpha: float
    ranks: PatternRules[int]
    alphas: PatternRules[float]
    stabilised: bool
    assumed: str = ""

    def rank_of(self, module: str) -> int:
        """r of a module. Raises CheckpointError as `PatternRules.find` does."""
        return self.ranks.find(module, self.rank)

    def of(self, module: str) -> float:
        """alpha / r, or alpha / sqrt(r) under rank stabilisation. Raises CheckpointError alike."""
        rank = self.rank_of(module)
        alpha = self.alphas.find(module, self.alpha)
        return alpha / math.sqrt(rank) if self.stabilised else alpha / rank


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter's configuration says about its weights.

    Attributes:
        kind: the peft_type: "LORA", "TRAINABLE_TOKENS", or one of `HOSTED`.
        scaling: of LORA; None for another kind.
        init: the part of the base that the initialisation took: "pissa", "olora", empty for none.
        dora: whether the factors have a magnitude beside them; None where that is not said.
        fan_in_fan_out: the adapted weights are stored [in, out].
        parameters: names of adapted bare parameters (target_parameters), in the configuration's order.
        tokens: rows that were trained on their own, of every embedding, or by the module's name.
        layers: for each layer of the adapted model the base's layer it repeats; empty for the base's own.
        fields: the configuration as PEFT reads it, for one of `HOSTED`; empty for another.
        patterns: of `HOSTED`, the fields that override another one for some modules.
        base: base_model_name_or_path; empty when it is not said.
        notes: what does not change what is computed here but should be known.
    """

    kind: str
    scaling: Scaling | None
    init: str
    dora: bool | None
    fan_in_fan_out: bool
    parameters: tuple[str, ...]
    tokens: tuple[int, ...] | Mapping[str, tuple[int, ...]]
    layers: tuple[int, ...]
    fields: Mapping[str, object]
    patterns: Mapping[str, PatternRules[object]]
    base: str
    notes: tuple[str, ...]

    def tokens_of(self, module: str) -> tuple[int, ...]:
        """The trained rows of an embedding; empty when none are named for it."""
        if isinstance(self.tokens, tuple):
            return self.tokens
        named = (name for name in self.tokens if module == name or module.endswith(f".{name}"))
        return next((self.tokens[name] for name in named), ())


def read_adapter_config(path: Path, options: AdapterOptions) -> AdapterConfig:
    """Read a PEFT configuration.

    Raises:
        CheckpointError: malformed, a kind of adapter that is not read, or a LoRA variant whose formula is
            another.
    """
    return adapter_config(read_object(path), shown(path), options)


def adapter_config(fields: Mapping[str, object], label: str, options: AdapterOptions) -> AdapterConfig:
    """A PEFT configuration from its fields. Raises CheckpointError as `read_adapter_config` does."""
    kind = _string(fields.get("peft_type"))
    lora = kind == "LORA"
    if not lora and kind not in HOSTED and kind != "TRAINABLE_TOKENS":
        refuse_kind(kind, label)
    notes = []
    init = ""
    if lora:
        refuse_variants(fields, label)
        init, note = initialisation(fields.get("init_lora_weights", True), options.residual_base, label)
        notes += [note] if note else []
        _refuse_unknown(fields, label)
        notes += ["lora_bias is set: the bias updates are listed, not analysed"] * (
            fields.get("lora_bias") is True
        )
    scaling = _scaling(fields, label, options) if lora else None
    if scaling is not None and scaling.assumed:
        notes.append(scaling.assumed)
    tokens = fields.get("token_indices" if kind == "TRAINABLE_TOKENS" else "trainable_token_indices")
    return AdapterConfig(
        kind=kind,
        scaling=scaling,
        init=init,
        dora=_flag(fields, "use_dora", label),
        fan_in_fan_out=_flag(fields, "fan_in_fan_out", label),
        parameters=_strings(fields, "target_parameters", label),
        tokens=_tokens(tokens, label),
        layers=_layers(fields.get("layer_replication"), label),
        fields=fields if kind in HOSTED else {},
        patterns=_patterns(fields, label) if kind in HOSTED and kind != "ADALORA" else {},
        base=_string(fields.get("base_model_name_or_path")),
        notes=tuple(notes),
    )


def _refuse_unknown(fields: Mapping[str, object], label: str) -> None:
    for name, value in sorted(fields.items()):
        if value and name not in _KNOWN:
            raise CheckpointError(
                f"{label}: {printable(name, 40)} is {printable(str(value), 40)}, which is not known here and "
                f"may change the update: {MERGE}"
            )


def _scaling(fields: Mapping[str, object], label: str, options: AdapterOptions) -> Scaling:
    alpha, assumed = fields.get("lora_alpha"), ""
    if "lora_alpha" not in fields:
        said = options.lora_alpha
        alpha = _PEFT_ALPHA if said is None else said
        whose = "PEFT's default; --lora-alpha says another" if said is None else "from --lora-alpha"
        assumed = f"the adapter's configuration has no lora_alpha: alpha is taken as {alpha:g}, {whose}"
    return Scaling(
        rank=_rank(fields.get("r", 8), f"{label}: r"),
        alpha=checked_alpha(alpha, f"{label}: lora_alpha"),
        assumed=assumed,
        ranks=PatternRules(
            {
                key: _rank(value, f"{label}: rank_pattern")
                for key, value in _table(fields, "rank_pattern", label)
            },
            f"{label}: rank_pattern",
        ),
        alphas=PatternRules(
            {
                key: checked_alpha(value, f"{label}: alpha_pattern")
                for key, value in _table(fields, "alpha_pattern", label)
            },
            f"{label}: alpha_pattern",
        ),
        stabilised=_flag(fields, "use_rslora", label),
    )


def _tokens(value: object, label: str) -> tuple[int, ...] | Mapping[str, tuple[int, ...]]:
    if isinstance(value, dict):
        if len(value) > _MOST_NAMES:
            raise CheckpointError(
                f"{label}: trainable tokens of {len(value)} embeddings; at most {_MOST_NAMES} are read"
            )
        return {name: _indices(rows, label) for name, rows in value.items()}
    return _indices(value, label) if value else ()


def _indices(value: object, label: str) -> tuple[int, ...]:
    whole = isinstance(value, list) and all(type(index) is int and index >= 0 for index in value)
    if not isinstance(value, list) or not whole or len(value) > _MOST_TOKENS:
        raise CheckpointError(f"{label}: the trainable token indices are not a list of row numbers")
    if len(set(value)) != len(value):
        raise CheckpointError(f"{label}: the trainable token indices name a row twice")
    return tuple(value)


def _layers(value: object, label: str) -> tuple[int, ...]:
    layers: list[int] = []
    for part in value if isinstance(value, list) else [value] if value else []:
        ends = part if isinstance(part, list) else []
        if len(ends) != 2 or any(type(end) is not int for end in ends) or not 0 <= ends[0] < ends[1]:
            raise CheckpointError(f"{label}: layer_replication is not a list of [first, end) layer numbers")
        if ends[1] - ends[0] + len(layers) > _MOST_LAYERS:
            raise CheckpointError(f"{label}: layer_replication makes over {_MOST_LAYERS} layers")
        layers += range(*ends)
    return tuple(layers)


def _strings(fields: Mapping[str, object], name: str, label: str) -> tuple[str, ...]:
    value = fields.get(name)
    if not isinstance(value, list):
        return ()
    if len(value) > _MOST_NAMES:
        raise CheckpointError(f"{label}: {name} has {len(value)} names; at most {_MOST_NAMES} are read")
    return tuple(map(_string, value))


def _patterns(fields: Mapping[str, object], label: str) -> dict[str, PatternRules[object]]:
    """The `..._pattern` fields that are set; AdaLoRA's are no overrides, but masks of its ranks."""
    names = [name for name, value in fields.items() if name.endswith("_pattern") and value]
    return {name: PatternRules(dict(_table(fields, name, label)), f"{label}: {name}") for name in names}


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


def checked_alpha(value: object, label: str) -> float:
    """alpha as a number; `label` names it in the error. Raises CheckpointError."""
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
