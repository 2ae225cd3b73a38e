"""Everything the headers of a full checkpoint list, by name, before any of it is paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.headers import Header
from intruder_tui.checkpoint.locate import Located, read_optional
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.recipes import StoredTensor
from intruder_tui.checkpoint.weight_file import read_weight_header

_LORA_MARKS = (".lora_A.", ".lora_down.", ".lora_a")


@dataclass(frozen=True, slots=True)
class Catalog:
    """A full checkpoint's tensors.

    Attributes:
        located: where it lies.
        tensors: by name, as their headers give them.
        absent: names the index promises and no shard delivers, each with the reason.
        config: config.json beside the weights; empty where there is none.
        notes: remarks, those of `located` first.
    """

    located: Located
    tensors: Mapping[str, StoredTensor]
    absent: Mapping[str, str]
    config: Mapping[str, object]
    notes: tuple[str, ...]

    @property
    def model_type(self) -> str:
        """`model_type` of config.json; empty where unknown."""
        return _text(self.config.get("model_type"))

    @property
    def quantisation(self) -> str:
        """`quant_method` of config.json's quantization_config; empty where there is none."""
        described = self.config.get("quantization_config")
        return _text(described.get("quant_method")) if isinstance(described, dict) else ""


def open_catalog(located: Located) -> Catalog:
    """Read the headers of a full checkpoint's files.

    Raises:
        CheckpointError: a file that is there can't be read, or the files are not a full checkpoint.
    """
    tensors: dict[str, StoredTensor] = {}
    weight_map = located.weight_map or {}
    unlisted = 0
    for file in located.files:
        header = read_weight_header(file)
        _refuse_partial(header)
        for name, tensor in header.tensors.items():
            named = weight_map.get(name)
            if located.weight_map is not None and named is None:
                unlisted += 1
                if name in tensors:
                    raise CheckpointError(
                        f"{shown(located.directory)}: {printable(name)} is in two shards and not in the index"
                    )
            elif named is not None and named != file.name:
                continue
            tensors[name] = tensor
    _refuse_bare_adapter(located, tensors)
    notes = list(located.notes)
    if unlisted:
        notes.append(f"{unlisted} tensors lie in the shards but not in the index")
    try:
        config = read_optional(located.directory, "config.json")
    except CheckpointError as error:
        config = {}
        notes.append(f"not used: {error}")
    catalog = Catalog(located, tensors, _absent(located, tensors), config, tuple(notes))
    if catalog.quantisation:
        note = f"config.json says the weights are quantised ({printable(catalog.quantisation, 40)})"
        catalog = Catalog(located, tensors, catalog.absent, config, (*notes, note))
    return catalog


def _absent(located: Located, tensors: Mapping[str, StoredTensor]) -> dict[str, str]:
    missing = frozenset(located.missing)
    return {
        name: f"its shard {shard} is missing" if shard in missing else f"{shard} does not hold it"
        for name, shard in (located.weight_map or {}).items()
        if name not in tensors
    }


def _refuse_partial(header: Header) -> None:
    if "DCP_SHARDING_INFO" in header.metadata:
        raise CheckpointError(
            f"{shown(header.path)}: a shard of a distributed save, with a part of each tensor: "
            "not read yet; save the model again without distributed_checkpoint"
        )


def _refuse_bare_adapter(located: Located, tensors: Mapping[str, StoredTensor]) -> None:
    factors = sum(1 for name in tensors if any(mark in name for mark in _LORA_MARKS))
    if factors:
        raise CheckpointError(
            f"{shown(located.argument)}: {factors} of its {len(tensors)} tensors are LoRA factors, and there "
            "is no adapter_config.json to say their scaling; give the adapter's directory"
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
