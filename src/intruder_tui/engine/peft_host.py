"""Tuners other than LoRA, through PEFT's own layer classes, on a model that holds one layer.

PEFT is an optional dependency and takes seconds to import: it is loaded when the first such matrix is read.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

import torch

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.recipes import Hosted

_NAME = "default"


def merged_by_peft(recipe: Hosted, parts: Mapping[str, torch.Tensor], base: torch.Tensor) -> torch.Tensor:
    """What PEFT merges into a linear layer.

    Args:
        recipe: the tuner, its configuration, the module's name.
        parts: the adapter's tensors for the module by their suffix.
        base: W0 [out, in], any float dtype.

    Returns:
        W1 [out, in], float32, on the base's device.

    Raises:
        CheckpointError: PEFT is missing, does not know the configuration, or does not take these tensors.
    """
    peft = _peft(recipe.kind)
    model = _model(recipe, base)
    try:
        config = _config(peft, recipe)
        peft.inject_adapter_in_model(config, model, adapter_name=_NAME)
        named = {f"{recipe.module}.{part}": tensor for part, tensor in parts.items()}
        loaded = peft.set_peft_model_state_dict(model, named, adapter_name=_NAME)
        layer: Any = model.get_submodule(recipe.module)
        lacking = [key for key in loaded.missing_keys if _of_adapter(key, layer)]
        if loaded.unexpected_keys or lacking:
            strange = [*loaded.unexpected_keys, *lacking]
            raise CheckpointError(
                f"the adapter's tensors are not those of PEFT {peft.__version__}'s {recipe.kind}, "
                f"such as {printable(strange[0], 80)}"
            )
        with torch.no_grad():
            layer.eval()
            layer.merge(safe_merge=True)
            weight: torch.Tensor = layer.get_base_layer().weight.detach()
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise CheckpointError(
            f"PEFT {peft.__version__} can't merge this {recipe.kind} adapter into one layer: "
            f"{printable(' '.join(str(error).split()), 240)}"
        ) from error
    weight = weight.to(base.device, torch.float32)
    return weight.t().contiguous() if recipe.transposed else weight


def _peft(kind: str) -> Any:
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise CheckpointError(
            f"{kind} is read through PEFT, which is not installed here: pip install 'intruder-tui[peft]'"
        ) from error


def _model(recipe: Hosted, base: torch.Tensor) -> torch.nn.Module:
    """Modules nested as the name says, with one layer at the end, a Linear or transformers' Conv1D."""
    rows, columns = base.shape
    layer: Any
    with torch.device("meta"):
        if recipe.transposed:
            # PEFT itself imports it from there.
            layer = importlib.import_module("transformers.pytorch_utils").Conv1D(rows, columns)
            layer.bias = None
        else:
            layer = torch.nn.Linear(columns, rows, bias=False)
    weight = (base.t() if recipe.transposed else base).detach()
    copied = weight.to("cpu", torch.float32, copy=True).contiguous()
    layer.weight = torch.nn.Parameter(copied, requires_grad=False)
    root = torch.nn.Module()
    *path, last = recipe.module.split(".")
    parent = root
    for name in path:
        child = torch.nn.Module()
        parent.add_module(name, child)
        parent = child
    parent.add_module(last, layer)
    return root


def _config(peft: Any, recipe: Hosted) -> Any:
    described = json.loads(recipe.fields)
    mapping = importlib.import_module("peft.mapping").PEFT_TYPE_TO_CONFIG_MAPPING
    kind = getattr(peft.PeftType, recipe.kind, None)
    if kind not in mapping:
        raise CheckpointError(f"PEFT {peft.__version__} does not know {recipe.kind}")
    known = {field.name for field in dataclasses.fields(mapping[kind]) if field.init}
    unknown = sorted(name for name, value in described.items() if name not in known and value)
    if unknown:
        raise CheckpointError(
            f"PEFT {peft.__version__}'s {recipe.kind} has no {printable(unknown[0], 60)}: "
            "the adapter is of another version"
        )
    fields = {name: value for name, value in described.items() if name in known}
    if recipe.transposed and "fan_in_fan_out" in known:
        fields["fan_in_fan_out"] = True
    return mapping[kind](**fields, target_modules=[recipe.module])


def _of_adapter(key: str, layer: Any) -> bool:
    """Whether a parameter that was not loaded is one that the adapter should have brought."""
    names = {*getattr(layer, "adapter_layer_names", ())}
    return any(component in names for component in key.split("."))
