"""The exact tier: every value, from a float64 eigendecomposition of the shorter side's Gram matrix."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from intruder_tui.spectral.cosines import compare_long, compare_short
from intruder_tui.spectral.factors import Factors, factorise
from intruder_tui.spectral.pair import measure, survey, unchanged
from intruder_tui.spectral.values import Comparison, LowRank

Stage = Callable[[str], None]


def silent(_stage: str) -> None:
    """The stage listener of those who do not listen."""


def compare_exact(
    base: Tensor,
    tuned: Tensor | LowRank,
    *,
    limit: int = 4096,
    block: int = 128,
    on_stage: Stage = silent,
) -> Comparison:
    """Compare the singular vectors of a base weight with those of its tuned version, value for value.

    Args:
        base: [m, n], any float dtype, any device; everything large is computed there.
        tuned: [m, n] in any float dtype, or the update by its factors.
        limit: how many of the highest-ranking tuned vectors get a best match on each side.
        block: how many leading vectors the block of cosines holds.
        on_stage: is told each stage as it begins.

    Raises:
        SpectralError: shapes that differ, an empty matrix, values that are not finite.
    """
    on_stage("reading")
    pair = survey(base, tuned)
    if pair.norm_delta == 0.0:
        return unchanged(pair)
    on_stage("measuring the update")
    update = measure(pair)
    on_stage("factorising base")
    base_matrix, tuned_matrix = pair.matrices()
    base_factors = factorise(base_matrix)
    on_stage("factorising tuned")
    tuned_factors = factorise(tuned_matrix)
    on_stage("comparing")
    short = compare_short(base_factors, tuned_factors, limit, block)
    long = compare_long(base_factors, base_matrix, tuned_factors, tuned_matrix, limit, block)
    notes = (*rank_note("base", base_factors), *rank_note("tuned", tuned_factors))
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


def rank_note(name: str, factors: Factors) -> tuple[str, ...]:
    """Sentences about how a factorisation was reached and what it lacks."""
    missing = factors.sigma.numel() - factors.rank
    if not missing:
        return factors.notes
    total = factors.sigma.numel()
    lost = f"{missing} of {total} singular values of the {name} are numerically zero; they have no direction."
    return (*factors.notes, lost)
