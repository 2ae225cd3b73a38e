"""The header of a safetensors file: names, dtypes, shapes. The library parses it, after checks of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from intruder_tui.checkpoint.documents import check_bounds
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import opened, read_exactly, recognise, shown, stamp_of
from intruder_tui.checkpoint.headers import Header, Place
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor

LARGEST_HEADER = 32_000_000
"""Bytes; the library itself would take 100 MB, and 750 MB of memory for it."""

_METADATA = "__metadata__"
_OFFSETS = "data_offsets"
_NOT_COVERED = "file not fully covered"
"""The library's words for a file that is longer or shorter than its header says."""


def read_header(path: Path) -> Header:
    """Read a safetensors file's header; no weight is touched.

    Raises:
        CheckpointError: not a regular file, not safetensors, a malformed or oversized header, names given
            twice, or the file changed meanwhile.
    """
    header, stamp = _header_of(path)
    entries = _entries(path, header)
    try:
        # Framework "np" because "pt" imports torch; a mapping would die of SIGBUS on a truncated file.
        with safe_open(path, framework="np", backend="pread") as file:
            metadata = file.metadata() or {}
        status = path.stat()
    except (SafetensorError, OSError) as error:
        words = _library_words(error)
        if _NOT_COVERED in words:  # the last of the library's checks: everything else in the header is sound
            words = _cut_off(entries, 8 + len(header), stamp.size) or words
        raise CheckpointError(f"{shown(path)}: {words}") from None
    if stamp_of(status) != stamp:
        raise CheckpointError(
            f"{shown(path)}: changed while its header was read; it may still be being written"
        )
    # The library has judged every entry; asking it for each again takes as long as all the rest.
    where = str(path)
    tensors = {
        name: StoredTensor(where, name, entry["dtype"], tuple(entry["shape"]), stamp)
        for name, entry in entries.items()
    }
    return Header(path, tensors, metadata)


def byte_ranges(path: Path) -> dict[str, Place]:
    """Where each tensor's bytes lie in a file whose header `read_header` has accepted.

    The library does not tell, and its own slices read the whole tensor each time.

    Raises:
        CheckpointError: the file can't be read, or its header is not what was accepted.
    """
    header, _ = _header_of(path)
    start = 8 + len(header)
    try:
        return {name: _place(entry, start) for name, entry in _entries(path, header).items()}
    except (ValueError, TypeError, KeyError):
        raise CheckpointError(f"{shown(path)}: malformed header") from None


def _place(entry: dict[str, Any], start: int) -> Place:
    begin, end = entry[_OFFSETS]
    return Place(start + int(begin), start + int(end), tuple(int(size) for size in entry["shape"]))


def _header_of(path: Path) -> tuple[bytes, FileStamp]:
    """The header's bytes and the file they were read from. Raises CheckpointError."""
    with opened(path) as (descriptor, stamp):
        try:
            return _header_bytes(path, descriptor, stamp), stamp
        except OSError as error:
            raise CheckpointError(f"{shown(path)}: {error.strerror or error}") from None


def _header_bytes(path: Path, descriptor: int, stamp: FileStamp) -> bytes:
    head = read_exactly(descriptor, 64, 0)
    foreign = recognise(head)
    if foreign:
        raise CheckpointError(f"{shown(path)}: {foreign}")
    if len(head) < 8:
        raise CheckpointError(f"{shown(path)}: {stamp.size} bytes, too short for a safetensors file")
    length = int.from_bytes(head[:8], "little")
    if length > stamp.size - 8:
        raise CheckpointError(
            f"{shown(path)}: not safetensors, or cut off: "
            f"it announces a header of {length} bytes and has {stamp.size - 8}"
        )
    if length > LARGEST_HEADER:
        raise CheckpointError(f"{shown(path)}: a header of {length} bytes; at most {LARGEST_HEADER} are read")
    header = read_exactly(descriptor, length, 8)
    check_bounds(header, shown(path))
    return header


def _entries(path: Path, header: bytes) -> dict[str, Any]:
    """What the header says of each tensor. Raises CheckpointError.

    The library silently keeps the last of two equal names; which one the writer meant is unknowable.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise CheckpointError(f"{shown(path)}: malformed header: the same name stands in it twice")
        return found

    try:
        entries = json.loads(header, object_pairs_hook=unique)
    except RecursionError:
        raise CheckpointError(f"{shown(path)}: malformed header: nested too deeply") from None
    except ValueError as error:
        raise CheckpointError(f"{shown(path)}: malformed header: {printable(str(error))}") from None
    if not isinstance(entries, dict):
        raise CheckpointError(f"{shown(path)}: malformed header: not an object")
    entries.pop(_METADATA, None)
    return entries


def _cut_off(entries: dict[str, Any], start: int, size: int) -> str:
    """Why a file that ends before its last tensor was refused; empty for another."""
    needed = max((_place(entry, start).end for entry in entries.values()), default=start)
    if needed <= size:
        return ""
    return f"cut off: its tensors need {needed} bytes, the file has {size} (an interrupted download?)"


def _library_words(error: Exception) -> str:
    words = str(error)
    prefix = "Error while deserializing header: "
    # It may quote the header, and so a stranger's names.
    said = printable(words.removeprefix(prefix))
    return f"malformed header: {said}" if words.startswith(prefix) else said
