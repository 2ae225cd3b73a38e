"""Natural layer order: a total order that follows the model."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from tests.support.sparse import llama

from intruder_tui.checkpoint.order import natural_key

NAMES = st.lists(st.text("abz019.²٣_", max_size=12) | st.text(max_size=6), max_size=8)


def test_a_llama_is_listed_as_it_computes() -> None:
    in_order = list(llama(layers=12))
    shuffled = random.Random(0).sample(in_order, len(in_order))
    assert sorted(shuffled, key=natural_key) == in_order


@given(st.lists(st.integers(0, 10**12), unique=True))
def test_layers_come_by_number(numbers: list[int]) -> None:
    names = [f"model.layers.{number}.mlp.up_proj.weight" for number in numbers]
    assert sorted(names, key=natural_key) == [
        f"model.layers.{number}.mlp.up_proj.weight" for number in sorted(numbers)
    ]


@given(NAMES)
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = names[::-1]
    ordered = sorted(names, key=natural_key)
    assert sorted(backwards, key=natural_key) == ordered
    assert len({natural_key(name) for name in names}) == len(set(names))


def test_a_name_of_a_million_digits_has_a_place() -> None:
    many = "9" * 1_000_000
    assert natural_key(f"layers.10.{many}") > natural_key("layers.10.3")
