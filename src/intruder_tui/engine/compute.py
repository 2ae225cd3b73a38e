"""One job, from the bytes to a cached result. Runs in the worker; the only user of `spectral`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from intruder_tui import spectral
from intruder_tui.cache import Cache
from intruder_tui.engine.arrays import floats, ints, rounded_out
from intruder_tui.engine.factors import keep_factors, load_factors
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.engine.weights import Weights, read_weights
from intruder_tui.results import MatrixResult, Similarity, Tier, Traits, Update
from intruder_tui.spectral import (
    Comparison,
    Factors,
    Matches,
    compare_certified,
    compare_exact,
    compare_with_factors,
    pack_base,
)
from intruder_tui.spectral.certified import SMALL, decided, intersected


def run_job(
    job: Job,
    cache: Cache,
    device: torch.device,
    on_stage: Callable[[str], None],
    notes: tuple[str, ...] = (),
) -> str:
    """Analyse a pair and keep the result, with further `notes`; returns its cache key.

    Raises:
        ReadError: a tensor can't be read or its file changed.
        SpectralError: the numbers can't be analysed (non-finite, empty).
        RuntimeError, MemoryError: memory or the device gave out.
    """
    known = known_key(job, cache)
    if known is not None:
        return known
    on_stage("reading")
    weights = read_weights(job.pair, cache, device)
    known = known_key(job, cache)
    if known is not None:
        return known
    comparison = _compare(job, weights, cache, on_stage)
    on_stage("storing")
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    return store(job, weights, comparison, cache, device)


def known_key(job: Job, cache: Cache) -> str | None:
    """The key of a job's result that lies in the cache, whole; None where it has to be computed."""
    known = cache.find(job)
    return known if known is not None and cache.load(known) is not None else None


def store(job: Job, weights: Weights, comparison: Comparison, cache: Cache, device: torch.device) -> str:
    """Keep what a job's weights gave on a device; returns its cache key.

    Raises:
        OSError: the disk refused.
    """
    rows, columns = weights.base.shape
    result = to_result(comparison, (rows, columns), job.pair.adapter_rank, device_name(device))
    return cache.store(job, result)


def _compare(job: Job, weights: Weights, cache: Cache, on_stage: Callable[[str], None]) -> Comparison:
    """The cheapest way to what the job asks; a factorised base is kept for its other tuned checkpoints."""
    base, tuned, recipe = weights.base, weights.tuned, job.pair.base
    if job.depth is Depth.EXACT:

        def keep(found: Factors, unit: float) -> None:
            if min(base.shape) > SMALL:  # below, factorising again is as fast as reading
                keep_factors(cache, recipe, pack_base(found, unit))

        return compare_exact(base, tuned, on_base=keep, on_stage=on_stage)
    factors = load_factors(cache, recipe, base.device)
    if factors is not None:
        narrow = compare_with_factors(factors, base, tuned, k=job.k, on_stage=on_stage)
        left, right = (not decided(side, job.eps) for side in (narrow.left, narrow.right))
        if narrow.unchanged or not (left or right):
            return narrow
        other = compare_certified(
            base, tuned, k=job.k, eps=job.eps, left=left, right=right, escalate=False, on_stage=on_stage
        )
        return other if other.tier != "certificate" else intersected(narrow, other)
    # What stays open is a job of its own, so that the bounds are on the screen while it runs.
    return compare_certified(base, tuned, k=job.k, eps=job.eps, escalate=False, on_stage=on_stage)


def to_result(
    comparison: Comparison, shape: tuple[int, int], adapter_rank: int | None, device: str
) -> MatrixResult:
    """A comparison's tensors as the numpy result that travels to the interface."""
    update = comparison.update
    return MatrixResult(
        shape=shape,
        unchanged=comparison.unchanged,
        sigma_base=floats(comparison.sigma_base),
        sigma_tuned=floats(comparison.sigma_tuned),
        left=_similarity(comparison.left),
        right=_similarity(comparison.right),
        update=Update(
            sigma=floats(update.sigma),
            frobenius=update.frobenius,
            relative_norm=update.relative_norm,
            effective_rank=update.effective_rank,
            stable_rank=update.stable_rank,
            energy_ranks=update.energy_ranks,
            adapter_rank=adapter_rank,
            rounding_floor=update.rounding_floor,
        ),
        weight_cosine=comparison.weight_cosine,
        tier=Tier(comparison.tier),
        device=device,
        notes=comparison.notes,
    )


def device_name(device: torch.device) -> str:
    """ "cpu", or the index and the card's name: "cuda:0 NVIDIA H200"."""
    if device.type != "cuda":
        return str(device)
    return f"{device} {torch.cuda.get_device_name(device)}"


def _similarity(matches: Matches) -> Similarity:
    lower, upper = rounded_out(matches.lower, matches.upper)
    index, block, traits = ints(matches.index), floats(matches.block), matches.traits
    if traits is None:
        return Similarity(lower, upper, index, block)
    least, most = rounded_out(matches.least, matches.most)
    overlap = floats(traits.cluster_overlap)
    return Similarity(lower, upper, index, block, _traits(traits), least, most, overlap)


def _traits(found: spectral.Traits) -> Traits:
    share = found.update_share
    unknown = torch.full_like(found.participation, torch.nan)
    return Traits(
        participation=floats(found.participation),
        window_share=floats(found.window_share),
        update_share=floats(share if share.numel() else unknown),
        cluster_size=ints(found.cluster_size),
        tied=ints(found.tuned_cluster_size),
        window=found.window,
    )
