"""Matching names: exact, wrappers, prefixes, and never a guess."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intruder_tui.checkpoint.rules import match_names, plain_name

NAMES = st.lists(
    st.lists(
        st.sampled_from(
            ["model", "roberta", "module", "layers", "encoder", "decoder", "0", "1", "q", "weight"]
        ),
        min_size=1,
        max_size=5,
    ).map(".".join),
    max_size=12,
)

Q = "model.layers.0.self_attn.q_proj.weight"


def rules(base: list[str], tuned: list[str]) -> dict[tuple[str, str], str]:
    return {(match.base, match.tuned): match.rule for match in match_names(base, tuned).matches}


@pytest.mark.parametrize(
    "tuned",
    [
        f"module.{Q}",
        f"_orig_mod.{Q}",
        f"_orig_mod.module.{Q}",
        "model.layers.0._fsdp_wrapped_module.self_attn.q_proj.weight",
        "model.layers.0._checkpoint_wrapped_module.self_attn.q_proj.weight",
        f"base_model.model.{Q.replace('.weight', '.base_layer.weight')}",
        f"base_model.model.{Q.replace('.weight', '.modules_to_save.default.weight')}",
    ],
)
def test_wrappers_are_seen_through_on_either_side(tuned: str) -> None:
    assert plain_name(tuned) == Q
    assert rules([Q], [tuned]) == {(Q, tuned): "wrappers removed"}
    assert rules([tuned], [Q]) == {(tuned, Q): "wrappers removed"}


def test_prefixes_are_whole_leading_components() -> None:
    bare = "layers.0.self_attn.q_proj.weight"
    assert rules([bare], [Q]) == {(bare, Q): "tuned without 'model.'"}
    assert rules([Q], [bare]) == {(Q, bare): "base without 'model.'"}
    assert rules([Q], [f"model.{Q}"]) == {(Q, f"model.{Q}"): "tuned without 'model.'"}
    assert rules(["c_attn.bias"], ["attn.bias"]) == {}
    assert rules(["dense.weight"], ["supermodel.dense.weight"]) == {}
    assert rules(["lm_head.dense.weight", "pooler.dense.weight"], ["classifier.dense.weight"]) == {}


def test_two_candidates_are_left_alone_and_said_to_be_ambiguous() -> None:
    base = ["text_model.layers.0.weight", "model.layers.0.weight"]
    matching = match_names(base, ["layers.0.weight"])
    assert matching.matches == ()
    assert list(matching.ambiguous_tuned) == ["layers.0.weight"]
    lone = match_names(["encoder.block.0.weight", "decoder.block.0.weight"], ["block.0.weight"])
    assert lone.matches == ()


def test_two_tuned_names_for_one_base_name_are_ambiguous() -> None:
    matching = match_names(["layers.0.weight"], ["model.layers.0.weight", "module.layers.0.weight"])
    assert matching.matches == ()
    assert list(matching.ambiguous_base) == ["layers.0.weight"]


@given(NAMES, NAMES)
def test_no_name_is_used_twice_and_exact_names_always_pair(base: list[str], tuned: list[str]) -> None:
    matches = match_names(base, tuned).matches
    assert len({match.base for match in matches}) == len({match.tuned for match in matches}) == len(matches)
    exact = {match.base for match in matches if match.rule == "exact"}
    assert exact == set(base) & set(tuned)
    for match in matches:
        numbers = [[part for part in name.split(".") if part.isdigit()] for name in (match.base, match.tuned)]
        assert numbers[0] == numbers[1]


@given(NAMES, NAMES)
def test_which_side_is_the_base_makes_no_difference(base: list[str], tuned: list[str]) -> None:
    forth = {(match.base, match.tuned) for match in match_names(base, tuned).matches}
    back = {(match.tuned, match.base) for match in match_names(tuned, base).matches}
    assert forth == back
