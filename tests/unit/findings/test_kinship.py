"""Whether tuned weights look like versions of their base, a matrix and a checkpoint at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.engines import SilentEngine
from tests.support.results import planted, unchanged
from tests.support.sessions import adapted_row, matrix_row, session

from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.checkpoint.recipes import Adapted, LoraUpdate, ReplacedRows
from intruder_tui.definition import Definition
from intruder_tui.findings.kinship import Kinship, kinship
from intruder_tui.findings.tally import Totals
from intruder_tui.results import MatrixResult


@pytest.mark.parametrize(
    ("cosine", "norm", "built", "found"),
    [
        (0.29, 1.4, False, Kinship.UNRELATED),
        (-0.8, 1.9, False, Kinship.UNRELATED),
        (0.31, 0.9, False, Kinship.VERSIONS),
        (0.99, 3.0, False, Kinship.OUTGROWN),
        (0.15, 6.74, True, Kinship.OUTGROWN),
        (0.15, 0.99, True, Kinship.VERSIONS),
        (None, float("inf"), False, Kinship.VERSIONS),
        (None, None, False, Kinship.VERSIONS),
    ],
)
def test_a_pair_is_judged_by_its_cosine_and_by_the_size_of_its_update(
    cosine: float | None, norm: float | None, built: bool, found: Kinship
) -> None:
    assert kinship(cosine, norm, built_on_base=built) is found


def test_an_adapter_is_built_on_the_base_unless_it_brings_its_own_weight() -> None:
    def pair_of(name: str) -> MatrixPair:
        pair = adapted_row(name).pair
        assert pair is not None
        return pair

    pair, other = pair_of("layers.0.q_proj.weight"), pair_of("layers.1.q_proj.weight")
    assert isinstance(pair.tuned, Adapted)
    assert isinstance(pair.tuned.update, LoraUpdate)
    assert pair.built_on_base
    rows = replace(pair.tuned, base=ReplacedRows(pair.base, pair.tuned.update.a, (3,)))
    assert replace(pair, tuned=rows).built_on_base
    assert not replace(pair, tuned=replace(pair.tuned, base=other.base)).built_on_base
    full = matrix_row("layers.0.q_proj.weight").pair
    assert full is not None
    assert not full.built_on_base


def sums(cosines: Sequence[float | None], *, adapter: bool = False, norm: float = 1.4) -> Totals:
    """The sums over a checkpoint whose matrices have these cosines; None for one that did not change."""
    names = [f"layers.{number}.q_proj.weight" for number in range(len(cosines))]
    plain = planted(64, 48)

    def result(cosine: float | None) -> MatrixResult:
        if cosine is None:
            return unchanged()
        return replace(plain, weight_cosine=cosine, update=replace(plain.update, relative_norm=norm))

    results = {name: result(cosine) for name, cosine in zip(names, cosines, strict=True)}
    rows = [(adapted_row if adapter else matrix_row)(name) for name in names]
    one = session(rows, SilentEngine(), results, ready=names)
    one.prime()
    return one.totals(Definition())


@pytest.mark.parametrize(
    ("cosines", "doubtful"),
    [
        ([0.0, 0.01, -0.02], True),
        ([0.0, 0.01], False),  # too few
        ([0.0, 0.01, None, None], False),  # too few that changed
        ([0.0, 0.0, 0.99, 0.99], False),  # half
        ([0.0, 0.0, 0.0, 0.99, 0.99, None, None, None], True),
    ],
)
def test_most_of_at_least_three_changed_matrices_make_the_base_doubtful(
    cosines: list[float | None], doubtful: bool
) -> None:
    totals = sums(cosines)
    assert totals.changed == sum(cosine is not None for cosine in cosines)
    assert totals.unrelated == sum(cosine is not None and cosine < 0.3 for cosine in cosines)
    assert totals.base_doubtful is doubtful


def test_a_large_adapter_makes_no_base_doubtful() -> None:
    totals = sums([0.0] * 4, adapter=True, norm=6.74)
    assert (totals.unrelated, totals.outgrown, totals.base_doubtful) == (0, 4, False)
