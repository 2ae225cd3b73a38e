"""Directions followed over steps: planted ones that grow, cross, and are missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.results import analyse, plant
from tests.support.studies import tuned_vectors
from tests.support.tracks import steps, weights

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.tracks import chains, tracks

DEFINITION = Definition()


@pytest.mark.parametrize("side", list(Side))
def test_a_planted_direction_is_one_chain_all_along(side: Side) -> None:
    base, tuned = weights()
    u, _, v = np.linalg.svd(plant(base, [1.0]) - base)
    planted = u[:, 0] if side is Side.LEFT else v[0]
    found = chains([step.vectors for step in steps()], side)
    expected = []
    for weight in tuned:
        u1, _, v1 = np.linalg.svd(weight, full_matrices=False)
        expected.append(int(np.abs(planted @ (u1 if side is Side.LEFT else v1.T)).argmax()))
    followed = dict(enumerate(expected))
    assert any(
        {place: j for place, (j, _) in chain.items()}.items() >= dict(list(followed.items())[1:]).items()
        for chain in found
    )


def test_every_vector_of_every_step_stands_in_one_chain() -> None:
    found = chains([step.vectors for step in steps()], Side.LEFT)
    for place in range(len(steps())):
        ranks = [chain[place][0] for chain in found if place in chain]
        assert sorted(ranks) == list(range(24))
    for chain in found:
        links = [link for _, link in chain.values()]
        assert links[0] == 1.0
        assert all(0.5 <= link <= 1.0 for link in links[1:])


def test_crossing_ranks_do_not_change_who_is_who() -> None:
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.standard_normal((40, 12)))[0] for _ in range(2))
    sigma = np.linspace(3, 1, 12)
    swapped = sigma.copy()
    swapped[[2, 7]] = sigma[[7, 2]]
    one, other = (tuned_vectors((u * values) @ v.T, 12) for values in (sigma, swapped))
    ranks = {chain[0][0]: chain[1][0] for chain in chains([one, other], Side.LEFT)}
    assert (ranks[2], ranks[7], ranks[4]) == (7, 2, 4)


def test_steps_without_vectors_are_bridged() -> None:
    gap = [replace(step, vectors=None) if n == 2 else step for n, step in enumerate(steps())]
    found = tracks(gap, DEFINITION)
    assert found
    assert all(track.points[2] is None for track in found)
    assert found[0].points[1] is not None
    assert found[0].points[3] is not None


def test_tracks_hold_what_the_results_say() -> None:
    base, tuned = weights()
    found = tracks(steps(), DEFINITION)
    strongest = found[0]
    for place, point in enumerate(strongest.points):
        if point is None:
            continue
        result = analyse(base, tuned[place])
        assert point.sigma == pytest.approx(float(result.sigma_tuned[point.j]), rel=1e-5)
        assert point.upper == result.left.upper[point.j]
        assert point.intruder == (point.j < 10 and float(result.left.upper[point.j]) < 0.5)
    assert strongest.last.j == 0
    assert strongest.lowest == min(float(one.left.upper[:10].min()) for one in map_results())


def map_results() -> list[object]:
    base, tuned = weights()
    return [analyse(base, weight) for weight in tuned]
