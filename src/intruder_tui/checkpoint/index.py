"""`*.safetensors.index.json` and `*.bin.index.json`: which shard holds which tensor.

Its values are file names, never paths.
"""

from __future__ import annotations

import re
from pathlib import Path

from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import shown
from intruder_tui.checkpoint.layouts import TRAINER_FILE
from intruder_tui.checkpoint.names import printable

INDEX_SUFFIXES = re.compile(r"\.(safetensors|bin)\.index(?:\.[\w-]{1,40})?\.json$", re.ASCII)

_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.(?:safetensors|bin)$", re.ASCII)


def read_weight_map(path: Path) -> dict[str, str]:
    """The index's `weight_map`: tensor name to the file name of its shard, beside the index.

    Raises:
        CheckpointError: unreadable, no such map, or a value that is anything but a plain file name.
    """
    found = INDEX_SUFFIXES.search(path.name)
    suffix = f".{found[1]}" if found else ".safetensors"
    weight_map = read_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{shown(path)}: no weight_map in it")
    checked: set[str] = set()
    for name, shard in weight_map.items():
        if isinstance(shard, str) and shard in checked:
            continue
        if not isinstance(shard, str) or not _plain(shard, suffix):
            raise CheckpointError(
                f"{shown(path)}: {printable(name)} is said to lie in {printable(str(shard))}, "
                f"which is not the plain name of a {suffix} file"
            )
        checked.add(shard)
    return weight_map


def shard_of(name: str) -> str:
    """How many shards a file name says there are ("00003"), empty when it is not a shard's name."""
    match = _SHARD.search(name)
    return str(int(match[1])) if match else ""


def _plain(name: str, suffix: str) -> bool:
    return (
        name.endswith(suffix)
        and not TRAINER_FILE.fullmatch(name)
        and len(name) <= 255
        and not name.startswith(".")
        and not any(sign in name for sign in ("/", "\\", "\0", ":"))
        and name.isprintable()
    )
