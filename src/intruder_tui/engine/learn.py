"""One study, from the bytes to a cached answer. Runs in the worker, as `compute` does for jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.recipes import Recipe, describe
from intruder_tui.definition import Side
from intruder_tui.engine.arrays import floats, ints, rounded_out
from intruder_tui.engine.factors import keep_factors, load_factors
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.weights import Weights, read_weights
from intruder_tui.results import Floats, Ints
from intruder_tui.spectral import BaseFactors, LowRank, SpectralError, factorise_base
from intruder_tui.spectral.certified import SMALL
from intruder_tui.spectral.leading import leading_vectors
from intruder_tui.spectral.scalings import Bounds, scaling_grid, update_components
from intruder_tui.spectral.whole import WholeCosines
from intruder_tui.studies.answers import Scalings, Spread, StudyKind, TunedVectors
from intruder_tui.studies.files import cosines_content, study_content

FOLLOWED = 32
"""Tuned vectors that are kept of a checkpoint to be followed."""
SCALED = 20
"""Tuned vectors that are known at every scaling; of a flat spectrum more cost twice the time."""
MULTIPLES = np.linspace(0.0, 4.0, 33)
"""Of the update: 0 is the base, 1 the adapter as it is."""

FEW_ROWS = 2048
"""Up to this shorter side a thread alone is as fast."""

OnStage = Callable[[str], None]


def run_study(study: Study, cache: Cache, device: torch.device, on_stage: OnStage) -> str:
    """Answer a study and keep the answer; returns its cache key.

    Raises:
        ReadError: a tensor can't be read or its file changed.
        SpectralError: the numbers can't be analysed, or the answer is larger than its place in the cache.
        RuntimeError, MemoryError: memory or the device gave out.
    """
    known = cache.find_study(study)
    if known is not None and cache.load_study(study.kind, known) is not None:
        return known
    on_stage("reading")
    weights = read_weights(study.pair, cache, device)
    known = cache.find_study(study)
    if known is not None and cache.load_study(study.kind, known) is not None:
        return known
    try:
        match study.kind:
            case StudyKind.SCALINGS:
                return _scalings(study, weights, cache, on_stage)
            case StudyKind.VECTORS:
                return _vectors(study, weights, cache, on_stage)
            case StudyKind.COSINES:
                return _cosines(study, weights, cache, on_stage)
    except ValueError as error:
        raise SpectralError(str(error)) from error


def _scalings(study: Study, weights: Weights, cache: Cache, on_stage: OnStage) -> str:
    base, update = weights.base, weights.tuned
    if not isinstance(update, LowRank):
        raise SpectralError("the update is not low-rank here: its scaling can't be changed")
    factors = load_factors(cache, study.pair.base, base.device)
    if factors is None:
        on_stage("factorising base")
        factors = factorise_base(base)
        _keep(cache, study.pair.base, factors)
    multiples = [float(t) for t in MULTIPLES]
    with _one_thread(base):
        grid = scaling_grid(factors, base, update, multiples, limit=SCALED, on_stage=on_stage)
    components = update_components(update)[0]
    known = all(one.left.shares.shape[1] for one in grid)
    on_stage("storing")
    value = Scalings(
        multiples=MULTIPLES,
        scaling=update.scaling,
        adapter_rank=study.pair.adapter_rank,
        sigma=_stacked([one.sigma for one in grid]),
        components=floats(components if known else components[:0]),
        left=_spread([one.left for one in grid]),
        right=_spread([one.right for one in grid]),
    )
    return cache.store_study(study, study_content(value, _inputs(study, cache)))


@contextmanager
def _one_thread(base: torch.Tensor) -> Iterator[None]:
    """Many products too small to share: on a busy machine threads that wait for each other cost 20 times."""
    before = torch.get_num_threads()
    small = base.device.type == "cpu" and min(base.shape) <= FEW_ROWS
    torch.set_num_threads(1 if small else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _vectors(study: Study, weights: Weights, cache: Cache, on_stage: OnStage) -> str:
    found = leading_vectors(weights.base, weights.tuned, limit=FOLLOWED, on_stage=on_stage)
    on_stage("storing")
    value = TunedVectors(
        floats(found.sigma),
        found.left.to(torch.float16).numpy(),
        found.right.to(torch.float16).numpy(),
        floats(found.angles),
    )
    return cache.store_study(study, study_content(value, _inputs(study, cache)))


def _cosines(study: Study, weights: Weights, cache: Cache, on_stage: OnStage) -> str:
    """Both sides are kept: the factorisations, which both need, are most of the work."""
    base, tuned = weights.base, weights.tuned

    def keep(factors: BaseFactors) -> None:
        _keep(cache, study.pair.base, factors)

    kept = load_factors(cache, study.pair.base, base.device)
    whole = WholeCosines(base, tuned, kept, on_base=keep, on_stage=on_stage)
    key = ""
    for side in sorted(Side, key=lambda one: one is study.side):  # the one asked for last: nothing evicts it
        on_stage(f"comparing, side {side}")
        one = Study(study.pair, study.kind, side)
        full, best, index = _gathered(whole, side)
        on_stage(f"storing, side {side}")
        sigma = (floats(whole.sigma_base), floats(whole.sigma_tuned))
        key = cache.store_study(one, cosines_content(full, side, sigma, best, index, _inputs(one, cache)))
    return key


def _gathered(whole: WholeCosines, side: Side) -> tuple[NDArray[np.float16], Floats, Ints]:
    rows, columns = whole.shape
    full = np.empty((rows, columns), np.float16)
    best = np.zeros(columns, np.float32)
    index = np.full(columns, -1, np.int32)
    for row, column, panel in whole.panels(left=side is Side.LEFT):
        height, width = panel.shape
        full[row : row + height, column : column + width] = panel.to("cpu", torch.float16).numpy()
        values, places = (one.cpu().numpy() for one in panel.max(dim=0))
        where = slice(column, column + width)
        better = values > best[where]
        index[where] = np.where(better, places + row, index[where])
        best[where] = np.where(better, values, best[where])
    return full, best, index


def _keep(cache: Cache, base: Recipe, factors: BaseFactors) -> None:
    if len(factors.sigma) > SMALL:  # below, factorising again is as fast as reading
        keep_factors(cache, base, factors)


def _inputs(study: Study, cache: Cache) -> dict[str, object]:
    return {
        side: describe(recipe, lambda tensor: cache.content(tensor) or "")
        for side, recipe in (("base", study.pair.base), ("tuned", study.pair.tuned))
    }


def _spread(grid: list[Bounds]) -> Spread:
    lower, upper = rounded_out(
        torch.stack([one.lower for one in grid]), torch.stack([one.upper for one in grid])
    )
    index = ints(torch.stack([one.index for one in grid]))
    return Spread(lower, upper, index, _stacked([one.shares for one in grid]))


def _stacked(parts: list[torch.Tensor]) -> Floats:
    return floats(torch.stack(parts))
