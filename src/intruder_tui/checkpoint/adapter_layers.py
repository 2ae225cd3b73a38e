"""An adapter for a model whose layers are repeats of the base's (PEFT's layer_replication)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.sides import Side

_LAYER = re.compile(r"((?:[^.]+\.){0,8}?(?:layers|encoder\.layer|h)\.)(\d{1,6})\.", re.ASCII)
"""The places where PEFT looks for the list of layers: Llama's, BERT's and Falcon's."""

_MOST_TENSORS = 200_000

V = TypeVar("V")


def repeated(side: Side, layers: Sequence[int]) -> Side:
    """The base as the adapter saw it: layer i is the base's layer `layers[i]`; other tensors stay.

    Raises:
        CheckpointError: the base has no list of layers, several, or not the layers that are repeated.
    """
    found = {match[1] for name in side.names if (match := _LAYER.match(name))}
    if len(found) != 1:
        listed = ", ".join(printable(prefix, 40) for prefix in sorted(found)[:4]) or "none"
        raise CheckpointError(
            "adapter_config.json repeats layers (layer_replication), and BASE has "
            f"{listed} where one list of layers was expected"
        )
    known = {int(match[2]) for name in side.names if (match := _LAYER.match(name))}
    missing = sorted(set(layers) - known)
    if missing:
        raise CheckpointError(
            f"adapter_config.json repeats layer {missing[0]} (layer_replication), which BASE does not have"
        )
    places: dict[int, list[int]] = defaultdict(list)
    for place, layer in enumerate(layers):
        places[layer].append(place)
    matches = [match for name in side.names if (match := _LAYER.match(name))]
    made = sum(len(places.get(int(match[2]), ())) for match in matches)
    if made > _MOST_TENSORS:
        raise CheckpointError(
            f"adapter_config.json repeats layers (layer_replication) into {made} tensors; "
            f"at most {_MOST_TENSORS} are read"
        )
    return replace(side, tensors=_renamed(side.tensors, places), absent=_renamed(side.absent, places))


def _renamed(entries: Mapping[str, V], places: Mapping[int, list[int]]) -> dict[str, V]:
    renamed: dict[str, V] = {}
    for name, value in entries.items():
        match = _LAYER.match(name)
        if match is None:
            renamed[name] = value
            continue
        for place in places.get(int(match[2]), ()):
            renamed[f"{match[1]}{place}.{name[match.end() :]}"] = value
    return renamed
