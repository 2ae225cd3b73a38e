"""Opening a file that may be anything: never hang, never follow a device, say what it is instead."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.stored import FileStamp

_FIRST_LOOK = 64
"""Bytes that are enough to recognise a foreign format."""

_ZIP = b"PK\x03\x04"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the weights: run `git lfs pull` where it was cloned",
    ),
    (_ZIP, "a zip archive where a safetensors file was expected"),
    (b"GGUF", "a GGUF file, not read: give the safetensors checkpoint it was converted from"),
    (b"\x89HDF", "an HDF5 (TensorFlow) file: convert it to safetensors"),
    (b"\x93NUMPY", "a NumPy array: convert it to safetensors"),
    (
        b"\x80",
        "a pickle, as PyTorch wrote before 1.6, not read: rewrite it with "
        "`python -c \"import torch; torch.save(torch.load('OLD', weights_only=True), 'NEW')\"`",
    ),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ", "an xz archive: unpack it first"),
)
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head")


def shown(path: Path | str) -> str:
    """A path for an error message."""
    return printable(str(path))


@contextmanager
def opened(path: Path) -> Iterator[tuple[int, FileStamp]]:
    """A descriptor of a regular file and its stamp; a FIFO or device is refused, without waiting on it.

    Raises:
        CheckpointError: missing, unreadable, or not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0))
    except FileNotFoundError:
        broken = " (a symbolic link to a missing file)" if path.is_symlink() else ""
        raise CheckpointError(f"{shown(path)}: no such file{broken}") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{shown(path)}: {_why(error)}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{shown(path)}: {_file_kind(status.st_mode)}, not a regular file")
        yield descriptor, stamp_of(status)
    finally:
        os.close(descriptor)


def stamp_of(status: os.stat_result) -> FileStamp:
    """The part of `stat` that tells a file from its replacement."""
    return FileStamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def read_up_to(path: Path, limit: int) -> bytes:
    """The whole of a small regular file.

    Raises:
        CheckpointError: see `opened`; or the file is larger than `limit` bytes.
    """
    with opened(path) as (descriptor, stamp):
        if stamp.size > limit:
            raise CheckpointError(
                f"{shown(path)}: {stamp.size} bytes; at most {limit} are read of such a file"
            )
        try:
            return read_exactly(descriptor, stamp.size, 0)
        except OSError as error:
            raise CheckpointError(f"{shown(path)}: {_why(error)}") from None


def read_exactly(descriptor: int, length: int, offset: int) -> bytes:
    """`length` bytes from `offset`, fewer only where the file ends. Raises OSError."""
    parts = []
    while length > 0:
        part = os.pread(descriptor, length, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        length -= len(part)
    return b"".join(parts)


def foreign_format(path: Path) -> str:
    """What a file is, when its first bytes say that it is not safetensors; empty when they do not.

    Raises:
        CheckpointError: see `opened`.
    """
    with opened(path) as (descriptor, _):
        try:
            return recognise(read_exactly(descriptor, _FIRST_LOOK, 0))
        except OSError as error:
            raise CheckpointError(f"{shown(path)}: {_why(error)}") from None


def recognise(head: bytes) -> str:
    """`foreign_format` for bytes already read."""
    if not head:
        return "an empty file"
    # Eight bytes of header length, then the header's opening brace: nothing else to look for.
    if len(head) > 8 and head[8:9] == b"{" and head[5:8] == b"\0\0\0":
        return ""
    for magic, meaning in _MAGIC:
        if head.startswith(magic):
            return meaning
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_MARKUP):
        return "an HTML page, not the weights: the download was answered by a web page"
    if text.startswith((b"{", b"[")):
        return "a JSON file, not the weights"
    return ""


def looks_like_safetensors(path: Path) -> bool:
    """Whether a file starts like safetensors. Raises CheckpointError as `opened` does."""
    with opened(path) as (descriptor, _):
        head = read_exactly(descriptor, 9, 0)
    return len(head) == 9 and head[8:9] == b"{" and head[5:8] == b"\0\0\0"


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip archive does. Raises CheckpointError as `opened` does."""
    with opened(path) as (descriptor, _):
        return read_exactly(descriptor, len(_ZIP), 0) == _ZIP


def _why(error: OSError | ValueError) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _file_kind(mode: int) -> str:
    for test, kind in (
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a character device"),
        (stat.S_ISBLK, "a block device"),
    ):
        if test(mode):
            return kind
    return "a special file"
