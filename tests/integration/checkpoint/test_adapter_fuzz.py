"""Adapters made of plausible parts put together at random: rows or one line, and no row of a wrong shape."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.refusals import refusal
from tests.support.sparse import write_model, write_sparse

from intruder_tui.checkpoint import MatrixPair, Pairing, RowKind, open_pairing
from intruder_tui.checkpoint.adapter_config import AdapterOptions
from intruder_tui.checkpoint.recipes import Hosted
from intruder_tui.engine.adapters import Against, LoraFactors
from intruder_tui.engine.assemble import ReadError, assemble

CPU = torch.device("cpu")
EXPERTS = "model.layers.0.mlp.experts"
BASE = {
    "model.embed_tokens.weight": (16, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.1.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.mlp.up_proj.weight": (12, 8),
    f"{EXPERTS}.gate_up_proj": (2, 12, 8),
    f"{EXPERTS}.down_proj": (2, 8, 6),
    "conv.weight": (4, 2, 3, 3),
    "mha.in_proj_weight": (24, 8),
}
MODULES = [name.removesuffix(".weight") for name in BASE if name.endswith(".weight")]
MODULES += [EXPERTS, f"{EXPERTS}.base_layer", "mha", "mha.base_layer.out_proj", "nowhere.at_all", ""]
PARTS = [
    *("lora_A.weight", "lora_B.weight", "lora_A", "lora_B", "lora_A.default.weight", "lora_B.bias"),
    *("lora_embedding_A", "lora_embedding_B", "lora_magnitude_vector", "lora_E", "base_layer.weight"),
    *("token_adapter.trainable_tokens_delta", "token_adapter.base_layer.weight", "trainable_tokens_delta"),
    *("weight", "bias", "ia3_l", "hada_w1_a", "lora_velora_embed"),
    *("lora_down.weight", "lora_up.weight", "alpha", "dora_scale"),
]
FITTING: dict[str, dict[str, tuple[int, ...]]] = {
    "model.layers.0.self_attn.q_proj": {
        "lora_A.weight": (2, 8),
        "lora_B.weight": (8, 2),
        "lora_magnitude_vector": (8,),
        "lora_E": (2, 1),
        "base_layer.weight": (8, 8),
    },
    "model.layers.0.mlp.up_proj": {"lora_A.weight": (2, 8), "lora_B.weight": (12, 2), "lora_B.bias": (12,)},
    "model.embed_tokens": {
        "lora_embedding_A": (2, 16),
        "lora_embedding_B": (8, 2),
        "lora_magnitude_vector": (8,),
        "base_layer.weight": (16, 8),
        "token_adapter.trainable_tokens_delta": (2, 8),
    },
    EXPERTS: {"lora_A.weight": (4, 6), "lora_B.weight": (8, 4)},
    f"{EXPERTS}.base_layer": {"lora_A.weight": (4, 8), "lora_B.weight": (12, 4)},
    "conv": {
        "lora_A.weight": (2, 2, 3, 3),
        "lora_B.weight": (4, 2, 1, 1),
        "lora_magnitude_vector": (1, 4, 1, 1),
    },
    "mha": {"lora_A.weight": (2, 8), "lora_B.weight": (24, 2)},
}
"""Per module the parts that fit it."""
STRANGE = st.dictionaries(
    st.tuples(st.sampled_from(MODULES), st.sampled_from(PARTS)),
    st.lists(st.sampled_from([0, 1, 2, 3, 8, 12]), max_size=4).map(tuple),
    max_size=2,
)


@st.composite
def adapters(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """Names and shapes: parts that fit, most of them complete, and sometimes a strange one among them."""
    prefix = draw(st.sampled_from(["base_model.model."] * 3 + ["", "unet."]))
    stored: dict[str, tuple[int, ...]] = {}
    for module in draw(st.lists(st.sampled_from(list(FITTING)), min_size=1, max_size=4, unique=True)):
        parts = list(FITTING[module].items())
        count = draw(st.sampled_from([2, 2, 2, 1, len(parts)]))
        stored |= {f"{prefix}{module}.{part}": shape for part, shape in parts[:count]}
    for (module, part), shape in draw(st.one_of(st.just({}), STRANGE)).items():
        stored[f"{prefix}{module}.{part}"] = shape
    return stored


@st.composite
def kohya(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """The same in kohya's names."""
    names = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}
    flat: dict[str, tuple[int, ...]] = {}
    for name, shape in draw(adapters()).items():
        for part, theirs in names.items():
            if name.endswith(f".{part}"):
                module = name.removesuffix(f".{part}").removeprefix("base_model.model.")
                flat[f"lora_unet_{module.replace('.', '_')}.{theirs}"] = shape
    return flat | draw(
        st.sampled_from([{}, {"lora_unet_conv.alpha": ()}, {"lora_unet_conv.dora_scale": (4, 1)}])
    )


TENSORS = st.one_of(adapters(), adapters(), kohya()).filter(bool)
FIELDS = st.fixed_dictionaries(
    {
        "peft_type": st.sampled_from(["LORA"] * 8 + ["ADALORA", "LOHA", "IA3", "TRAINABLE_TOKENS", 3]),
        "r": st.sampled_from([2] * 8 + [1, 4, 2.5, None, "2"]),
        "target_parameters": st.sampled_from(
            [["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]] * 4
            + [["mlp.experts.down_proj"], ["experts.gate_up_proj"], ["x"], "y", [3], {}]
        ),
    },
    optional={
        "init_r": st.sampled_from([2, 4, 0, "x"]),
        "lora_alpha": st.sampled_from([1, 4, 0.5, 8, 16, 0, "x"]),
        "use_dora": st.booleans(),
        "use_rslora": st.booleans(),
        "fan_in_fan_out": st.booleans(),
        "init_lora_weights": st.sampled_from(
            [True, True, "pissa", "olora", "pissa_niter_2", "eva", 7, ["pissa"]]
        ),
        "trainable_token_indices": st.sampled_from(
            [[0], [1, 15], [3, 4], [99], {"embed_tokens": [2]}, {"": 1}, "z"]
        ),
        "token_indices": st.sampled_from([[0, 1], [-1], None]),
        "layer_replication": st.sampled_from([None, [], [[0, 2], [0, 1]], [[0, 9]], 5]),
        "rank_pattern": st.dictionaries(st.sampled_from(["q_proj", ".*", "up_proj", "(a+)+"]), st.just(2)),
        "alpha_pattern": st.sampled_from([{"q_proj": 3}, {".*proj": 2}, [], {"x": "y"}]),
    },
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("fuzz") / "base", BASE, dtype="F32", model_type="mixtral")


def check(pairing: Pairing) -> None:
    """Names are unique, and every changed pair that can be made has its row's shape."""
    names = [row.name for row in pairing.rows]
    assert len(set(names)) == len(names)
    for row in pairing.rows:
        assert row.reason or row.kind is RowKind.MATRIX
        pair = row.pair
        if pair is None or pair.untouched or isinstance(pair.tuned, Hosted):
            continue
        weight, _ = assemble(pair.base, CPU)
        assert isinstance(weight, torch.Tensor)
        assert weight.shape == pair.shape
        with contextlib.suppress(Unknowable):
            check_shape(pair, weight)


class Unknowable(Exception):
    """What an initialisation took from a base of zeros."""


def check_shape(pair: MatrixPair, weight: torch.Tensor) -> None:
    try:
        made, _ = assemble(pair.tuned, CPU, against=Against(pair.base, weight))
    except ReadError as error:
        raise (Unknowable() if "can't be known" in str(error) else error) from None
    dense = made.dense(torch.float32) if isinstance(made, LoraFactors) else made
    assert dense.shape == pair.shape


@given(TENSORS, FIELDS, st.integers(0, 3).map(lambda one: one == 0))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_adapter_gives_rows_or_one_line(
    base: Path, tmp_path: Path, stored: dict[str, tuple[int, ...]], fields: dict[str, Any], alone: bool
) -> None:
    alone = alone or any(name.startswith("lora_unet_") for name in stored)
    path = tmp_path / ("alone.safetensors" if alone else "adapter_model.safetensors")
    write_sparse(path, stored, "F32")
    (tmp_path / "adapter_config.json").write_text(json.dumps(fields))
    rows: list[Pairing] = []
    said = refusal(lambda: rows.append(open_pairing(str(base), str(path), AdapterOptions(lora_alpha=2.0))))
    assert bool(said) != bool(rows)
    for pairing in rows:
        check(pairing)
