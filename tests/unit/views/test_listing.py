"""The printed listing: readable at any width, a line a row in a pipe, and nothing left out unsaid."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import MatrixPair, Pairing, Row, RowKind, Source
from intruder_tui.checkpoint.recipes import Stored
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor
from intruder_tui.views.listing import listing

STAMP = FileStamp(0, 0, 0, 0, 0)
REASON = (
    "query, key and value in one weight, its rows interleaved by head (gpt_neox): not compared with q_proj, "
    "k_proj, v_proj"
)


def source(argument: str, notes: tuple[str, ...] = ()) -> Source:
    return Source(argument, argument, "file", (f"/{argument}",), 3, notes)


def matrix(name: str, dtype: str = "BF16", notes: tuple[str, ...] = ()) -> Row:
    base, tuned = (Stored(StoredTensor(f"/{side}", name, "BF16", (8, 4), STAMP)) for side in "ab")
    pair = MatrixPair(name, (8, 4), base, tuned, ("BF16", dtype), "exact", notes)
    return Row(name, RowKind.MATRIX, (8, 4), dtype, pair)


def printed(rows: list[Row], width: int | None, *, everything: bool = False) -> list[str]:
    pairing = Pairing(source("a"), source("b", ("a note " * 20,)), tuple(rows))
    return [line.plain for line in listing(pairing, everything=everything, width=width)]


ROWS = [
    matrix("model.layers.0.self_attn.q_proj.weight"),
    matrix("model.layers.0.mlp.down_proj.weight", "F8_E4M3 with F32 scales, BF16 + LoRA r 16", ("noted",)),
    Row("model.layers.0.attention.query_key_value.weight", RowKind.UNPAIRED, (12, 4), "F32", reason=REASON),
    Row("model.norm.weight", RowKind.SKIPPED, (4,), "F32", reason="norm: not a matrix (4)"),
    Row("experts.gate_up_proj", RowKind.UNPAIRED, (), "LoRA", reason="only in the adapter"),
]


def test_a_pipe_gets_a_line_a_row() -> None:
    lines = printed(ROWS, None)
    shown = [line for line in lines if line.startswith(("model.", "experts."))]
    assert len(shown) == 4
    assert shown[0].split() == ["model.layers.0.self_attn.q_proj.weight", "8", "×", "4", "BF16", "exact"]
    assert shown[2].endswith(f"unpaired: {REASON}")
    assert lines[-1] == (
        "2 matrices to analyse; 2 unpaired; "
        "1 tensor with fewer than two dimensions not listed (--all lists them)"
    )
    complete = printed(ROWS, None, everything=True)
    assert any("model.norm.weight" in line for line in complete)
    assert complete[-1] == "2 matrices to analyse; 1 skipped; 2 unpaired"


def test_what_is_refused_is_listed_whatever_its_shape() -> None:
    refused = Row("model.scales", RowKind.REFUSED, (4,), "F32", reason="base is 4, tuned is 8")
    lines = printed([*ROWS, refused], None)
    assert any(line.startswith("model.scales") for line in lines)
    assert "; 1 refused; " in lines[-1]


def test_a_narrow_screen_puts_reasons_on_lines_of_their_own() -> None:
    lines = printed(ROWS, 80)
    at = next(place for place, line in enumerate(lines) if "query_key_value" in line)
    told = [line.strip() for line in lines[at + 1 : at + 3]]
    assert " ".join(told) == f"unpaired: {REASON}"
    assert all(line.startswith("    ") for line in lines[at + 1 : at + 3])
    assert "    F8_E4M3 with F32 scales, BF16 + LoRA r 16; exact; noted" in lines
    assert ["model.layers.0.self_attn.q_proj.weight", "8", "×", "4", "BF16", "exact"] in [
        line.split() for line in lines
    ]


@given(
    st.integers(60, 200),
    st.lists(
        st.tuples(st.text(max_size=90), st.text("ab ", max_size=40), st.text("abc de-f", max_size=300)),
        max_size=4,
    ),
)
@settings(max_examples=60, deadline=None)
def test_only_a_name_is_wider_than_the_screen(width: int, cells: list[tuple[str, str, str]]) -> None:
    rows = [Row(name, RowKind.UNPAIRED, (2, 3), dtype, reason=why) for name, dtype, why in cells]
    names = {printable(row.name) for row in rows}
    for line in printed(rows, width):
        assert line in names or cell_len(line) <= width


def test_one_checkpoint_alone_is_named_once() -> None:
    alone = Pairing(source("a"), source("a"), (ROWS[0],))
    assert [line.plain[:5] for line in listing(alone)][:2] == ["base ", ""]
