"""The disk cache: content hashes by file stamp, results by content. Safe for several processes at once.

    hashes/ab/cdef...               what a stored tensor's bytes hash to, by the stamp of its file
    results/ab/cdef....safetensors  a result, by the content it was computed from

Entries are immutable, written under a temporary name, flushed, then renamed; a damaged one is a miss. The
least recently used go first when the budget is spent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from intruder_tui.checkpoint.recipes import StoredTensor, describe, tensors
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.records import ReadArray, RecordError, from_record, summary_from_record, to_record
from intruder_tui.results import MatrixResult, Summary, Tier

ALGORITHM = 1
"""Raised whenever the same input would give another result: older entries are then never found."""

DEFAULT_BUDGET = 4_000_000_000
"""Bytes; results of a few hundred 7B-sized comparisons."""

ENVIRONMENT = "INTRUDER_TUI_CACHE"

T = TypeVar("T")

_DISK_BLOCK = 4096
_ABANDONED_AFTER = 3600.0
"""Seconds after which a temporary file can't belong to a living writer."""
_UNREADABLE = (OSError, SafetensorError, RecordError, KeyError, TypeError, ValueError)


def default_root() -> Path:
    """`$INTRUDER_TUI_CACHE`, else the platform's cache directory for intruder-tui."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else user_cache_path("intruder-tui")


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the cache is: entries, bytes on disk, bytes allowed."""

    results: int
    hashes: int
    size: int
    budget: int


class Cache:
    """Results on disk. Reading never raises for a bad entry; writing raises OSError when the disk refuses."""

    def __init__(self, root: Path, budget: int = DEFAULT_BUDGET) -> None:
        self.root = root
        self.budget = budget
        self._hashes: dict[str, str] = {}
        self._since_sweep = 0

    # Identity

    def remember(self, tensor: StoredTensor, content: str) -> None:
        """Note that a stored tensor's dtype, shape and bytes hash to `content` (hexadecimal sha256)."""
        stamp = _stamp_digest(tensor)
        self._hashes[stamp] = content
        # Not flushed: a hash lost in a crash is read again.
        self._write(self._path("hashes", stamp), content.encode(), flush=False)

    def content(self, tensor: StoredTensor) -> str | None:
        """The content hash noted for a stored tensor whose file has not changed since; None if there is none."""
        stamp = _stamp_digest(tensor)
        if stamp not in self._hashes:
            path = self._path("hashes", stamp)
            try:
                content = path.read_text("ascii")
            except (OSError, UnicodeDecodeError):
                return None
            if len(content) != 64 or set(content) - set("0123456789abcdef"):
                return None
            self._hashes[stamp] = content
        return self._hashes[stamp]

    def key(self, job: Job) -> str | None:
        """The key of a job's result; None while some tensor's content hash is unknown."""
        known: dict[StoredTensor, str] = {}
        for recipe in (job.pair.base, job.pair.tuned):
            for tensor in tensors(recipe):
                content = self.content(tensor)
                if content is None:
                    return None
                known[tensor] = content
        return _digest(_inputs(job, known.__getitem__))

    # Results

    def find(self, job: Job) -> str | None:
        """The key of a job's result if it is here; an exact result answers a verdict. No weight is read."""
        for asked in dict.fromkeys((job.exactly, job)):
            key = self.key(asked)
            if key is not None and self._result_path(key).is_file():
                return key
        return None

    def load(self, key: str) -> MatrixResult | None:
        """The result under a key; None when it is missing or damaged."""
        return self._read(key, from_record)

    def summary(self, key: str) -> Summary | None:
        """The light part of the result under a key; None when it is missing or damaged."""
        return self._read(key, summary_from_record)

    def store(self, job: Job, result: MatrixResult) -> str:
        """Keep a job's result; returns its key. One that holds values is kept as the exact job's.

        Raises:
            KeyError: a tensor's content hash was never noted.
            OSError: the disk refused.
        """
        if result.tier is not Tier.CERTIFICATE:
            job = job.exactly
        key = self.key(job)
        if key is None:
            raise KeyError(f"{job.name}: content hashes unknown")
        inputs = _inputs(job, lambda tensor: self.content(tensor) or "")
        arrays, metadata = to_record(result, inputs)
        self._write(self._result_path(key), save(arrays, metadata))
        self._since_sweep += 1
        if (
            self._since_sweep % 64 == 1
        ):  # the walk costs milliseconds; the budget may be overrun by 64 entries
            self.evict()
        return key

    # House-keeping

    def usage(self) -> Usage:
        """Count what is there."""
        results = hashes = size = 0
        for entry in self._entries():
            results += entry.parent.parent.name == "results"
            hashes += entry.parent.parent.name == "hashes"
            with contextlib.suppress(OSError):
                size += _disk_size(entry.stat())
        return Usage(results, hashes, size, self.budget)

    def evict(self) -> int:
        """Remove the least recently used entries until nine tenths of the budget are left; how many went."""
        stats = []
        for entry in self._entries():
            with contextlib.suppress(OSError):
                stats.append((entry.stat(), entry))
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
        self._hashes.clear()
        return removed

    # Inner workings

    def _entries(self) -> Iterator[Path]:
        for kind in ("results", "hashes"):
            for entry in (self.root / kind).glob("??/*"):
                if not entry.name.startswith(".") or _abandoned(entry):
                    yield entry

    def _path(self, kind: str, digest: str) -> Path:
        return self.root / kind / digest[:2] / digest[2:]

    def _result_path(self, key: str) -> Path:
        return self._path("results", key).with_suffix(".safetensors")

    def _read(self, key: str, read: Callable[[Mapping[str, str], ReadArray], T]) -> T | None:
        path = self._result_path(key)
        try:
            # Without a mapping: on a network disk an entry that another process evicts would be a SIGBUS.
            with safe_open(path, "np", backend="pread") as file:
                result = read(file.metadata() or {}, file.get_tensor)
        except _UNREADABLE:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return result

    def _write(self, path: Path, content: bytes, *, flush: bool = True) -> None:
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


def _stamp_digest(tensor: StoredTensor) -> str:
    # The path is left out: a moved or hard-linked file keeps its device, inode and times.
    return _digest([asdict(tensor.stamp), tensor.name, tensor.dtype, tensor.shape, tensor.start])


def _abandoned(temporary: Path) -> bool:
    with contextlib.suppress(OSError):
        return time.time() - temporary.stat().st_mtime > _ABANDONED_AFTER
    return False


def _inputs(job: Job, content: Callable[[StoredTensor], str]) -> dict[str, Any]:
    decides = {"k": job.k, "eps": job.eps} if job.depth is Depth.VERDICT else {}
    return {
        "algorithm": ALGORITHM,
        "depth": job.depth,
        **decides,
        "base": describe(job.pair.base, content),
        "tuned": describe(job.pair.tuned, content),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _disk_size(stat: os.stat_result) -> int:
    return -(-stat.st_size // _DISK_BLOCK) * _DISK_BLOCK
