"""What an engine is to those who use it: submit, cancel, close; events come back through a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from intruder_tui.engine.jobs import Work


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker has loaded torch and owns its device ("cpu", "cuda:0 NVIDIA H200")."""

    device: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A job (or a study, here and below) has entered a stage: "reading", "factorising", ...

    An empty one: it was interrupted by a more urgent job, or by the end of another one that ran together with
    it, and stands in the queue again.
    """

    job: Work
    stage: str


@dataclass(frozen=True, slots=True)
class Finished:
    """A job's result lies in the cache under `key`; of a batch each took an equal part of its seconds."""

    job: Work
    key: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A job has no result; `reason` is one line for the row."""

    job: Work
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A job was cancelled before it had a result."""

    job: Work


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine can't work at all (no such device, torch missing); every job will fail with `reason`."""

    reason: str


Event = Ready | Stage | Finished | Failed | Dropped | Broken
Listener = Callable[[Event], None]


class Engine(Protocol):
    """Runs jobs on one device, urgent ones first and one at a time, the newest of them before the others.

    Urgent studies come after urgent jobs. Small matrices of one shape that are not urgent may run together.
    """

    @property
    def log_path(self) -> Path | None:
        """Where the worker's stdout and stderr go; None when nothing is logged."""

    def start(self, listener: Listener) -> None:
        """Start working. `listener` is called from another thread, or within `submit`."""

    def submit(self, job: Work, *, urgent: bool = False) -> None:
        """Queue a job; a queued job submitted again as urgent moves to the front."""

    def cancel(self, job: Work) -> None:
        """Forget a queued job, or stop the running one at once."""

    def hold(self, held: bool) -> None:
        """Keep jobs that are not urgent back, or let them go on; what runs is finished either way."""

    def close(self) -> None:
        """Stop at once, even in the middle of a factorisation. May be called twice."""
