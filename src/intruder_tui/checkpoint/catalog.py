"""Everything the headers of a full checkpoint list, by name, before any of it is paired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.headers import Header
from intruder_tui.checkpoint.locate import Located, read_optional
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.weight_file import read_weight_header

_HEADS = ("lm_head.weight", "embed_out.weight", "output.weight")
_EMBEDDINGS = (
    "embed_tokens.weight",
    "wte.weight",
    "embed_in.weight",
    "shared.weight",
    "word_embeddings.weight",
)
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
        aliases: further names of tensors that are tied, each with the name that is in `tensors`.
    """

    located: Located
    tensors: Mapping[str, StoredTensor]
    absent: Mapping[str, str]
    config: Mapping[str, object]
    notes: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_type(self) -> str:
        """`model_type` of config.json; empty where unknown."""
        return _text(self.config.get("model_type"))

    @property
    def quantisation(self) -> str:
        """`quant_method` of config.json's quantization_config; empty where there is none."""
        described = self.config.get("quantization_config")
        return _text(described.get("quant_method")) if isinstance(described, dict) else ""


def only_header(located: Located) -> Header | None:
    """The header of a checkpoint that is one file; None for another. Raises CheckpointError."""
    if len(located.files) != 1 or located.weight_map is not None:
        return None
    return read_weight_header(located.files[0])


def open_catalog(located: Located, known: Header | None = None) -> Catalog:
    """Read the headers of a full checkpoint's files; `known` is that of its only one, where it was read.

    Raises:
        CheckpointError: a file that is there can't be read, or the files are not a full checkpoint.
    """
    tensors: dict[str, StoredTensor] = {}
    aliases: dict[str, str] = {}
    notes = list(located.notes)
    weight_map = located.weight_map or {}
    unlisted = 0
    for file in located.files:
        header = known or read_weight_header(file)
        _refuse_partial(header)
        aliases |= {**header.metadata, **header.aliases}
        notes += [note for note in header.notes if note not in notes]
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
    if unlisted:
        lie = "tensor lies" if unlisted == 1 else "tensors lie"
        notes.append(f"{unlisted} {lie} in the shards but not in the index")
    try:
        config = read_optional(located.directory, "config.json")
    except CheckpointError as error:
        config = {}
        notes.append(f"not used: {error}")
    aliases = {name: kept for name, kept in aliases.items() if kept in tensors and name not in tensors}
    aliases = {**_tied_head(tensors, config), **aliases}
    absent = {name: why for name, why in _absent(located, tensors).items() if name not in aliases}
    notes += _tied_notes(aliases)
    catalog = Catalog(located, tensors, absent, config, (), aliases)
    if catalog.quantisation:
        notes.append(f"config.json says the weights are quantised ({printable(catalog.quantisation, 40)})")
    return replace(catalog, notes=tuple(notes))


def _tied_head(tensors: Mapping[str, StoredTensor], config: Mapping[str, object]) -> dict[str, str]:
    """The head that config.json ties to the only input embedding, where no file has it."""
    text = config.get("text_config")
    tied = config.get("tie_word_embeddings")
    if tied is None and isinstance(text, dict):
        tied = text.get("tie_word_embeddings")
    if tied is not True or any(name.endswith(_HEADS) for name in tensors):
        return {}
    embeddings = [name for name in tensors if name.endswith(_EMBEDDINGS)]
    return {_HEADS[0]: embeddings[0]} if len(embeddings) == 1 else {}


def _tied_notes(aliases: Mapping[str, str]) -> list[str]:
    if not aliases:
        return []
    some = [f"{printable(name, 60)} with {printable(kept, 60)}" for name, kept in list(aliases.items())[:3]]
    return [f"tied weights, shown once: {', '.join(some)}{' …' if len(aliases) > 3 else ''}"]


def _absent(located: Located, tensors: Mapping[str, StoredTensor]) -> dict[str, str]:
    missing = frozenset(located.missing)
    return {
        name: f"shard {shard} is missing" if shard in missing else f"shard {shard} does not hold it"
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
