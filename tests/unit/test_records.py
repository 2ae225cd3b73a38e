"""Results survive their trip through a file, bit for bit, and damage is noticed."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.support.results import empty_similarity

from intruder_tui.records import RecordError, from_record, summary_from_record, to_record
from intruder_tui.results import MatrixResult, Similarity, Tier, Traits, Update

finite = st.floats(0, 1e6, allow_nan=False, width=32)
maybe = st.none() | st.floats(0.1, 1e3)


@st.composite
def similarities(draw: st.DrawFn) -> Similarity:
    count = draw(st.integers(0, 6))
    floats = hnp.arrays(np.float32, count, elements=st.floats(0, 1, width=32))
    one, two = draw(floats), draw(floats)
    block = draw(hnp.arrays(np.float32, (count, count), elements=st.floats(0, 1, width=32)))
    index = draw(hnp.arrays(np.int32, count, elements=st.integers(-1, 5)))
    traits = None
    if draw(st.booleans()):
        sizes = np.arange(1, count + 1, dtype=np.int32)
        traits = Traits(one, two, np.full(count, np.nan, np.float32), sizes, sizes, draw(st.integers(1, 9)))
    lower, upper = np.minimum(one, two), np.maximum(one, two)
    if traits is None:
        return Similarity(lower, upper, index, block)
    return Similarity(lower, upper, index, block, traits, lower * 0.5, upper, upper)


@st.composite
def results(draw: st.DrawFn) -> MatrixResult:
    sigma = hnp.arrays(np.float32, st.integers(0, 5), elements=finite)
    return MatrixResult(
        shape=(draw(st.integers(1, 9)), draw(st.integers(1, 9))),
        unchanged=draw(st.booleans()),
        sigma_base=draw(sigma),
        sigma_tuned=draw(sigma),
        left=draw(similarities()),
        right=draw(similarities()),
        update=Update(
            sigma=draw(sigma),
            frobenius=draw(st.floats(0, 10)),
            relative_norm=draw(st.floats(0, 10)),
            effective_rank=draw(maybe),
            stable_rank=draw(maybe),
            energy_ranks=draw(st.none() | st.just((1, 2, 5))),
            adapter_rank=draw(st.none() | st.integers(1, 64)),
            rounding_floor=draw(maybe),
        ),
        weight_cosine=draw(st.none() | st.floats(-1, 1)),
        tier=draw(st.sampled_from(Tier)),
        device=draw(st.text(max_size=8)),
        notes=tuple(draw(st.lists(st.text(max_size=12), max_size=2))),
    )


def assert_same(one: object, two: object) -> None:
    assert type(one) is type(two)
    for field in dataclasses.fields(one):
        left, right = getattr(one, field.name), getattr(two, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        elif dataclasses.is_dataclass(left):
            assert_same(left, right)
        else:
            assert left == right


@given(results())
def test_round_trip(result: MatrixResult) -> None:
    arrays, metadata = to_record(result, {"base": "x"})
    assert_same(from_record(metadata, arrays.__getitem__), result)
    light = summary_from_record(metadata, arrays.__getitem__)
    assert_same(light.left, dataclasses.replace(result.left, block=empty_similarity().block, traits=None))
    assert light.tier is result.tier
    assert (light.relative_norm, light.weight_cosine) == (
        result.update.relative_norm,
        result.weight_cosine,
    )


@given(results(), st.data())
def test_a_changed_array_is_noticed(result: MatrixResult, data: st.DataObject) -> None:
    arrays, metadata = to_record(result, {})
    full = sorted(name for name, array in arrays.items() if array.size)
    if not full:
        return
    name = data.draw(st.sampled_from(full))
    changed = bytearray(arrays[name].tobytes())
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1
    arrays[name] = np.frombuffer(changed, arrays[name].dtype).reshape(arrays[name].shape)
    with pytest.raises(RecordError, match=re.escape(name)):
        from_record(metadata, arrays.__getitem__)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("format"),
        lambda m: m.pop("document"),
        lambda m: m.update(document="{"),
        lambda m: m.update(document=json.dumps({**json.loads(m["document"]), "schema": 0})),
    ],
)
def test_foreign_metadata_is_refused(change: object) -> None:
    result = MatrixResult(
        (2, 2), True, *(np.empty(0, np.float32),) * 2, empty_similarity(), empty_similarity(),
        Update(np.empty(0, np.float32), 0.0, 0.0, None, None, None, None, None), None, Tier.NONE, "cpu",
    )  # fmt: skip
    arrays, metadata = to_record(result, {})
    change(metadata)
    with pytest.raises(RecordError):
        from_record(metadata, arrays.__getitem__)
