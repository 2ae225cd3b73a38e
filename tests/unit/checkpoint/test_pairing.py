"""Pairs of hand-made files: every row kind with its reason, and hostile ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.memory import run_measured
from tests.support.refusals import refusal
from tests.support.sparse import llama, write_llama_7b_pair, write_model, write_sparse

from intruder_tui.checkpoint import CheckpointError, Pairing, Row, RowKind, open_pairing

Shapes = Mapping[str, tuple[int, ...]]


def pair_of(
    directory: Path, base: Shapes, tuned: Shapes, dtypes: tuple[str, str] = ("F32", "F32")
) -> Pairing:
    for name, shapes, dtype in (("base", base, dtypes[0]), ("tuned", tuned, dtypes[1])):
        write_sparse(directory / f"{name}.safetensors", shapes, dtype)
    return open_pairing(str(directory / "base.safetensors"), str(directory / "tuned.safetensors"))


def only(pairing: Pairing) -> Row:
    assert len(pairing.rows) == 1
    return pairing.rows[0]


def test_two_files_pair_with_both_dtypes(tmp_path: Path) -> None:
    pairing = pair_of(tmp_path, {"a.weight": (4, 3)}, {"a.weight": (4, 3)}, ("BF16", "F32"))
    row = only(pairing)
    assert (row.kind, row.shape, row.dtype) == (RowKind.MATRIX, (4, 3), "BF16, F32")
    assert row.pair is not None
    assert row.pair.dtypes == ("BF16", "F32")
    assert not row.pair.untouched
    assert pairing.base.label == "base"


@pytest.mark.parametrize(
    ("base", "tuned", "kind", "reason"),
    [
        ((4, 3), (4, 5), RowKind.REFUSED, "base is 4 x 3, tuned is 4 x 5"),
        ((4, 3), (3, 4), RowKind.REFUSED, "base is 4 x 3, tuned is 3 x 4"),
        ((4, 3), (12,), RowKind.REFUSED, "base is 4 x 3, tuned is 12"),
        ((4, 3), (1, 4, 3), RowKind.REFUSED, "base is 4 x 3, tuned is 1 x 4 x 3"),
        ((2, 4, 3), (2, 4, 3), RowKind.SKIPPED, "3 axes, unknown layout"),
        ((0, 3), (0, 3), RowKind.SKIPPED, "no elements"),
        ((1, 3), (1, 3), RowKind.MATRIX, ""),
        ((), (), RowKind.SKIPPED, "scalar"),
    ],
)
def test_shapes_decide(
    tmp_path: Path, base: tuple[int, ...], tuned: tuple[int, ...], kind: RowKind, reason: str
) -> None:
    row = only(pair_of(tmp_path, {"a.weight": base}, {"a.weight": tuned}))
    assert row.kind is kind
    assert reason in row.reason
    assert (row.pair is not None) == (kind is RowKind.MATRIX)


def test_where_no_shapes_fit_the_note_gives_the_numbers_in_few_lines(tmp_path: Path) -> None:
    base = write_model(tmp_path / "base", llama(3, 64, 96, 100, 64))
    tuned = write_model(tmp_path / "tuned", llama(3, 72, 96, 100, 72))
    notes = open_pairing(str(base), str(tuned)).notes
    square = "model.layers.0.self_attn.q_proj.weight: base is 64 x 64, tuned is 72 x 72 (and 11 more alike)"
    assert notes[0] == square
    assert (
        notes[1]
        == "model.layers.0.mlp.gate_proj.weight: base is 96 x 64, tuned is 96 x 72 (and 5 more alike)"
    )
    assert len(notes) == 4
    assert "2 more" in notes[3] or "1 more" in notes[3]


def test_where_no_linear_layer_is_on_both_sides_the_note_says_what_is(tmp_path: Path) -> None:
    write_sparse(tmp_path / "a.safetensors", {"model.embed_tokens.weight": (8, 4)})
    (note,) = open_pairing(str(tmp_path / "a.safetensors"), str(tmp_path / "a.safetensors")).notes[1:]
    assert note.startswith("model.embed_tokens.weight: embedding: the count is of the linear layers")


@pytest.mark.parametrize("dtype", ["I8", "U8", "I32", "BOOL", "I64"])
@pytest.mark.parametrize("side", [0, 1])
def test_raw_integers_are_never_analysed(tmp_path: Path, dtype: str, side: int) -> None:
    dtypes = ("BF16", dtype) if side else (dtype, "BF16")
    for name in ("a.q_proj.weight", "lm_head.weight", "embed_tokens.weight"):
        row = only(pair_of(tmp_path, {name: (4, 3)}, {name: (4, 3)}, dtypes))
        assert row.kind is RowKind.REFUSED
        assert row.pair is None
        assert dtype in row.reason
        assert ("tuned is" if side else "base is") in row.reason


def test_unpaired_entries_say_on_which_side_they_are(tmp_path: Path) -> None:
    pairing = pair_of(
        tmp_path, {"a.weight": (2, 2), "b.weight": (2, 2)}, {"a.weight": (2, 2), "c.weight": (2, 2)}
    )
    reasons = {row.name: row.reason for row in pairing.rows if row.kind is RowKind.UNPAIRED}
    assert reasons == {"b.weight": "only in the base", "c.weight": "only in the tuned model"}


def test_the_same_directory_twice_is_unchanged(tmp_path: Path) -> None:
    path = str(write_model(tmp_path / "x", llama(2, 8, 12, 16, 8), shards=2))
    pairing = open_pairing(path, path)
    assert len(pairing.pairs) == 14
    assert all(pair.untouched for pair in pairing.pairs)


def test_lora_factors_without_a_config_are_refused_on_either_side(tmp_path: Path) -> None:
    key = "base_model.model.layers.0.q_proj.lora_A.default.weight"
    with pytest.raises(CheckpointError, match="1 of its 1 tensors are LoRA factors"):
        pair_of(tmp_path, {"a.weight": (2, 2)}, {key: (2, 2)})


BASE = {"layers.0.q_proj.weight": (8, 6), "layers.0.k_proj.weight": (8, 8), "conv.weight": (4, 2, 3, 3)}
Q = "base_model.model.layers.0.q_proj"
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 3}


def adapter_pairing(
    directory: Path, factors: Shapes, config: object, base: Shapes = BASE, dtype: str = "F32"
) -> Pairing:
    write_sparse(directory / "base.safetensors", base, "BF16")
    write_sparse(directory / "adapter_model.safetensors", factors, dtype)
    (directory / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return open_pairing(str(directory / "base.safetensors"), str(directory))


def row_of(pairing: Pairing, name: str) -> Row:
    return next(row for row in pairing.rows if row.name == name)


GOOD = {f"{Q}.lora_A.weight": (2, 6), f"{Q}.lora_B.weight": (8, 2)}


def test_an_adapter_over_a_file_leaves_the_rest_untouched(tmp_path: Path) -> None:
    pairing = adapter_pairing(tmp_path, GOOD, CONFIG)
    assert {pair.name: pair.untouched for pair in pairing.pairs} == {
        "layers.0.q_proj.weight": False,
        "layers.0.k_proj.weight": True,
        "conv.weight": True,
    }
    q = row_of(pairing, "layers.0.q_proj.weight").pair
    assert q is not None
    assert q.adapter_rank == 2
    assert row_of(pairing, "layers.0.q_proj.weight").dtype == "BF16 + LoRA r 2"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((2, 5), (8, 2), "base is 8 x 6, the adapter's update is 8 x 5"),
        ((2, 10**9), (10**9, 2), "base is 8 x 6, the adapter's update is 1000000000 x 1000000000"),
        ((3, 6), (8, 3), "adapter_config.json says r = 2, lora_A is 3 x 6"),
        ((2, 6), (8, 3), "adapter_config.json says r = 2"),
        ((0,), (0,), "ZeRO-3 or FSDP"),
        ((12,), (16,), "ZeRO-3 or FSDP"),
        ((2, 6, 3, 3), (8, 2, 1, 1), "base is 8 x 6, the adapter's update is 8 x 54"),
        ((2, 6), (8, 2, 3), "only its first two axes"),
        ((2, 6), None, "lora_B is missing"),
    ],
)
def test_factors_that_do_not_fit_are_refused_with_their_shapes(
    tmp_path: Path, a: tuple[int, ...], b: tuple[int, ...] | None, said: str
) -> None:
    factors = {f"{Q}.lora_A.weight": a} | ({f"{Q}.lora_B.weight": b} if b else {})
    row = row_of(adapter_pairing(tmp_path, factors, CONFIG), "layers.0.q_proj.weight")
    assert row.kind is RowKind.REFUSED
    assert said in row.reason


def test_parts_that_change_the_formula_refuse_the_row(tmp_path: Path) -> None:
    for part, said in (
        ("lora_magnitude_vector", "DoRA"),
        ("lora_E", "unknown adapter part"),
    ):
        row = row_of(
            adapter_pairing(tmp_path, {**GOOD, f"{Q}.{part}": (8, 6)}, CONFIG), "layers.0.q_proj.weight"
        )
        assert row.kind is RowKind.REFUSED
        assert said in row.reason


def test_a_change_without_a_home_is_listed(tmp_path: Path) -> None:
    stray = {
        "base_model.model.layers.9.up.lora_A.weight": (2, 6),
        "base_model.model.layers.9.up.lora_B.weight": (8, 2),
    }
    row = row_of(adapter_pairing(tmp_path, {**GOOD, **stray}, CONFIG), "layers.9.up.weight")
    assert (row.kind, row.shape, row.dtype) == (RowKind.UNPAIRED, (8, 6), "LoRA r 2")
    assert "the base has no weight of this name" in row.reason


def test_lora_over_a_quantised_base_is_refused(tmp_path: Path) -> None:
    write_sparse(tmp_path / "base.safetensors", {"layers.0.q_proj.weight": (8, 6)}, "I8")
    write_sparse(tmp_path / "adapter_model.safetensors", GOOD, "F32")
    (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG))
    row = only(open_pairing(str(tmp_path / "base.safetensors"), str(tmp_path / "adapter_model.safetensors")))
    assert row.kind is RowKind.REFUSED
    assert "I8" in row.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"peft_type": None}, "no peft_type"),
        ({"peft_type": "VERA"}, "VERA shares"),
        ({"peft_type": "BRAND_NEW"}, "peft_type BRAND_NEW"),
        ({"peft_type": "LN_TUNING"}, "norms only"),
        ({"peft_type": "PROMPT_TUNING"}, "leaves the weight matrices alone"),
        ({"peft_type": "XLORA"}, "per token"),
        ({"peft_type": ["LORA"]}, "peft_type"),
        ({"r": 0}, "r is 0"),
        ({"r": -2}, "r is -2"),
        ({"r": 10**30}, "r is 1000"),
        ({"r": "2"}, "r is 2; it must be an integer"),
        ({"r": True}, "r is True"),
        ({"lora_alpha": 0}, "lora_alpha is 0"),
        ({"lora_alpha": -1}, "lora_alpha is -1"),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan"),
        ({"lora_alpha": float("inf")}, "lora_alpha is inf"),
        ({"lora_alpha": "x"}, "lora_alpha is x"),
        ({"use_rslora": "yes"}, "use_rslora is yes"),
        ({"rank_pattern": [1]}, "rank_pattern is not an object"),
        ({"rank_pattern": {"q_proj": 0}}, "rank_pattern is 0"),
        ({"alpha_pattern": {"(a+)+": 1}}, "repeats a group"),
        ({"use_dora": 1}, "use_dora is 1"),
        ({"trainable_token_indices": [1, 1]}, "a row twice"),
        ({"trainable_token_indices": [-1]}, "not a list of row numbers"),
        ({"trainable_token_indices": {"embed": "x"}}, "not a list of row numbers"),
        ({"layer_replication": [[0]]}, "not a list of"),
        ({"layer_replication": [[0, 10**9]]}, "over 1000 layers"),
        ({"layer_replication": [[0, 1]] * 9999}, "over 1000 layers"),
        ({"use_future": {"depth": 2}}, "use_future is {'depth': 2}, which is not known here"),
        ({"layer_replication": [[0, 4]]}, "layer_replication"),
        ({"use_qalora": True}, "QALoRA"),
        ({"init_lora_weights": "pissa_niter_16"}, "PiSSA"),
        ({"init_lora_weights": "corda"}, "CorDA"),
        ({"init_lora_weights": "loftq"}, "LoftQ"),
        ({"init_lora_weights": "lora_ga"}, "LoRA-GA"),
        ({"init_lora_weights": "brand_new"}, "not known here"),
        ({"init_lora_weights": {"a": 1}}, "not known here"),
    ],
)
def test_adapter_configs_that_are_refused(tmp_path: Path, change: dict[str, object], said: str) -> None:
    with pytest.raises(CheckpointError, match=r"adapter_config\.json") as caught:
        adapter_pairing(tmp_path, GOOD, {**CONFIG, **change})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_stacks_that_no_name_calls_experts_have_a_row_each(tmp_path: Path) -> None:
    base = {"layers.0.block_sparse_moe.input_linear.weight": (4, 48, 16)}
    pairing = pair_of(tmp_path, base, base)
    assert [(pair.name.rpartition(".")[2], pair.shape) for pair in pairing.pairs] == [
        (str(index), (48, 16)) for index in range(4)
    ]
    odd = pair_of(tmp_path, {"layers.0.mixing.weight": (4, 48, 16)}, {"layers.0.mixing.weight": (4, 48, 16)})
    assert only(odd).kind is RowKind.SKIPPED
    assert only(odd).reason == "3 axes, unknown layout (4 x 48 x 16)"


@pytest.mark.parametrize(("bias", "kind"), [(4, RowKind.SKIPPED), (8, RowKind.MATRIX)])
def test_a_bias_that_counts_the_second_axis_is_a_transposed_convolutions(
    tmp_path: Path, bias: int, kind: RowKind
) -> None:
    shapes = {"up.conv.weight": (8, 4, 2, 2), "up.conv.bias": (bias,)}
    row = row_of(pair_of(tmp_path, shapes, shapes), "up.conv.weight")
    assert row.kind is kind
    assert ("transposed convolution" in row.reason) == (bias == 4)


def test_an_unknown_field_that_is_not_set_is_harmless(tmp_path: Path) -> None:
    pairing = adapter_pairing(tmp_path, GOOD, {**CONFIG, "use_future": False, "another": None})
    assert pairing.tuned.notes == ()


@pytest.mark.parametrize(("init", "called"), [("pissa", "PiSSA"), ("olora", "OLoRA")])
def test_the_rounding_of_a_residual_is_said_on_the_row(tmp_path: Path, init: str, called: str) -> None:
    def notes(dtype: str, directory: Path) -> tuple[str, ...]:
        directory.mkdir()
        write_sparse(directory / "base.safetensors", BASE, dtype)
        write_sparse(directory / "adapter_model.safetensors", GOOD, "F32")
        (directory / "adapter_config.json").write_text(json.dumps({**CONFIG, "init_lora_weights": init}))
        pairing = open_pairing(str(directory / "base.safetensors"), str(directory))
        pair = row_of(pairing, "layers.0.q_proj.weight").pair
        assert pair is not None
        return pair.notes

    assert notes("F32", tmp_path / "wide") == ()
    (note,) = notes("BF16", tmp_path / "narrow")
    assert note.startswith(f"{called} left a residual that was rounded to the base's dtype (BF16)")


def test_repeated_layers_are_bounded_by_their_tensors(tmp_path: Path) -> None:
    base = {f"model.layers.0.part{index}.weight": (1, 1) for index in range(201)}
    config = {**CONFIG, "layer_replication": [[0, 1]] * 1000}
    with pytest.raises(CheckpointError, match="into 201000 tensors; at most 200000"):
        adapter_pairing(tmp_path, GOOD, config, base)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "fan_in_fan_out"]
        )
        | st.text(max_size=8),
        JSON_VALUES,
    )
)
def test_any_adapter_config_pairs_or_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    rows = []
    said = refusal(lambda: rows.extend(adapter_pairing(tmp_path, GOOD, {**CONFIG, **fields}).rows))
    assert said is not None or len(rows) == len(BASE)


HOSTILE_NAMES = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(".[]/\x1b"), max_size=20
).filter(lambda name: name != "__metadata__" and "lora" not in name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(HOSTILE_NAMES, st.sampled_from([(), (3,), (2, 3), (2, 2, 2)]), max_size=6),
    st.dictionaries(HOSTILE_NAMES, st.sampled_from([(), (3,), (2, 3), (2, 2, 2)]), max_size=6),
)
def test_every_name_has_its_place_once(tmp_path: Path, base: Shapes, tuned: Shapes) -> None:
    pairing = pair_of(tmp_path, base, tuned)
    names = [row.name for row in pairing.rows]
    assert len(names) == len(set(names))
    assert set(base) <= set(names)
    paired = sum(row.kind is not RowKind.UNPAIRED for row in pairing.rows)
    assert len(names) == len(base) + len(tuned) - paired


def test_monstrous_names_are_kept_raw(tmp_path: Path) -> None:
    names = ["a" * 1_000_000, "." * 5000, "layers[/0].weight", "\x1b]0;x\x07", "a\nb", "\u202e", ""]
    shapes = dict.fromkeys(names, (2, 2))
    assert {row.name for row in pair_of(tmp_path, shapes, shapes).rows} == set(names)


def test_opening_a_7b_pair_takes_little_memory_and_no_torch(tmp_path: Path) -> None:
    base, tuned = write_llama_7b_pair(tmp_path)
    code = (
        "import sys\n"
        "from intruder_tui.checkpoint import open_pairing\n"
        "pairing = open_pairing(*sys.argv[1:])\n"
        "print(len(pairing.rows), len(pairing.pairs), 'torch' in sys.modules)\n"
    )
    printed, megabytes = run_measured(code, str(base), str(tuned))
    assert printed == "291 224 False"
    assert megabytes < 150
