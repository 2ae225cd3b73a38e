"""The disk cache: content hashes by file stamp, results and base factors by content.

    hashes/ab/cdef...               what a stored tensor's bytes hash to, by the stamp of its file
    results/ab/cdef....safetensors  a result, by the content it was computed from
    factors/ab/cdef....safetensors  a base matrix's singular vectors, by its content
    studies/ab/cdef....safetensors  a study of a pair, by the content it was computed from

Entries are immutable; a damaged one is a miss. `Shelf` keeps them within their budgets and several processes
out of each other's way.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from platformdirs import user_cache_path
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from intruder_tui.checkpoint.recipes import Recipe
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.contents import Contents
from intruder_tui.engine.jobs import Job, Study
from intruder_tui.identity import factors_key, result_inputs, result_key, study_key
from intruder_tui.records import ReadArray, RecordError, from_record, summary_from_record, to_record
from intruder_tui.results import MatrixResult, Summary, Tier
from intruder_tui.shelf import Shelf
from intruder_tui.studies.answers import StudyKind
from intruder_tui.studies.files import StudyValue, read_study

DEFAULT_BUDGET = 4_000_000_000
"""Bytes; results of a few hundred 7B-sized comparisons."""

DEFAULT_FACTORS_BUDGET = 10_000_000_000
"""Bytes; the factors of one 7B-sized base."""

DEFAULT_STUDIES_BUDGET = 4_000_000_000
"""Bytes; a hundred whole similarity matrices of 4096 x 4096."""

ENVIRONMENT = "INTRUDER_TUI_CACHE"

T = TypeVar("T")

_SUFFIX = ".safetensors"
_DAMAGED = (SafetensorError, RecordError, KeyError, TypeError, ValueError)


def default_root() -> Path:
    """`$INTRUDER_TUI_CACHE`, else the platform's cache directory for intruder-tui."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else user_cache_path("intruder-tui")


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the cache is: entries, bytes on disk, bytes allowed; factors and studies by themselves."""

    results: int
    hashes: int
    size: int
    budget: int
    factors: int
    factors_size: int
    factors_budget: int
    studies: int
    studies_size: int
    studies_budget: int


class Cache:
    """Results on disk. Reading never raises for a bad entry; writing raises OSError when the disk refuses."""

    def __init__(
        self, root: Path, budget: int = DEFAULT_BUDGET, factors_budget: int = DEFAULT_FACTORS_BUDGET
    ) -> None:
        self.root = root
        self.budget = budget
        self.factors_budget = factors_budget
        self._shelf = Shelf(root, ("results", "hashes"), budget, sweep_each=256)
        self._contents = Contents(self._shelf)
        self._factors = Shelf(root, ("factors",), factors_budget)
        self._studies = Shelf(root, ("studies",), DEFAULT_STUDIES_BUDGET)

    def reopened(self) -> Cache:
        """The same directory and budgets with nothing in memory: what another process gets."""
        return Cache(self.root, self.budget, self.factors_budget)

    # Identity

    def remember(self, tensor: StoredTensor, content: str) -> None:
        """Note that a stored tensor's dtype, shape and bytes hash to `content` (hexadecimal sha256)."""
        self._contents.remember(tensor, content)

    def content(self, tensor: StoredTensor) -> str | None:
        """The content hash noted for a stored tensor, if its file has not changed since; None otherwise."""
        return self._contents.of(tensor)

    # Results

    def find(self, job: Job) -> str | None:
        """The key of a job's result if it is here; an exact result answers a verdict. No weight is read."""
        return self._first((job.exactly, job))

    def find_bounds(self, job: Job) -> str | None:
        """The key of the pair's last certificate, whatever it had to decide; None if there is none."""
        return self._first((job.loosely,))

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
        key = result_key(job, self._contents)
        if key is None:
            raise KeyError(f"{job.name}: content hashes unknown")
        inputs = result_inputs(job, lambda tensor: self.content(tensor) or "")
        arrays, metadata = to_record(result, inputs)
        content = save(arrays, metadata)
        self._shelf.write(self._result_path(key), content)
        if result.tier is Tier.CERTIFICATE:
            loose = result_key(job.loosely, self._contents)
            assert loose is not None, job.name
            self._shelf.write(self._result_path(loose), content)
        return key

    # Base factors

    def factors_key(self, base: Recipe) -> str | None:
        """The key of a base matrix's factors; None while some tensor's content hash is unknown."""
        return factors_key(base, self._contents)

    def factors_path(self, key: str) -> Path | None:
        """The safetensors file of a base matrix's factors, marked as used; None when there is none."""
        path = self._factors.path("factors", key, _SUFFIX)
        if not path.is_file():
            return None
        self._factors.touch(path)
        return path

    def store_factors(self, key: str, content: bytes) -> bool:
        """Keep a base matrix's factors, unless they alone exceed their budget; whether they were kept.

        Raises:
            OSError: the disk refused.
        """
        if len(content) > self._factors.budget:
            return False
        # Not flushed: what a crash damages is found when it is read, and computed again.
        self._factors.write(self._factors.path("factors", key, _SUFFIX), content, flush=False)
        return True

    # Studies

    def find_study(self, study: Study) -> str | None:
        """The key of a study's answer if it is here; no weight is read."""
        key = study_key(study, self._contents)
        return key if key is not None and self._study_path(key).is_file() else None

    def load_study(self, kind: StudyKind, key: str) -> StudyValue | None:
        """The answer under a key; None when it is missing or damaged."""
        return _entry(self._studies, self._study_path(key), lambda path: read_study(kind, path))

    def store_study(self, study: Study, content: bytes) -> str:
        """Keep a study's answer (`studies.files.study_content`); returns its key.

        Raises:
            KeyError: a tensor's content hash was never noted.
            ValueError: it alone exceeds the budget.
            OSError: the disk refused.
        """
        key = study_key(study, self._contents)
        if key is None:
            raise KeyError(f"{study.name}: content hashes unknown")
        if len(content) > self._studies.budget:
            raise ValueError(f"{len(content)} bytes; studies may take {self._studies.budget} in the cache")
        # Not flushed: what a crash damages is found when it is read, and computed again.
        self._studies.write(self._study_path(key), content, flush=False)
        return key

    # House-keeping

    def usage(self) -> Usage:
        """Count what is there."""
        return Usage(
            results=self._shelf.count("results"),
            hashes=self._shelf.count("hashes"),
            size=self._shelf.size(),
            budget=self.budget,
            factors=self._factors.count("factors"),
            factors_size=self._factors.size(),
            factors_budget=self.factors_budget,
            studies=self._studies.count("studies"),
            studies_size=self._studies.size(),
            studies_budget=self._studies.budget,
        )

    def evict(self) -> int:
        """Remove the least recently used results until nine tenths of the budget are left; how many went."""
        return self._shelf.evict()

    def clear(self) -> int:
        """Remove every entry, and only entries; how many went."""
        self._contents.forget()
        return self._shelf.clear() + self._factors.clear() + self._studies.clear()

    # Inner workings

    def _study_path(self, key: str) -> Path:
        return self._studies.path("studies", key, _SUFFIX)

    def _first(self, jobs: Iterable[Job]) -> str | None:
        for job in jobs:
            key = result_key(job, self._contents)
            if key is not None and self._result_path(key).is_file():
                return key
        return None

    def _result_path(self, key: str) -> Path:
        return self._shelf.path("results", key, _SUFFIX)

    def _read(self, key: str, read: Callable[[Mapping[str, str], ReadArray], T]) -> T | None:
        def opened(path: Path) -> T:
            # Without a mapping: on a network disk an entry that another process evicts would be a SIGBUS.
            with safe_open(path, "np", backend="pread") as file:
                return read(file.metadata() or {}, file.get_tensor)

        return _entry(self._shelf, self._result_path(key), opened)


def _entry(shelf: Shelf, path: Path, read: Callable[[Path], T]) -> T | None:
    """What a shelf's file holds, marked as used; None when it is missing, or damaged and so removed."""
    try:
        value = read(path)
    except OSError:
        return None
    except _DAMAGED:
        with contextlib.suppress(OSError):
            path.unlink()  # so that it is computed again, not found again
        return None
    shelf.touch(path)
    return value
