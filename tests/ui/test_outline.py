"""The layer tree before it is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.llama import llama_rows

from intruder_tui.ui.outline import Branch, outline, short_name


def drawn(branch: Branch) -> list[str]:
    lines = []
    for child in branch.children:
        lines.append("  " * child.depth + child.label)
        lines += drawn(child)
    return lines


def test_a_llama_has_one_trunk() -> None:
    lines = drawn(outline(row.name for row in llama_rows()))
    assert [line for line in lines if not line.startswith(" ")] == [
        "model.embed_tokens",
        "model.layers",
        "model.norm",
        "lm_head",
    ]
    assert lines[2:7] == ["  0", "    self_attn", "      q_proj", "      k_proj", "      v_proj"]


def test_a_bert_joins_encoder_and_layer() -> None:
    names = [
        "bert.embeddings.word_embeddings.weight",
        "bert.encoder.layer.0.attention.self.query.weight",
        "bert.encoder.layer.0.attention.self.query.bias",
        "bert.encoder.layer.1.attention.self.query.weight",
        "classifier.weight",
    ]
    assert drawn(outline(names)) == [
        "bert.embeddings",
        "  word_embeddings",
        "bert.encoder.layer",
        "  0.attention.self",
        "    query",
        "    query.bias",
        "  1.attention.self",
        "    query",
        "classifier",
    ]


def test_many_towers_stay_under_their_group() -> None:
    names = [f"model.tower{i}.{j}.proj.weight" for i in range(5) for j in range(2)]
    assert drawn(outline(names))[:3] == ["model", "  tower0", "    0"]


NAMES = st.lists(st.text(alphabet="ab.0\x1b[", min_size=0, max_size=12), min_size=0, max_size=20, unique=True)


@given(NAMES)
def test_every_row_is_a_leaf_once_and_in_order_within_its_group(names: list[str]) -> None:
    top = outline(names)
    assert sorted(leaf.row or "" for leaf in top.leaves()) == sorted(names)
    for leaf in top.leaves():
        depths = [branch.depth for branch in leaf.ancestors()]
        assert depths == list(range(leaf.depth - 1, -1, -1))


def test_a_name_of_five_thousand_dots_is_one_short_branch() -> None:
    (leaf,) = outline(["a." * 5000 + "weight"]).leaves()
    assert leaf.depth < 30


def test_short_names() -> None:
    assert short_name("model.layers.3.self_attn.q_proj.weight") == "layers.3 q_proj"
    assert short_name("model.layers.3.mlp.experts.17.w1.weight") == "layers.3 experts.17 w1"
    assert short_name("lm_head.weight") == "lm_head"
    assert short_name("weight") == "weight"
    assert short_name("0.weight") == "0"
