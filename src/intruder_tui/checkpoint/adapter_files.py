"""LoRA factors in a single file, without adapter_config.json: kohya's, diffusers', or a state_dict's."""

from __future__ import annotations

from collections.abc import Mapping

from intruder_tui.checkpoint.adapter import Adapter, Change, sort_tensors, split_key
from intruder_tui.checkpoint.adapter_config import AdapterConfig, AdapterOptions
from intruder_tui.checkpoint.adapter_diffusers import diffusers_changes, is_diffusers
from intruder_tui.checkpoint.adapter_kohya import is_kohya, kohya_changes
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.headers import Header
from intruder_tui.checkpoint.locate import Located
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import StoredTensor

_NAMED_PARTS = ("lora_A", "lora_B", "lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector")
_UNTRAINED = "original_module"
_PARTS_OF_PIPELINES = frozenset({"unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3"})


def lora_in_file(located: Located, header: Header, base: Catalog, options: AdapterOptions) -> Adapter | None:
    """The adapter in a single weight file; None when the file holds no LoRA factors.

    Raises:
        CheckpointError: factors without anything that says their scaling, or several adapters'.
    """
    if is_kohya(header.tensors):
        changes = kohya_changes(header.tensors, header.metadata, base.tensors, options)
        return _adapter(located, header, changes, {}, ("a LoRA in kohya's names",))
    if is_diffusers(header.tensors):
        directory = base.located.directory.name
        component = directory if directory in _PARTS_OF_PIPELINES else ""
        changes, notes = diffusers_changes(
            header.tensors, header.metadata, component, options, shown(header.path)
        )
        return _adapter(located, header, changes, {}, ("a LoRA in diffusers' names", *notes))
    factors = sum(1 for name in header.tensors if split_key(name)[1].startswith("lora_"))
    if not factors:
        return None
    if options.lora_alpha is None:
        raise CheckpointError(
            f"{shown(located.argument)}: {factors} of its {len(header.tensors)} tensors are LoRA factors, "
            "and there is no adapter_config.json to say their scaling: give the adapter's directory, or say "
            "alpha with --lora-alpha"
        )
    changes, full = sort_tensors(_without_adapter_name(header))
    for change in changes:
        change.alpha = options.lora_alpha
    note = f"no configuration: alpha is {options.lora_alpha:g}, as --lora-alpha says"
    return _adapter(located, header, changes, full, (note,))


def _adapter(
    located: Located,
    header: Header,
    changes: tuple[Change, ...],
    full: Mapping[str, StoredTensor],
    notes: tuple[str, ...],
) -> Adapter:
    config = AdapterConfig(
        kind="LORA",
        scaling=None,
        init="",
        dora=None,
        fan_in_fan_out=False,
        parameters=(),
        tokens=(),
        layers=(),
        fields={},
        patterns={},
        base="",
        notes=(),
    )
    return Adapter(located, config, len(header.tensors), changes, full, (*located.notes, *notes))


def _without_adapter_name(header: Header) -> dict[str, StoredTensor]:
    """The tensors of a PeftModel's state_dict under the names that `save_pretrained` would give them.

    Raises:
        CheckpointError: the factors of several adapters.
    """
    names: set[str] = set()
    renamed: dict[str, StoredTensor] = {}
    for key, tensor in header.tensors.items():
        components = key.split(".")
        kept = list(components)
        for place, component in enumerate(components[:-1]):
            if component in (*_NAMED_PARTS, "modules_to_save") and components[place + 1] != "weight":
                names.add(components[place + 1])
                kept = components[:place] if component == "modules_to_save" else components[: place + 1]
                kept += components[place + 2 :]
                break
        if _UNTRAINED not in components:
            renamed[".".join(kept)] = tensor
    if len(names) > 1:
        listed = ", ".join(printable(name, 40) for name in sorted(names)[:4])
        raise CheckpointError(
            f"{shown(header.path)}: the factors of several adapters ({listed}): save one of them by itself"
        )
    return renamed
