"""PyTorch's zip files (.bin, .pt, .pth, .ckpt): names, shapes and places of tensors, without torch.

Nothing is unpickled (see `torch_pickle`). Weights are stored members of the archive, so a tensor is a range
of bytes of the file, and the worker reads it as it reads safetensors.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import opened, read_exactly, shown, stamp_of
from intruder_tui.checkpoint.headers import Header, Place
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.state_dicts import StateDict, state_dict_of
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor
from intruder_tui.checkpoint.torch_pickle import describe_pickle
from intruder_tui.checkpoint.torch_tensors import SIZES, Described, PickleError

LARGEST_PICKLE = 64_000_000
"""Bytes of data.pkl: 100,000 tensors take 30 MB."""
LARGEST_DIRECTORY = 32_000_000
"""Bytes of the archive's directory."""
MOST_MEMBERS = 250_000

_END = b"PK\x05\x06"
_LOCAL = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True, slots=True)
class _Archive:
    """A checked archive: where each member's bytes begin and how many there are, by name without the root."""

    stamp: FileStamp
    members: Mapping[str, tuple[int, int]]
    state: StateDict


def read_torch_header(path: Path) -> Header:
    """The tensors of a PyTorch zip file; several names of one storage are kept once (`aliases`).

    Raises:
        CheckpointError: not such a file, or one made to mislead: compressed, repeated or overlapping
            members, a storage that is too short, an expanded view, a pickle that is no state dict.
    """
    archive = _read(path)
    tensors: dict[str, StoredTensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[tuple[object, ...], str] = {}
    for name, tensor in archive.state.tensors.items():
        layout = (tensor.storage.member, tensor.dtype, tensor.offset, tensor.shape, tensor.strides)
        first = seen.setdefault(layout, name) if 0 not in tensor.shape else name
        if first != name:
            aliases[name] = first
        else:
            tensors[name] = StoredTensor(str(path), name, tensor.dtype, tensor.shape, archive.stamp)
    return Header(path, tensors, {}, aliases, _notes(archive.state))


def _notes(state: StateDict) -> tuple[str, ...]:
    notes = (f"read from its {printable(state.key, 40)!r}",) if state.key else ()
    if not state.left_out:
        return notes
    some = [
        f"{printable(name, 60)} ({printable(what, 60)})" for name, what in islice(state.left_out.items(), 3)
    ]
    more = f" and {len(state.left_out) - 3} more" if len(state.left_out) > 3 else ""
    return (*notes, f"left out, since no plain tensor: {', '.join(some)}{more}")


def torch_places(path: Path) -> dict[str, Place]:
    """Where each tensor's bytes lie in a file that `read_torch_header` has accepted.

    Raises:
        CheckpointError: as there.
    """
    archive = _read(path)
    places = {}
    for name, tensor in archive.state.tensors.items():
        size = SIZES[tensor.dtype]
        begin = archive.members[f"data/{tensor.storage.member}"][0] + tensor.offset * size
        strides = None if tensor.contiguous else tensor.strides
        places[name] = Place(begin, begin + tensor.span * size, tensor.shape, strides)
    return places


def _read(path: Path) -> _Archive:
    with opened(path) as (descriptor, stamp):
        try:
            members = _members(path, descriptor, stamp)
            begin, length = members.get("data.pkl", (0, 0))
            top = describe_pickle(read_exactly(descriptor, length, begin))
            _check_order(descriptor, members)
        except (PickleError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{shown(path)}: {printable(str(error))}") from None
        except (OSError, EOFError) as error:
            raise CheckpointError(f"{shown(path)}: {getattr(error, 'strerror', None) or error}") from None
        except (ValueError, struct.error, NotImplementedError, zlib.error, IndexError, RuntimeError):
            raise CheckpointError(f"{shown(path)}: a damaged zip archive") from None
        if stamp_of(os.fstat(descriptor)) != stamp:
            raise CheckpointError(f"{shown(path)}: changed while its header was read")
    try:
        state = state_dict_of(top)
    except CheckpointError as error:
        raise CheckpointError(f"{shown(path)}: {printable(str(error))}") from None
    for name, tensor in state.tensors.items():
        _check_storage(path, name, tensor, members)
    return _Archive(stamp, members, state)


def _members(path: Path, descriptor: int, stamp: FileStamp) -> dict[str, tuple[int, int]]:
    _check_directory_size(descriptor, stamp.size)
    with os.fdopen(os.dup(descriptor), "rb") as file, zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if len(entries) > MOST_MEMBERS:
        raise PickleError(f"{len(entries)} members in the archive; at most {MOST_MEMBERS} are read")
    pickles = [entry.filename for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise PickleError("a zip archive in which the same name stands twice")
    if not pickles:
        raise PickleError("a zip archive without data.pkl: no PyTorch file (a NumPy .npz?)")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in names or any(name.startswith(f"{root}code/") for name in names):
        raise PickleError("a TorchScript archive, which holds code: save model.state_dict() instead")
    if len(pickles) > 1:
        raise PickleError(f"a zip archive with {len(pickles)} data.pkl in it")
    members: dict[str, tuple[int, int]] = {}
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise PickleError(f"a zip archive with a compressed member, {printable(entry.filename, 60)}")
        if entry.flag_bits & 1:
            raise PickleError("an encrypted zip archive")
        if not entry.filename.startswith(root):
            continue
        name = entry.filename.removeprefix(root)
        members[name] = (_data_offset(descriptor, entry), entry.file_size)
        if name == "data.pkl" and entry.file_size > LARGEST_PICKLE:
            raise PickleError(f"a data.pkl of {entry.file_size} bytes; at most {LARGEST_PICKLE} are read")
    _check_disjoint(members, stamp.size)
    return members


def _check_directory_size(descriptor: int, size: int) -> None:
    """zipfile reads an archive's whole directory into memory, however large it says it is."""
    tail = read_exactly(descriptor, min(size, 65_557), max(0, size - 65_557))
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise PickleError("a zip archive that is cut off")
    declared = int.from_bytes(tail[at + 12 : at + 16], "little")
    locator = tail[at - 20 : at] if at >= 20 else b""
    if locator.startswith(b"PK\x06\x07"):
        record = read_exactly(descriptor, 56, int.from_bytes(locator[8:16], "little") % 2**63)
        declared = max(declared % 0xFFFFFFFF, int.from_bytes(record[40:48], "little"))
    if declared > LARGEST_DIRECTORY:
        raise PickleError(f"an archive directory of {declared} bytes; at most {LARGEST_DIRECTORY} are read")


def _data_offset(descriptor: int, entry: zipfile.ZipInfo) -> int:
    local = _LOCAL.unpack(read_exactly(descriptor, _LOCAL.size, entry.header_offset))
    name = read_exactly(descriptor, local[9], entry.header_offset + _LOCAL.size)
    if local[0] != b"PK\x03\x04" or name != entry.orig_filename.encode() or local[3] != 0:
        raise PickleError(
            f"a zip archive whose directory and members differ at {printable(entry.filename, 60)}"
        )
    return int(entry.header_offset + _LOCAL.size + local[9] + local[10])


def _check_disjoint(members: Mapping[str, tuple[int, int]], size: int) -> None:
    end = 0
    for begin, length in sorted(members.values()):
        if begin < end or begin + length > size:
            raise PickleError("a zip archive whose members overlap or end beyond the file")
        end = begin + length


def _check_order(descriptor: int, members: Mapping[str, tuple[int, int]]) -> None:
    begin, length = members.get("byteorder", (0, 0))
    if 0 < length < 16 and read_exactly(descriptor, length, begin).strip() != b"little":
        raise PickleError("a big-endian PyTorch file")


def _check_storage(path: Path, name: str, tensor: Described, members: Mapping[str, tuple[int, int]]) -> None:
    size = SIZES[tensor.storage.dtype] if tensor.storage.dtype else 1
    member = members.get(f"data/{tensor.storage.member}")
    if member is None or tensor.storage.elements * size > member[1]:
        held = "no" if member is None else f"only {member[1]}"
        raise CheckpointError(
            f"{shown(path)}: {printable(name)} needs a storage of {tensor.storage.elements * size} bytes, "
            f"and there are {held} bytes of it"
        )
