"""Where a model's tensors lie in what was saved: at the top, or under a key that trainers use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.torch_tensors import Described, Unknown

_NESTED = ("state_dict", "model_state_dict", "model", "module", "model_state", "net", "ema")
"""Keys that trainers put a model's tensors under, in the order they are looked for."""


@dataclass(frozen=True, slots=True)
class StateDict:
    """A model's tensors as they were saved.

    Attributes:
        tensors: by name.
        key: what they lay under ("model.module"); empty at the top.
        left_out: names beside them of what is no plain tensor, each with what it is.
    """

    tensors: Mapping[str, Described]
    key: str
    left_out: Mapping[str, str]


def state_dict_of(top: Any) -> StateDict:
    """The state dict at the top of what was saved, or under a usual key.

    Raises:
        CheckpointError: there are none; the message says what is there instead.
    """
    if state := _state_dict(top, ""):
        return state
    for key in _NESTED:
        found = top.get(key) if isinstance(top, dict) else None
        if state := _state_dict(found, key):
            return state
        for inner in _NESTED:
            if isinstance(found, dict) and (state := _state_dict(found.get(inner), f"{key}.{inner}")):
                return state
    raise CheckpointError(_instead(top))


def _state_dict(value: Any, key: str) -> StateDict | None:
    if not isinstance(value, dict):
        return None
    named = {name: one for name, one in value.items() if isinstance(name, str)}
    tensors = {name: one for name, one in named.items() if isinstance(one, Described)}
    left_out = {name: one.called for name, one in named.items() if isinstance(one, Unknown)}
    return StateDict(tensors, key, left_out) if tensors else None


def _instead(top: Any) -> str:
    if isinstance(top, Unknown):
        return f"a pickled {top.what[:60]}, not a state dict: save model.state_dict() instead"
    if isinstance(top, Described):
        return "a single tensor, not a state dict: save a dict of names and tensors"
    kind = type(top).__name__ if isinstance(top, dict | list | tuple) else "object"
    return f"a pickled {kind} without a state dict in it: save model.state_dict() instead"
