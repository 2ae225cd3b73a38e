"""PEFT's pattern rule, and expressions made to hang."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.checkpoint import CheckpointError, patterns
from intruder_tui.checkpoint.patterns import PatternRules

MODULE = "model.layers.10.self_attn.q_proj"


def by_the_rule(keys: list[str], module: str) -> int:
    """PEFT's documented rule, literally; -1 when no key matches."""
    for place, key in enumerate(keys):
        if re.match(rf"(.*\.)?({key})$", module):
            return place
    return -1


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "q_proj",
                    "proj",
                    "self_attn.q_proj",
                    "k_proj",
                    "10.self_attn.q_proj",
                    "layers.1..self_attn.q_proj",
                ),
                *(
                    ".*proj",
                    r"layers\.[0-9]+\.self_attn\.q_proj",
                    "q_proj|k_proj",
                    "^model.layers.10.self_attn.q_proj",
                ),
                *(
                    "(q|k)_proj",
                    r"layers\.(0|1|10)\.self_attn\.(q|k)_proj",
                    "model",
                    "^q_proj",
                    "q_proj$",
                    "",
                ),
            ]
        ),
        unique=True,
        max_size=5,
    ),
    st.sampled_from([MODULE, "q_proj", "model.layers.1.mlp.k_proj", "a\nq_proj", ""]),
)
def test_the_first_matching_key_decides_as_in_peft(keys: list[str], module: str) -> None:
    rules = PatternRules({key: place for place, key in enumerate(keys)}, "table")
    assert rules.find(module, -1) == by_the_rule(keys, module)


@pytest.mark.parametrize(
    "key",
    [
        "(a+)+b",
        "(a|a)*b",
        "a?" * 40,
        "(a|a)" * 40,
        ".*" * 8 + "x",
        r"(a*)\1\1b",
        "(?P<n>a*)(?P=n)b",
        "(",
        "a" * 300,
    ],
)
def test_expressions_that_could_hang_are_refused_at_once(key: str) -> None:
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match="table"):
        PatternRules({key: 1}, "table").find("a" * 200, 0)
    assert time.perf_counter() - started < 1


def test_many_slow_matches_together_run_out_of_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "BUDGET_SECONDS", 0.001)
    rules = PatternRules({f"a*a*b{number}": 1 for number in range(200)}, "table")
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match=r"takes over 0\.001 s"):
        rules.find("a" * 250, 0)
    assert time.perf_counter() - started < 2
