"""Regular expressions that a person types: none takes long to make, and each refusal says why."""

from __future__ import annotations

import time

import pytest

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.expressions import ExpressionError, compiled
from intruder_tui.checkpoint.renames import parse_renames


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a{9999999}", "its counts multiply to more than 10000"),
        ("(a{,200}){,200}", "multiply to"),
        ("((a{100}){100}){100}", "multiply to"),
        ("a{100000}" * 30, "multiply to"),
        ("a" * 401, "40[12] characters; at most 400"),
        ("(q_proj", r"missing \)"),
    ],
)
def test_what_would_take_long_to_make_is_refused(text: str, said: str) -> None:
    start = time.process_time()
    with pytest.raises(ExpressionError, match=said):
        compiled(text)
    with pytest.raises(CheckpointError, match=f"--map .*{said}"):
        parse_renames([f"{text}=x"])
    assert time.process_time() - start < 1.0


def test_counts_that_people_use_are_taken() -> None:
    assert compiled(r"layers\.(\d{1,3})\.", ignore_case=True).search("model.LAYERS.31.q")
    assert compiled(r"x\{2\}").fullmatch("x{2}")
    assert not compiled("a{100}").search("a" * 99)
