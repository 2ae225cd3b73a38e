"""Studies as files: safetensors and a document; whole matrices are read by windows, a few bytes at a time."""

from __future__ import annotations

import json
import os
import weakref
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from intruder_tui.definition import Side
from intruder_tui.records import RecordError
from intruder_tui.studies.answers import Scalings, Spread, StudyKind, TunedVectors
from intruder_tui.studies.cosines import Cosines, Level, ReadCells, pyramid

FORMAT = "intruder-tui study"
SCHEMA = 1
ROWS_AT_ONCE = 4
"""Windows at least a row over this wide are read with whole rows: fewer calls, few bytes in vain."""

Array = NDArray[Any]
StudyValue = Scalings | TunedVectors | Cosines

_SPREAD = tuple(field.name for field in fields(Spread))
_LEVEL = "step."


def study_content(value: Scalings | TunedVectors, inputs: Mapping[str, Any]) -> bytes:
    """A study as the bytes of its file; `inputs` says what it was computed from."""
    if isinstance(value, TunedVectors):
        names = ("sigma", "left", "right", "angles")
        return _content(StudyKind.VECTORS, {name: getattr(value, name) for name in names}, {}, inputs)
    arrays: dict[str, Array] = {
        "multiples": value.multiples,
        "sigma": value.sigma,
        "components": value.components,
    }
    for side in ("left", "right"):
        for name in _SPREAD:
            arrays[f"{side}.{name}"] = getattr(getattr(value, side), name)
    document = {"scaling": value.scaling, "adapter_rank": value.adapter_rank}
    return _content(StudyKind.SCALINGS, arrays, document, inputs)


def cosines_content(
    full: Array,
    side: Side,
    sigma: tuple[Array, Array],
    best: Array,
    index: Array,
    inputs: Mapping[str, Any],
) -> bytes:
    """A whole similarity matrix ([base, tuned], float16) as the bytes of its file, with its pyramid.

    Args:
        full: |cos|, rows base, columns tuned.
        sigma: of base and of tuned, float32, one for each row and column.
        best: [columns] float32, the maximum of each column.
        index: [columns] int32, where it is.
        inputs: what it was computed from.
    """
    arrays = {f"{_LEVEL}{step}": cells for step, cells in pyramid(full)}
    document = {"side": side, "steps": [int(name.removeprefix(_LEVEL)) for name in arrays]}
    arrays |= {"sigma_base": sigma[0], "sigma_tuned": sigma[1], "best": best, "index": index}
    return _content(StudyKind.COSINES, arrays, document, inputs)


def read_study(kind: StudyKind, path: Path) -> StudyValue:
    """The study in a file. Of a whole matrix only the small arrays are read; the file stays open.

    Raises:
        RecordError, SafetensorError, KeyError, TypeError, ValueError: not our format, or damaged.
        OSError: it can't be read.
    """
    # Without a mapping: on a network disk an entry that another process evicts would be a SIGBUS.
    with safe_open(path, "np", backend="pread") as file:
        document = _document(kind, file.metadata() or {})

        def read(name: str) -> Array:
            array: Array = file.get_tensor(name)
            if zlib.crc32(np.ascontiguousarray(array).tobytes()) != document["crc32"].get(name):
                raise RecordError(f"array {name} is damaged")
            return array

        if kind is StudyKind.VECTORS:
            return TunedVectors(read("sigma"), read("left"), read("right"), read("angles"))
        if kind is StudyKind.SCALINGS:
            left, right = (
                Spread(*(read(f"{side}.{name}") for name in _SPREAD)) for side in ("left", "right")
            )
            return Scalings(
                read("multiples"),
                document["scaling"],
                document["adapter_rank"],
                read("sigma"),
                read("components"),
                left,
                right,
            )
        small = {name: read(name) for name in ("sigma_base", "sigma_tuned", "best", "index")}
    levels = _levels(path, document["steps"])
    rows, columns = len(small["sigma_base"]), len(small["sigma_tuned"])
    return Cosines(Side(document["side"]), (rows, columns), **small, levels=levels)


def _content(
    kind: StudyKind, arrays: Mapping[str, Array], document: Mapping[str, Any], inputs: Mapping[str, Any]
) -> bytes:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # The cells of a whole matrix are not read whole, so no checksum of them would ever be looked at.
    checksums = {
        name: zlib.crc32(array.tobytes()) for name, array in whole.items() if not name.startswith(_LEVEL)
    }
    text = json.dumps(
        {"schema": SCHEMA, "kind": kind, **document, "inputs": dict(inputs), "crc32": checksums}
    )
    return save(whole, {"format": FORMAT, "document": text})


def _document(kind: StudyKind, metadata: Mapping[str, str]) -> dict[str, Any]:
    if metadata.get("format") != FORMAT:
        raise RecordError("not a study file")
    document: dict[str, Any] = json.loads(metadata["document"])
    if document["schema"] != SCHEMA or document["kind"] != kind:
        raise RecordError(f"{document['kind']} in schema {document['schema']}; {kind} in {SCHEMA} wanted")
    return document


def _levels(path: Path, steps: list[int]) -> tuple[Level, ...]:
    """Readers of the pyramid over one descriptor, which closes with the last of them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    keeper = _Open(descriptor)
    size = int.from_bytes(os.pread(descriptor, 8, 0), "little")
    header = json.loads(os.pread(descriptor, size, 8))
    whole = os.fstat(descriptor).st_size
    levels = []
    for step in steps:
        entry = header[f"{_LEVEL}{step}"]
        begin, end = (8 + size + at for at in entry["data_offsets"])
        rows, columns = entry["shape"]
        if entry["dtype"] != "F16" or end - begin != 2 * rows * columns or end > whole:
            raise RecordError(f"step {step}: not {rows} x {columns} values of float16")
        levels.append(Level(step, _reader(keeper, begin, columns)))
    return tuple(levels)


class _Open:
    """A file descriptor that is closed when nobody reads from it any more."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)


def _reader(file: _Open, begin: int, width: int) -> ReadCells:
    """Windows of a float16 array with rows of `width`, from byte `begin` of the file."""

    def read(r0: int, r1: int, c0: int, c1: int) -> Array:
        rows, columns = r1 - r0, c1 - c0
        if rows <= 0 or columns <= 0:
            return np.empty((max(0, rows), max(0, columns)), np.float16)
        if columns * ROWS_AT_ONCE >= width:
            whole = _bytes(file, begin + 2 * r0 * width, 2 * rows * width)
            return np.frombuffer(whole, "<f2").reshape(rows, width)[:, c0:c1]
        parts = [_bytes(file, begin + 2 * (row * width + c0), 2 * columns) for row in range(r0, r1)]
        return np.frombuffer(b"".join(parts), "<f2").reshape(rows, columns)

    return read


def _bytes(file: _Open, begin: int, count: int) -> bytes:
    """`count` bytes from `begin`.

    Raises:
        OSError: the file ends before.
    """
    parts = []
    while count:
        part = os.pread(file.descriptor, min(count, 1 << 30), begin)
        if not part:
            raise OSError(f"the file ends {count} bytes early")
        parts.append(part)
        begin, count = begin + len(part), count - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
