"""`--map`: what a person writes, applied within bounds."""

from __future__ import annotations

import time

import pytest

from intruder_tui.checkpoint import CheckpointError, renames
from intruder_tui.checkpoint.renames import parse_renames
from intruder_tui.checkpoint.rules import match_names


def test_the_first_rule_that_changes_a_name_decides() -> None:
    rules = parse_renames([r"^blk\.(\d+)=layers.\1", "^blk=x", r"a(?=b)=c"])
    assert rules.apply(["blk.3.w", "blk.w", "ab", "other"]) == {
        "blk.3.w": ("layers.3.w", r"--map ^blk\.(\d+)=layers.\1"),
        "blk.w": ("x.w", "--map ^blk=x"),
        "ab": ("cb", "--map a(?=b)=c"),
    }


def test_a_mapped_name_is_left_to_no_other_rule() -> None:
    base, tuned = ["a.weight", "b.weight"], ["a.weight", "model.b.weight"]
    matching = match_names(base, tuned, renames=parse_renames(["^a=b", r"^model\.b=gone"]))
    assert [(match.base, match.tuned) for match in matching.matches] == [("b.weight", "a.weight")]


def test_two_names_mapped_to_one_pair_with_neither() -> None:
    assert match_names(["c.w"], ["a.w", "b.w"], renames=parse_renames(["[ab]=c"])).matches == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=x",
        "nothing",
        "(=x",
        r"a=\9",
        r"a=\g<x",
        "a{99999999999}=x",
        "x" * 500 + "=y",
        "[=]",
    ],
)
def test_rules_that_do_not_work_are_one_line(text: str) -> None:
    with pytest.raises(CheckpointError, match=r"^--map ") as caught:
        parse_renames([text])
    assert "\n" not in str(caught.value)


def test_a_rule_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renames, "BUDGET_SECONDS", 0.3)
    rules = parse_renames(["(a|aa)+$=x"])
    assert rules.apply(["b.weight"]) == {}
    started = time.process_time()
    with pytest.raises(CheckpointError, match=r"takes over 0\.3 s"):
        rules.apply(["a" * 60 + ".weight"])
    assert time.process_time() - started < 3
