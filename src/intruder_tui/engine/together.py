"""A batch of small jobs, from the bytes to cached results. Runs in the worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

import torch

from intruder_tui.cache import Cache
from intruder_tui.engine.assemble import ReadError
from intruder_tui.engine.compute import known_key, store
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.weights import Weights, read_weights
from intruder_tui.spectral import SpectralError, compare_together

TOGETHER = "factorising with others of its shape"
"""The stage of a batch's jobs, which they enter and leave together."""


def run_together(
    jobs: Sequence[Job], cache: Cache, device: torch.device, on_stage: Callable[[Job, str], None]
) -> Iterator[tuple[Job, str, float]]:
    """Analyse pairs of one shape at once; gives jobs with their cache keys and seconds.

    The weights of all are held at once: `batches` bounds them. A job that fails by itself is left out, which
    says nothing of the reason.

    Raises:
        RuntimeError, MemoryError: memory or the device gave out; what was not given is still to be done.
        OSError: the disk refused a result.
    """
    weights: dict[Job, Weights] = {}
    started = monotonic()
    for job in jobs:
        began = monotonic()
        key = known_key(job, cache)
        if key is None:
            on_stage(job, "reading")
            try:
                read = read_weights(job.pair, cache, device)
            except ReadError:
                continue
            key = known_key(job, cache)
            if key is None:
                weights[job] = read
        if key is not None:
            yield job, key, monotonic() - began
    for job in weights:
        on_stage(job, TOGETHER)
    found = compare_together([(one.base, one.tuned) for one in weights.values()])
    share = (monotonic() - started) / max(1, len(weights))
    for (job, read), comparison in zip(weights.items(), found, strict=True):
        if not isinstance(comparison, SpectralError):
            began = monotonic()
            key = store(job, read, comparison, cache, device)
            yield job, key, share + monotonic() - began
