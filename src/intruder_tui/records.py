"""Results as flat records: named arrays and string metadata, the two things a safetensors file holds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intruder_tui.results import MatrixResult, Similarity, Summary, Tier, Traits, Update

FORMAT = "intruder-tui result"
SCHEMA = 2

Array = NDArray[Any]
ReadArray = Callable[[str], Array]

_PARTS = ("lower", "upper", "index", "block", "least", "most", "overlap")
_LIGHT = ("lower", "upper", "index", "least", "most", "overlap")
_TRAITS = (
    "participation",
    "window_share",
    "update_share",
    "cluster_size",
    "tied",
)


class RecordError(Exception):
    """A record that is damaged or not ours."""


def to_record(result: MatrixResult, inputs: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, str]]:
    """Arrays and metadata of a result; `inputs` says which tensors it was computed from.

    Every array's CRC-32 goes into the metadata, so that a flipped bit is found when the array is read.
    """
    arrays: dict[str, Array] = {
        "sigma_base": result.sigma_base,
        "sigma_tuned": result.sigma_tuned,
        "sigma_update": result.update.sigma,
    }
    windows: dict[str, int | None] = {}
    for side, similarity in (("left", result.left), ("right", result.right)):
        for part in _PARTS:
            arrays[f"{side}.{part}"] = getattr(similarity, part)
        for trait in _TRAITS if similarity.traits else ():
            arrays[f"{side}.{trait}"] = getattr(similarity.traits, trait)
        windows[side] = similarity.traits.window if similarity.traits else None
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    update = asdict(result.update)
    del update["sigma"]
    document = {
        "schema": SCHEMA,
        "shape": result.shape,
        "unchanged": result.unchanged,
        "tier": result.tier,
        "device": result.device,
        "weight_cosine": result.weight_cosine,
        "notes": result.notes,
        "update": update,
        "windows": windows,
        "inputs": inputs,
        "crc32": {name: zlib.crc32(array.tobytes()) for name, array in arrays.items()},
    }
    return arrays, {"format": FORMAT, "document": json.dumps(document)}


def from_record(metadata: Mapping[str, str], read: ReadArray) -> MatrixResult:
    """The result a record holds.

    Raises:
        RecordError: not our format, another schema, a missing or damaged array.
    """
    document, read = _checked(metadata, read)
    update = document["update"]
    return MatrixResult(
        shape=tuple(document["shape"]),
        unchanged=document["unchanged"],
        sigma_base=read("sigma_base"),
        sigma_tuned=read("sigma_tuned"),
        left=_similarity("left", read, document["windows"]),
        right=_similarity("right", read, document["windows"]),
        update=Update(
            sigma=read("sigma_update"),
            frobenius=update["frobenius"],
            relative_norm=update["relative_norm"],
            effective_rank=update["effective_rank"],
            stable_rank=update["stable_rank"],
            energy_ranks=None if update["energy_ranks"] is None else tuple(update["energy_ranks"]),
            adapter_rank=update["adapter_rank"],
            rounding_floor=update["rounding_floor"],
        ),
        weight_cosine=document["weight_cosine"],
        tier=Tier(document["tier"]),
        device=document["device"],
        notes=tuple(document["notes"]),
    )


def summary_from_record(metadata: Mapping[str, str], read: ReadArray) -> Summary:
    """The light part of a record: no block is read.

    Raises:
        RecordError: as `from_record`.
    """
    document, read = _checked(metadata, read)
    return Summary(
        unchanged=document["unchanged"],
        left=_light("left", read),
        right=_light("right", read),
        tier=Tier(document["tier"]),
        relative_norm=document["update"]["relative_norm"],
        weight_cosine=document["weight_cosine"],
    )


def _similarity(side: str, read: ReadArray, windows: Mapping[str, int | None]) -> Similarity:
    lower, upper, index, block, least, most, overlap = (read(f"{side}.{name}") for name in _PARTS)
    window = windows[side]
    traits = None
    if window is not None:
        traits = Traits(**{name: read(f"{side}.{name}") for name in _TRAITS}, window=window)
    return Similarity(lower, upper, index, block, traits, least, most, overlap)


def _light(side: str, read: ReadArray) -> Similarity:
    """Bounds and matches only: no block, no traits."""
    lower, upper, index, least, most, overlap = (read(f"{side}.{name}") for name in _LIGHT)
    block = np.empty((0, 0), np.float32)
    return Similarity(lower, upper, index, block, None, least, most, overlap)


def _checked(metadata: Mapping[str, str], read: ReadArray) -> tuple[dict[str, Any], ReadArray]:
    if metadata.get("format") != FORMAT:
        raise RecordError("not a result file")
    try:
        document = json.loads(metadata["document"])
        schema, checksums = document["schema"], document["crc32"]
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"unreadable metadata: {error}") from error
    if schema != SCHEMA:
        raise RecordError(f"schema {schema}, this version reads {SCHEMA}")

    def read_checked(name: str) -> Array:
        array = read(name)
        if zlib.crc32(np.ascontiguousarray(array).tobytes()) != checksums.get(name):
            raise RecordError(f"array {name} is damaged")
        return array

    return document, read_checked
