"""diffusers' LoRA files: factors under a component's name, the configuration in the metadata if at all.

Without it diffusers itself takes alpha = r.
"""

from __future__ import annotations

from collections.abc import Mapping

from intruder_tui.checkpoint.adapter import Change
from intruder_tui.checkpoint.adapter_config import AdapterConfig, AdapterOptions, adapter_config
from intruder_tui.checkpoint.adapter_kohya import resolve_claims
from intruder_tui.checkpoint.documents import parse
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import StoredTensor

_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3", "prior")
_METADATA = "lora_adapter_metadata"
_SUFFIXES = {
    ".lora_A.weight": "a",
    ".lora_B.weight": "b",
    ".lora.down.weight": "a",
    ".lora.up.weight": "b",
    ".lora_linear_layer.down.weight": "a",
    ".lora_linear_layer.up.weight": "b",
    ".lora_magnitude_vector": "magnitude",
    ".lora_magnitude_vector.weight": "magnitude",
    ".lora_B.bias": "bias",
}
_PROCESSOR = {"_lora.down.weight": "a", "_lora.up.weight": "b"}


def is_diffusers(tensors: Mapping[str, StoredTensor]) -> bool:
    """Whether the names are diffusers': factors under a component of a pipeline."""
    return any(_split(name)[0] for name in tensors)


def diffusers_changes(
    tensors: Mapping[str, StoredTensor],
    metadata: Mapping[str, str],
    component: str,
    options: AdapterOptions,
    label: str,
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """The changes of a diffusers file and remarks on them.

    `component` is the part of the pipeline that the base is, by its directory; empty when that is unknown.

    Raises:
        CheckpointError: metadata that is malformed or of a LoRA variant that is not read.
    """
    configs = _configs(tensors, metadata, options, label)
    changes: dict[str, Change] = {}
    for name, tensor in tensors.items():
        owner, module, part = _split(name)
        if not owner:
            owner, module, part = "", name, "a tensor of no known form"
        key = f"{owner}.{module}" if owner else module
        change = changes.setdefault(key, Change(key, key=key))
        change.parts[part] = tensor
        if owner and component in ("", owner):
            change.module = module
        if part not in _SUFFIXES.values():
            change.problem = f"{printable(part, 60)}, which is not read"
    notes: dict[str, None] = {}
    for key, change in changes.items():
        owner, _, module = key.partition(".")
        _give_alpha(change, module, configs.get(owner), options, notes)
    if component == "":
        resolve_claims(changes.values())
    return tuple(changes.values()), tuple(notes)


def _split(name: str) -> tuple[str, str, str]:
    """(component, module, part) of a key; empty strings when it has another form."""
    owner, _, rest = name.partition(".")
    if owner not in _COMPONENTS:
        return "", "", ""
    for suffix, part in _SUFFIXES.items():
        if rest.endswith(suffix):
            return owner, rest.removesuffix(suffix), part
    for suffix, part in _PROCESSOR.items():
        module, _, leaf = rest.removesuffix(suffix).rpartition(".")
        if rest.endswith(suffix) and module.endswith(".processor"):
            leaf = "to_out.0" if leaf == "to_out" else leaf
            return owner, f"{module.removesuffix('.processor')}.{leaf}", part
    return "", "", ""


def _configs(
    tensors: Mapping[str, StoredTensor], metadata: Mapping[str, str], options: AdapterOptions, label: str
) -> dict[str, AdapterConfig]:
    text = metadata.get(_METADATA)
    if text is None:
        return {}
    fields = parse(text.encode(), f"{label}: {_METADATA}")
    if not isinstance(fields, dict):
        raise CheckpointError(f"{label}: {_METADATA} is not an object")
    configs = {}
    for owner in {name.partition(".")[0] for name in tensors} & set(_COMPONENTS):
        own = {
            key.removeprefix(f"{owner}."): value
            for key, value in fields.items()
            if key.startswith(f"{owner}.")
        }
        if own:
            configs[owner] = adapter_config({**own, "peft_type": "LORA"}, f"{label}: {_METADATA}", options)
    return configs


def _give_alpha(
    change: Change,
    module: str,
    config: AdapterConfig | None,
    options: AdapterOptions,
    notes: dict[str, None],
) -> None:
    a = change.parts.get("a")
    if a is None or not a.shape or a.shape[0] == 0:
        return
    rank = a.shape[0]
    if config is not None and config.scaling is not None:
        if config.init:
            change.problem = f"initialised with {config.init}, which is not read in a diffusers file"
        elif config.dora is not None and config.dora != ("magnitude" in change.parts):
            change.problem = "its metadata and its magnitudes disagree on DoRA"
        elif config.scaling.rank_of(module) != rank:
            change.problem = (
                f"its metadata says r = {config.scaling.rank_of(module)}, the factors have r = {rank}"
            )
        change.alpha = config.scaling.of(module) * rank
    elif options.lora_alpha is not None:
        change.alpha = options.lora_alpha
    else:
        change.alpha = float(rank)
        notes["no configuration in the file: alpha = r, as diffusers itself takes it"] = None
