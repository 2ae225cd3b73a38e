"""Where a model's tensors lie in what was saved: at the top, or under a key that trainers use."""

from __future__ import annotations

from typing import Any

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.torch_tensors import Described, Unknown

_NESTED = ("state_dict", "model_state_dict", "model", "module", "model_state", "net", "ema")
"""Keys that trainers put a model's tensors under, in the order they are looked for."""


def state_dict_of(top: Any) -> tuple[dict[str, Described], str]:
    """The tensors by name of a state dict at the top or under a usual key, and that key (empty: the top).

    Raises:
        CheckpointError: there are none; the message says what is there instead.
    """
    if tensors := _tensors_in(top):
        return tensors, ""
    for key in _NESTED:
        found = top.get(key) if isinstance(top, dict) else None
        if tensors := _tensors_in(found):
            return tensors, key
        for inner in _NESTED:
            if isinstance(found, dict) and (tensors := _tensors_in(found.get(inner))):
                return tensors, f"{key}.{inner}"
    raise CheckpointError(_instead(top))


def _tensors_in(value: Any) -> dict[str, Described]:
    if not isinstance(value, dict):
        return {}
    return {name: one for name, one in value.items() if isinstance(one, Described) and isinstance(name, str)}


def _instead(top: Any) -> str:
    if isinstance(top, Unknown):
        return f"a pickled {top.what[:60]}, not a state dict: save model.state_dict() instead"
    if isinstance(top, Described):
        return "a single tensor, not a state dict: save a dict of names and tensors"
    kind = type(top).__name__ if isinstance(top, dict | list | tuple) else "object"
    return f"a pickled {kind} without a state dict in it: save model.state_dict() instead"
