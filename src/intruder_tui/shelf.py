"""A shelf of immutable files under a size budget: atomic to write, safe for several processes at once."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_DISK_BLOCK = 4096
_ABANDONED_AFTER = 3600.0
"""Seconds after which a temporary file can't belong to a living writer."""


class Shelf:
    """Files in `root/KIND/ab/cdef...` for each kind, named by a hexadecimal digest; one budget for all kinds.

    The least recently used files (`touch`) go first once more than `budget` bytes lie on the disk. That is
    looked at every `sweep_each` writes or tenth of the budget, since a look walks the whole shelf.
    """

    def __init__(self, root: Path, kinds: Sequence[str], budget: int, sweep_each: int = 1) -> None:
        self.budget = budget
        self._root = root
        self._kinds = tuple(kinds)
        self._sweep_each = sweep_each
        self._writes = 0
        self._written = 0

    def path(self, kind: str, digest: str, suffix: str = "") -> Path:
        """Where an entry lies, or would."""
        return self._root / kind / digest[:2] / (digest[2:] + suffix)

    def write(self, path: Path, content: bytes, *, flush: bool = True) -> None:
        """Put an entry there, whole or not at all; `flush` to the disk what a crash must not damage.

        Raises:
            OSError: the disk refused.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                if flush:
                    file.flush()
                    os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        self._writes += 1
        self._written += len(content)
        if self._writes >= self._sweep_each or self._written > self.budget // 10:
            self._writes = self._written = 0
            self.evict()

    @staticmethod
    def touch(path: Path) -> None:
        """Note that an entry was used."""
        with contextlib.suppress(OSError):
            os.utime(path)

    def count(self, kind: str) -> int:
        """Entries of a kind."""
        return sum(entry.parent.parent.name == kind for entry in self._entries())

    def size(self) -> int:
        """Bytes on the disk."""
        return sum(_disk_size(stat) for stat, _ in self._stats())

    def evict(self) -> int:
        """Remove the least recently used entries until nine tenths of the budget are left; how many went."""
        stats = self._stats()
        size = sum(_disk_size(stat) for stat, _ in stats)
        if size <= self.budget:
            return 0
        removed = 0
        for stat, entry in sorted(stats, key=lambda item: item[0].st_mtime_ns):
            if size <= self.budget * 9 // 10:
                break
            with contextlib.suppress(OSError):
                entry.unlink()
            size -= _disk_size(stat)
            removed += 1
        return removed

    def clear(self) -> int:
        """Remove every entry, and only entries; how many went."""
        removed = 0
        for entry in self._entries():
            with contextlib.suppress(OSError):
                entry.unlink()
                removed += 1
        return removed

    def _stats(self) -> list[tuple[os.stat_result, Path]]:
        stats = []
        for entry in self._entries():
            with contextlib.suppress(OSError):
                stats.append((entry.stat(), entry))
        return stats

    def _entries(self) -> Iterator[Path]:
        for kind in self._kinds:
            for entry in (self._root / kind).glob("??/*"):
                if not entry.name.startswith(".") or _abandoned(entry):
                    yield entry


def _abandoned(temporary: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - temporary.stat().st_mtime > _ABANDONED_AFTER
    return False


def _disk_size(stat: os.stat_result) -> int:
    return -(-stat.st_size // _DISK_BLOCK) * _DISK_BLOCK
