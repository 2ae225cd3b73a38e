"""Numbers as text: rounding never tightens a bound, a verdict is never contradicted."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from intruder_tui.views import numbers
from intruder_tui.views.glyphs import ASCII

UNIT = st.floats(0, 1)


@given(UNIT, UNIT)
def test_a_shown_bound_holds_the_true_interval(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assume(low != high)
    text = numbers.cosine(low, high)
    if text.startswith("≤"):
        assert float(text[2:]) >= high - 1e-8
    elif "–" in text:
        shown_low, shown_high = (float(part) for part in text.split("–"))
        assert shown_low <= low + 1e-8
        assert shown_high >= high - 1e-8
    else:  # shown as a value: every digit of it holds for both ends
        assert f"{low:.2f}" == text == f"{high:.2f}"


@given(UNIT, st.integers(2, 4))
def test_a_ceiling_is_never_lower(upper: float, decimals: int) -> None:
    shown = float(numbers.ceiling(upper, decimals))
    assert upper - 1e-8 <= shown <= upper + 10.0**-decimals


@given(UNIT, UNIT)
def test_a_value_stands_on_its_own_side_of_eps(value: float, eps: float) -> None:
    eps = round(eps, 2)
    assume(abs(value - eps) > 1e-6)
    shown = float(numbers.cosine(value, value, eps=eps))
    assert (shown < eps) == (value < eps)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.3142, 0.3142, "0.31"),
        (0.0, 0.3101, "≤ 0.32"),
        (0.471, 0.519, "0.47–0.52"),
        (0.4712, 0.4718, "0.47"),
        (0.2, 1.0, "0.20–1.00"),
    ],
)
def test_cosines(low: float, high: float, text: str) -> None:
    assert numbers.cosine(low, high) == text


def test_a_value_just_below_eps_gets_another_decimal() -> None:
    assert numbers.cosine(0.4996, 0.4996, eps=0.5) == "0.4996"
    assert numbers.cosine(0.4996, 0.4996) == "0.50"
    assert numbers.cosine(0.502, 0.502, eps=0.5) == "0.502"
    assert numbers.cosine(0.497, 0.497, eps=0.5) == "0.497"
    assert numbers.cosine(0.5, 0.5, eps=0.5) == "0.50"
    assert numbers.cosine(0.0, 0.4915, eps=0.5) == "≤ 0.492"
    assert numbers.cosine(0.5034, 0.6, eps=0.5) == "0.503–0.600"


@pytest.mark.parametrize(
    ("low", "high", "eps", "text"),
    [
        (0.314, 0.314, 0.5, "0.31"),
        (0.1, 0.311, 0.5, "≤0.32"),
        (0.1, 0.4915, 0.5, "≤0.492"),
        (0.1, 0.4915, None, "≤0.50"),
        (0.502, 0.502, 0.5, "0.502"),
    ],
)
def test_an_upper_end_alone_is_rounded_up(low: float, high: float, eps: float | None, text: str) -> None:
    assert numbers.at_most(low, high, eps=eps) == text


@given(UNIT, UNIT, st.floats(0, 1).map(lambda eps: round(eps, 2)))
def test_a_short_bound_is_never_below_the_bound(a: float, b: float, eps: float) -> None:
    low, high = sorted((a, b))
    assume(low != high)
    assume(abs(high - eps) > 1e-5)
    shown = float(numbers.at_most(low, high, eps=eps).removeprefix("≤"))
    assert shown >= high - 1e-8
    assert (shown < eps) == (high < eps)


def test_cosines_in_ascii() -> None:
    assert numbers.cosine(0.0, 0.31, glyphs=ASCII) == "<= 0.31"
    assert numbers.cosine(0.47, 0.52, glyphs=ASCII) == "0.47-0.52"


@given(st.floats(1e-9, 1e9))
def test_three_digits_are_three_digits(value: float) -> None:
    text = numbers.three_digits(value)
    assert float(text) == pytest.approx(value, rel=5.1e-3)
    mantissa = text.split("e")[0].replace(".", "").lstrip("0")
    assert len(mantissa) >= 3


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=8))
def test_points_of_a_column_stand_in_a_line(values: list[float]) -> None:
    shared = numbers.exponent(values)
    texts = numbers.column(values, shared)
    widest = max(len(text) for text in texts)
    ends = {len(t.rjust(widest)) - t.rjust(widest).index(".") for t in texts if "." in t and "e" not in t}
    assert len(ends) <= 1


def test_one_exponent_for_a_column() -> None:
    assert numbers.exponent([0.0041, 0.0002]) == -3
    assert numbers.column([0.0041, 0.0002], -3) == ["4.10 ", "0.200"]
    assert numbers.power(-3) == "×10⁻³"
    assert numbers.power(-3, ASCII) == "x1e-3"
    assert numbers.exponent([14.2, 0.5]) == 0
    assert numbers.power(0) == ""
    assert numbers.exponent([]) == numbers.exponent([0.0]) == 0
    assert numbers.exponent([math.inf, 2.0]) == 0


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.78, "78 %"),
        (0.013, "1.3 %"),
        (0.06, "6.0 %"),
        (0.0996, "10 %"),
        (0.0014, "0.14 %"),
        (0.00001, "< 0.01 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert numbers.percent(share) == text


@pytest.mark.parametrize(("seconds", "text"), [(41, "0:41"), (725, "12:05"), (3723, "1:02:03"), (-1, "0:00")])
def test_duration(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_plurals() -> None:
    assert numbers.plural(1, "matrix", "matrices") == "1 matrix"
    assert numbers.plural(2, "intruder") == "2 intruders"


@given(st.sets(st.integers(0, 40)))
def test_runs_name_every_rank_once(ranks: set[int]) -> None:
    named: list[int] = []
    for part in numbers.runs(sorted(ranks), ASCII).split():
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(ranks)


def test_three_ranks_make_a_run() -> None:
    assert numbers.runs([0, 1, 2, 3, 5, 6, 9]) == "0–3 5 6 9"
