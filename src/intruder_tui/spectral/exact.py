"""The exact tier: every value, from a float64 eigendecomposition of the shorter side's Gram matrix."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from intruder_tui.spectral.cosines import compare_long, compare_short
from intruder_tui.spectral.factors import Factors, factorise
from intruder_tui.spectral.matrices import Matrix
from intruder_tui.spectral.pair import Pair, rank_note, survey, unchanged
from intruder_tui.spectral.refine import refined, unsettled
from intruder_tui.spectral.update import dissect
from intruder_tui.spectral.values import Comparison, LowRank, Matches

Stage = Callable[[str], None]


def silent(_stage: str) -> None:
    """The stage listener of those who do not listen."""


def compare_exact(
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    limit: int = 4096,
    block: int = 128,
    window: int = 8,
    on_base: Callable[[Factors, float], None] | None = None,
    on_stage: Stage = silent,
) -> Comparison:
    """Compare the singular vectors of a base weight with those of its tuned version, value for value.

    A weight whose leading vectors are so nearly tied that squaring its singular values costs them digits
    that show is factorised again without squaring: the tier is then "float64".

    Args:
        base: [m, n], any float dtype, any device; everything large is computed there.
        tuned: [m, n] in any float dtype, or the update by its factors.
        limit: how many of the highest-ranking tuned vectors get a best match on each side.
        block: how many leading vectors the block of cosines holds.
        window: half width of the neighbourhood that `Traits.window_share` speaks of.
        on_base: is given the base's factors and the unit they are in, for `pack_base` to keep.
        on_stage: is told each stage as it begins.

    Raises:
        SpectralError: shapes that differ, an empty matrix, values that are not finite.
    """
    on_stage("reading")
    pair = survey(base, tuned)
    if pair.norm_delta == 0.0:
        return unchanged(pair)
    return compare_matrices(
        pair,
        *pair.parts(),
        limit=limit,
        block=block,
        window=window,
        on_base=on_base,
        on_stage=on_stage,
    )


def compare_matrices(
    pair: Pair,
    base_matrix: Matrix,
    tuned_matrix: Matrix,
    delta: Matrix | None,
    *,
    limit: int = 4096,
    block: int = 128,
    window: int = 8,
    on_base: Callable[[Factors, float], None] | None = None,
    on_stage: Stage = silent,
) -> Comparison:
    """`compare_exact` of a surveyed pair that differs, given as matrices: base, tuned, and a dense dW."""
    on_stage("measuring the update")
    said: list[str] = []
    update, spans = dissect(pair, delta, said)
    on_stage("factorising base")
    base_factors = factorise(base_matrix)
    on_stage("factorising tuned")
    tuned_factors = factorise(tuned_matrix)
    on_stage("comparing")
    short_span, long_span = spans or (None, None)

    def compare(base: Factors, tuned: Factors) -> tuple[Matches, Matches]:
        return (
            compare_short(base, tuned, limit, block, window, short_span),
            compare_long(base, base_matrix, tuned, tuned_matrix, limit, block, window, long_span),
        )

    short, long = compare(base_factors, tuned_factors)
    doubtful = unsettled(base_factors, tuned_factors, short, long)
    if doubtful.base or doubtful.tuned:
        on_stage("refining near ties")
        if doubtful.base:
            base_factors = refined(base_matrix, base_factors)
        if doubtful.tuned:
            tuned_factors = refined(tuned_matrix, tuned_factors)
        short, long = compare(base_factors, tuned_factors)
    if on_base is not None:
        on_base(base_factors, pair.unit)
    notes: tuple[str, ...] = tuple(said)
    for name, found in (("base", base_factors), ("tuned", tuned_factors)):
        total = len(found.sigma)
        notes += (*found.notes, *rank_note(name, total - found.rank, total))
    return Comparison(
        sigma_base=base_factors.sigma.cpu() / pair.unit,
        sigma_tuned=tuned_factors.sigma.cpu() / pair.unit,
        left=long if pair.transposed else short,
        right=short if pair.transposed else long,
        update=update,
        weight_cosine=pair.weight_cosine,
        tier="float64" if "float64" in (base_factors.tier, tuned_factors.tier) else "exact",
        notes=notes,
        unchanged=False,
    )
