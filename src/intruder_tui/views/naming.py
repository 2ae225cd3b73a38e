"""Names of matrices where there is little room: the layer and the module are what tells them apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

SUFFIX = ".weight"
LEAST_TAIL = 6
"""Cells of a name's end that make a cut in its middle worth while."""


def trunk(names: Iterable[str]) -> str:
    """What all names with a layer begin with before its number, with the dot: "model.layers."; "" without."""
    found = {match.group() for name in names if (match := _TRUNK.match(name))}
    return next(iter(found)) if len(found) == 1 else ""


def within(name: str, trunk: str) -> str:
    """A name as the tree's orders have it: "3.self_attn.q_proj"."""
    return name.removeprefix(trunk).removesuffix(SUFFIX)


def stems(labels: Sequence[str]) -> list[str]:
    """Labels without the words that all begin with: "run/checkpoint-5", "run/checkpoint-20" are "5", "20"."""
    words = [_WORDS.split(label) for label in labels]
    same = 0
    while len(words) > 1 and all(len(one) > same + 1 and one[same] == words[0][same] for one in words):
        same += 1
    return ["".join(one[same:]) for one in words]


def fitted(name: str, room: int, ellipsis: str) -> str:
    """A name in `room` cells: the layer and the end stay; it is cut before them, else what lies between."""
    if cell_len(name) <= room:
        return name
    layer = _LAYER.match(name)
    if layer is not None:
        kept = room - cell_len(ellipsis)
        if kept >= cell_len(name[layer.start(1) :]):
            return ellipsis + _end(name, kept)
        for head in (layer.group(), ellipsis + layer.group(1)):
            tail = room - cell_len(head) - cell_len(ellipsis)
            if tail >= LEAST_TAIL:
                return head + ellipsis + _end(name, tail)
    return shortened(name, room, ellipsis)


def shortened(label: str, room: int, ellipsis: str) -> str:
    """A label in `room` cells: a longer one keeps its end, and a little of its beginning where that fits."""
    if cell_len(label) <= room:
        return label
    start = min(5, max(0, (room - len(ellipsis)) // 3))
    end = room - start - len(ellipsis)
    if end < 1:
        return set_cell_size(label, max(room, 1)).rstrip()
    return set_cell_size(label, start).rstrip() + ellipsis + _end(label, end)


def _end(text: str, cells: int) -> str:
    tail = text[-cells:]
    while cell_len(tail) > cells:
        tail = tail[1:]
    return tail


_TRUNK = re.compile(r"[^0-9]*?\.(?=[0-9]+\.)")
_WORDS = re.compile(r"(?<=[/_-])")
_LAYER = re.compile(r"(?:[^0-9]*?\.)?([0-9]+)(?=\.)")
