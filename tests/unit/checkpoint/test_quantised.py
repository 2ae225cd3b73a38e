"""Packed weights: what the constants beside them say, and every scheme that is named and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.sparse import write_sparse

from intruder_tui.checkpoint import Row, RowKind, open_pairing

Shapes = dict[str, tuple[tuple[int, ...], str]]


def rows_of(directory: Path, packed: Shapes, config: dict[str, object] | None = None) -> dict[str, Row]:
    """A plain base against a tuned model of these tensors."""
    for side in ("base", "tuned"):
        (directory / side).mkdir()
    write_sparse(directory / "base" / "model.safetensors", {"q.weight": (8, 64)}, "BF16")
    write_sparse(
        directory / "tuned" / "model.safetensors",
        {name: shape for name, (shape, _) in packed.items()},
        {name: dtype for name, (_, dtype) in packed.items()},
    )
    (directory / "tuned" / "config.json").write_text(json.dumps({"quantization_config": config or {}}))
    pairing = open_pairing(str(directory / "base"), str(directory / "tuned"))
    return {row.name: row for row in pairing.rows}


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        ({"q.weight": ((8, 64), "I8")}, "stored as I8"),
        ({"q.weight": ((256, 1), "U8")}, "stored as U8"),
        (
            {
                "q.qweight": ((8, 8), "I32"),
                "q.g_idx": ((64,), "I32"),
                "q.qzeros": ((1, 1), "I32"),
                "q.scales": ((1, 8), "F16"),
            },
            "GPTQ",
        ),
        (
            {"q.qweight": ((64, 1), "I32"), "q.qzeros": ((1, 1), "I32"), "q.scales": ((1, 8), "F16")},
            "AWQ",
        ),
        ({"q._weight_qdata": ((8, 64), "I8"), "q._weight_scale": ((8, 1), "F32")}, "torchao"),
        ({"q.W_q": ((8, 32), "U8"), "q.scale": ((8, 1), "F16"), "q.zero": ((8, 1), "F16")}, "HQQ"),
        ({"q.codes": ((8, 8, 1), "I8"), "q.codebooks": ((1, 9, 1, 8), "F16")}, "AQLM"),
        ({"q.weight": ((8, 64), "I8"), "q.weight_scales": ((8,), "F16")}, "stored as I8"),
        ({"q.weight_packed": ((8, 8), "I32"), "q.weight_scale": ((8, 1), "BF16")}, "compressed-tensors"),
        (
            {
                "q.weight": ((8, 64), "I8"),
                "q.weight_scale": ((8, 1), "BF16"),
                "q.weight_zero_point": ((8, 1), "I8"),
            },
            "zero points",
        ),
        ({"q.weight": ((8, 64), "F8_E4M3"), "q.weight_scale": ((3, 5), "F32")}, "3 x 5 of them"),
    ],
)
def test_what_is_not_dequantised_is_refused_by_name_in_one_row(
    tmp_path: Path, packed: Shapes, said: str
) -> None:
    rows = rows_of(tmp_path, packed)
    assert list(rows) == ["q.weight"]
    row = rows["q.weight"]
    assert row.kind is RowKind.REFUSED
    assert row.pair is None
    assert said in row.reason
    assert "give a bfloat16 version of the model" in row.reason


@pytest.mark.parametrize(
    ("packed", "scheme"),
    [
        ({"q.weight": ((8, 64), "F8_E4M3")}, "F8_E4M3 without scales"),
        ({"q.weight": ((8, 64), "F8_E4M3"), "q.weight_scale": ((), "F32")}, "F8_E4M3 with F32 scales"),
        (
            {
                "q.weight": ((8, 64), "F8_E4M3"),
                "q.weight_scale": ((8, 1), "BF16"),
                "q.input_scale": ((), "F32"),
            },
            "F8_E4M3 with BF16 scales",
        ),
        ({"q.weight": ((8, 64), "F8_E4M3"), "q.weight_scale_inv": ((1, 1), "F32")}, "with F32 scales"),
        ({"q.weight": ((8, 64), "I8"), "q.SCB": ((8,), "F32")}, "int8 (bitsandbytes)"),
    ],
)
def test_what_is_dequantised_is_one_row_with_a_note_on_its_noise(
    tmp_path: Path, packed: Shapes, scheme: str
) -> None:
    rows = rows_of(tmp_path, packed)
    assert list(rows) == ["q.weight"]
    pair = rows["q.weight"].pair
    assert pair is not None
    assert pair.shape == (8, 64)
    assert scheme in pair.dtypes[1]
    assert any("its rounding alone is about" in note for note in pair.notes)


def test_damaged_constants_are_said_on_the_row(tmp_path: Path) -> None:
    state = "q.weight.quant_state.bitsandbytes__nf4"
    packed: Shapes = {
        "q.weight": ((256, 1), "U8"),
        "q.weight.absmax": ((8,), "F32"),
        "q.weight.quant_map": ((16,), "F32"),
        state: ((90,), "U8"),
    }
    rows = rows_of(tmp_path, packed)
    assert list(rows) == ["q.weight"]
    assert "its constants are damaged" in rows["q.weight"].reason


def test_codes_in_the_bits_of_bfloat16_numbers_are_not_taken_for_a_weight(tmp_path: Path) -> None:
    packed: Shapes = {
        "q.weight": ((128, 1), "BF16"),
        "q.weight.absmax": ((8,), "F32"),
        "q.weight.quant_map": ((16,), "F32"),
        "q.weight.quant_state.bitsandbytes__nf4": ((90,), "U8"),
    }
    assert rows_of(tmp_path, packed)["q.weight"].kind is RowKind.REFUSED
