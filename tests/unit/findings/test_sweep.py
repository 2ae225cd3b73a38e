"""Sweeps against counting one definition at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.engines import SilentEngine
from tests.support.llama import llama_session
from tests.support.results import planted, unchanged
from tests.support.sweeps import matrix_members

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.sweep import Axis, Examined, by_eps, by_k, by_share, members_of
from intruder_tui.results import Similarity, Summary, Tier

UNIT = st.floats(0, 1, width=32)


@st.composite
def members(draw: st.DrawFn) -> Examined:
    """A matrix with up to 12 known vectors of up to 16, some of them as intervals."""
    held = draw(st.integers(0, 12))
    pairs = [
        sorted((a, a if exact else b))
        for a, b, exact in (draw(st.tuples(UNIT, UNIT, st.booleans())) for _ in range(held))
    ]
    lower = np.array([low for low, _ in pairs], np.float32)
    upper = np.array([high for _, high in pairs], np.float32)
    side = Similarity(lower, upper, np.full(held, -1, np.int32), np.empty((0, 0), np.float32))
    return Examined(
        Summary(False, side, side, Tier.CERTIFICATE), held + draw(st.integers(0 if held else 1, 4))
    )


def counted(members: list[Examined], k_of: dict[int, int], eps: float) -> tuple[int, int]:
    """(certain, possible) by asking for every verdict; a vector that no result holds may be anything."""
    certain = possible = 0
    for number, member in enumerate(members):
        definition = Definition(k=k_of[number], eps=eps)
        found = len(member.summary.intruders(definition))
        unknown = max(0, min(k_of[number], member.q) - len(member.summary.left.lower))
        certain += found
        possible += found + len(member.summary.undecided(definition)) + (unknown if eps > 0 else 0)
    return certain, possible


@given(st.lists(members(), max_size=3), st.integers(1, 20), UNIT)
@settings(max_examples=60)
def test_a_point_over_eps_is_what_counting_says(some: list[Examined], k: int, eps: float) -> None:
    sweep = by_eps("", some, Definition(k=k, eps=eps))
    k_of = dict.fromkeys(range(len(some)), k)
    for at, certain, possible in zip(sweep.at, sweep.certain, sweep.possible, strict=True):
        assert (certain, possible) == counted(some, k_of, float(at))
    assert sweep.value(eps) == counted(some, k_of, eps)


@given(st.lists(members(), max_size=3), st.integers(1, 20), UNIT)
@settings(max_examples=60)
def test_a_point_over_k_is_what_counting_says(some: list[Examined], k: int, eps: float) -> None:
    sweep = by_k("", some, Definition(k=k, eps=eps))
    for at, certain, possible in zip(sweep.at, sweep.certain, sweep.possible, strict=True):
        assert (certain, possible) == counted(some, dict.fromkeys(range(len(some)), int(at)), eps)


@given(st.lists(members(), min_size=1, max_size=3), UNIT)
@settings(max_examples=40)
def test_a_point_over_shares_is_what_counting_says(some: list[Examined], eps: float) -> None:
    sweep = by_share("", some, Definition(eps=eps))
    for place in (0, 40, 99):
        share = float(sweep.at[place]) if len(sweep.at) == 100 else 0.0
        ks = {n: max(1, int(np.ceil(share * member.q - 1e-9))) for n, member in enumerate(some)}
        if share * min(member.q for member in some) > 1e-9:
            assert (sweep.certain[place], sweep.possible[place]) == counted(some, ks, eps)


@given(st.lists(members(), max_size=4), st.integers(1, 20), UNIT)
@settings(max_examples=60)
def test_counts_rise_and_have_their_ends(some: list[Examined], k: int, eps: float) -> None:
    definition = Definition(k=k, eps=eps)
    over_eps, over_k = by_eps("", some, definition), by_k("", some, definition)
    for sweep in (over_eps, over_k, by_share("", some, definition)):
        assert (np.diff(sweep.certain) >= 0).all()
        assert (np.diff(sweep.possible) >= 0).all()
        assert (sweep.certain <= sweep.possible).all()
    assert over_eps.certain[0] == over_eps.possible[0] == 0
    assert over_eps.possible[-1] <= sum(min(k, member.q) for member in some)
    assert over_k.value(k) == over_eps.value(eps)


def test_many_matrices_are_the_sum_of_each() -> None:
    definition = Definition(k=20)
    parts = [matrix_members(planted(seed=seed))[0] for seed in range(3)]
    whole = by_eps("", parts, definition)
    single = [by_eps("", [part], definition) for part in parts]
    assert (whole.certain == sum(one.certain for one in single)).all()
    assert whole.matrices == 3


@pytest.mark.parametrize("side", list(Side))
def test_a_session_sweeps_to_its_own_total(side: Side) -> None:
    session = llama_session(SilentEngine(), ready=True)
    session.prime()
    definition = Definition(side=side, k=12, eps=0.45)
    members = members_of(session, session.default_names)
    for sweep in (by_eps("", members, definition), by_k("", members, definition)):
        at = definition.eps if sweep.axis is Axis.EPS else definition.k
        assert sweep.value(at) == (session.totals(definition).intruders,) * 2
    assert sweep.value(0) == (0, 0)


def test_an_unchanged_matrix_is_not_swept_over() -> None:
    assert matrix_members(unchanged()) == []
    empty = by_eps("", [], Definition())
    assert not empty.possible.any()
    assert by_share("", [], Definition()).possible.sum() == 0
