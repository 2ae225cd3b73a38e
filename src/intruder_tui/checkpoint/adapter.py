"""An adapter's tensors, sorted by the module they change. Key forms: PEFT's `save_pretrained`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from intruder_tui.checkpoint.adapter_config import AdapterConfig, AdapterOptions, read_adapter_config
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.locate import ADAPTER_CONFIG, Located
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.weight_file import read_weight_header

_PREFIX = "base_model.model."
_PARTS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_A": "a",
    "lora_B": "b",
    "lora_embedding_A": "embedding_a",
    "lora_embedding_B": "embedding_b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "lora_B.bias": "bias",
    "token_adapter.trainable_tokens_delta": "tokens",
    "trainable_tokens_delta": "tokens",
}
"""What a key may end with, and what that is."""
_MARKS = ("lora_", "token_adapter", "trainable_tokens_")
_TUNER_MARKS = (
    *("hada_", "lokr_", "ia3_", "oft_", "boft_", "hra_", "fourierft_", "c3a_", "shira_", "miss_", "delora_"),
    *("hira_", "gralora_", "road_", "waveft_", "psoft_", "osf_", "peanut_", "deft_", "glora_"),
)
"""How the names of the parts of `HOSTED` tuners begin."""
_TRAINING_ONLY = "lora_velora_"
"""A buffer of VeLoRA's backward pass."""
_BASE_LAYER = "base_layer"
_SAVED_UNDER_TOKENS = ["token_adapter", _BASE_LAYER, "weight"]


@dataclass(slots=True)
class Change:
    """What an adapter holds for one module.

    Attributes:
        module: the module's name in the model.
        wrapped: how many wrappers lie around this change's own: PEFT nests one per adapted bare parameter.
        key: the name that patterns of the configuration are matched with.
        parts: stored tensors by what they are: a, b, embedding_a, embedding_b, magnitude, bias, tokens; an
            unknown part by its suffix.
        replacement: the adapter's own full copy of the module's weight.
        alpha: of formats that store it beside the factors; None where the configuration says it.
        rule: how the module was found, when it was not by its own name.
        problem: why the change can't be used; empty when it can.
        parameter: it is of the bare `weight` (target_parameters): B A lies as the weight is stored.
    """

    module: str
    wrapped: int = 0
    key: str = ""
    parts: dict[str, StoredTensor] = field(default_factory=dict)
    replacement: StoredTensor | None = None
    alpha: float | None = None
    rule: str = ""
    problem: str = ""
    parameter: bool = False

    @property
    def weight_name(self) -> str:
        """The name of the weight that the change most likely applies to."""
        return f"{self.module}.weight"


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter on a base.

    Attributes:
        located, config: where it lies, what it says.
        tensors: how many tensors its file has.
        changes: what it holds per module, in its file's order.
        full: tensors that replace the base's of that name: modules_to_save, biases, saved embeddings.
        notes: remarks.
    """

    located: Located
    config: AdapterConfig
    tensors: int
    changes: tuple[Change, ...]
    full: Mapping[str, StoredTensor]
    notes: tuple[str, ...]


def open_adapter(located: Located, options: AdapterOptions) -> Adapter:
    """Read an adapter's configuration and the header of its weights.

    Raises:
        CheckpointError: malformed, or a kind of adapter that is not read.
    """
    config = read_adapter_config(located.directory / ADAPTER_CONFIG, options)
    header = read_weight_header(located.files[0])
    named = [key for key in header.tensors if _carries_name(key)]
    if named:
        raise CheckpointError(
            f"{shown(header.path)}: its keys carry an adapter's name ({printable(named[0])}): a state_dict, "
            "not an adapter saved by save_pretrained; save it that way"
        )
    changes, full = sort_tensors(header.tensors)
    for change in changes:
        # PEFT matches its patterns with the parameter's name where it adapts a bare parameter.
        if any(f".{change.weight_name}".endswith(f".{name}") for name in config.parameters):
            change.parameter = True
            change.key = f"{change.key}.weight"
    notes = (*located.notes, *config.notes)
    return Adapter(located, config, len(header.tensors), changes, full, notes)


def sort_tensors(
    tensors: Mapping[str, StoredTensor],
) -> tuple[tuple[Change, ...], dict[str, StoredTensor]]:
    """Changes by module, and full tensors by name, of a file that `save_pretrained` wrote."""
    changes: dict[str, Change] = {}
    full: dict[str, StoredTensor] = {}
    for key, tensor in tensors.items():
        name = key.removeprefix(_PREFIX)
        place, part = split_key(name)
        if not part:
            full[name] = tensor
        elif not part.startswith(_TRAINING_ONLY):
            change = changes.get(place) or changes.setdefault(place, _change(place))
            change.parts[_PARTS.get(part, part)] = tensor
    replaced = {f"{change.module}.weight": change for change in changes.values() if not change.wrapped}
    plain: dict[str, StoredTensor] = {}
    for name, tensor in full.items():
        target = ".".join(p for p in name.split(".") if p not in (_BASE_LAYER, "token_adapter"))
        if target in replaced:
            replaced[target].replacement = tensor
        else:
            plain[target] = tensor
    return tuple(changes.values()), plain


def split_key(name: str) -> tuple[str, str]:
    """A tensor's name as the module it belongs to and the adapter's part; ("", "") of a full tensor."""
    components = name.split(".")
    for place, component in enumerate(components):
        if component.startswith((*_MARKS, *_TUNER_MARKS)):
            # What a wrapper of trained tokens saves of a resized embedding is the embedding itself.
            if components[place:] == _SAVED_UNDER_TOKENS:
                break
            return ".".join(components[:place]), ".".join(components[place:])
    return "", ""


def _carries_name(key: str) -> bool:
    _, part = split_key(key)
    pieces = part.split(".")
    return len(pieces) == 3 and pieces[0] in ("lora_A", "lora_B") and pieces[2] in ("weight", "bias")


def _change(place: str) -> Change:
    components = place.split(".")
    wrapped = 0
    while components and components[-1] == _BASE_LAYER:
        components.pop()
        wrapped += 1
    # Attention's out_proj lies inside the wrapper of its attention, whose r and alpha it has.
    outer = components[: components.index(_BASE_LAYER)] if _BASE_LAYER in components else components
    module = ".".join(component for component in components if component != _BASE_LAYER)
    return Change(module, wrapped, key=".".join(outer))
