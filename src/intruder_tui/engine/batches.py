"""Which jobs a worker is given together: small matrices of one shape, none of them awaited by a person.

A small matrix takes milliseconds, most of them overhead and the work of one core; with several at once, other
cores and the device have their share.
"""

from __future__ import annotations

import os

from intruder_tui.engine.jobs import Job, Work

SMALL = 512
"""Up to this shorter side every value is computed, whatever is asked: that of `spectral`, without torch."""
MOST = 32
"""Matrices of a batch."""
MOST_ELEMENTS = 2**24
"""Of each side's weights, which are held at once."""
MOST_WORK = 2**28
"""Sum of m n min(m, n) a core: about 0.7 s, since somebody may have to wait for it."""
TOO_LONG = 4 * MOST_WORK
"""A matrix of more work than this runs alone, so that it can be interrupted."""


def batched(job: Work) -> bool:
    """Whether a job may run together with others of the same shape."""
    return isinstance(job, Job) and min(job.pair.shape) <= SMALL


def room(shape: tuple[int, int], cores: int) -> int:
    """How many matrices of a shape a batch has; at least one.

    One a core takes hardly longer than one that has all cores.
    """
    m, n = shape
    size = max(1, m * n)
    work = max(1, size * min(m, n))
    if work > TOO_LONG:
        return 1
    return max(1, min(MOST, MOST_ELEMENTS // size, max(cores, cores * MOST_WORK // work)))


def cores() -> int:
    """The cores that this process and its children may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
