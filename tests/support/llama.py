"""A small Llama-like checkpoint pair: names of a real one, matrices small enough to decompose in a test."""

from __future__ import annotations

from functools import cache

from tests.support.engines import SilentEngine
from tests.support.results import clean, planted, unchanged
from tests.support.sessions import matrix_row, other_row, session

from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.engine.session import Session
from intruder_tui.results import MatrixResult

SHAPES = {
    "self_attn.q_proj": (96, 96),
    "self_attn.k_proj": (48, 96),
    "self_attn.v_proj": (48, 96),
    "self_attn.o_proj": (96, 96),
    "mlp.gate_proj": (160, 96),
    "mlp.up_proj": (160, 96),
    "mlp.down_proj": (96, 160),
}
STRONG = "model.layers.1.self_attn.q_proj.weight"
WEAK = "model.layers.3.mlp.down_proj.weight"
REFUSED = "model.layers.2.mlp.up_proj.weight"
SAME = "model.layers.0.self_attn.v_proj.weight"
LAYERS = 4


def llama_rows() -> list[Row]:
    """Embedding, four layers with their norms, head; one refused, one untouched, one unpaired row."""
    rows = [
        other_row(
            "model.embed_tokens.weight", RowKind.SKIPPED, (256, 96), "an embedding: not a weight matrix here"
        )
    ]
    for layer in range(LAYERS):
        for module, shape in SHAPES.items():
            name = f"model.layers.{layer}.{module}.weight"
            if name == REFUSED:
                reason = f"{name}: base is 160 x 96, tuned is 160 x 104"
                rows.append(other_row(name, RowKind.REFUSED, shape, reason))
            else:
                rows.append(matrix_row(name, shape, untouched=name == SAME))
        norm = f"model.layers.{layer}.input_layernorm.weight"
        rows.append(other_row(norm, RowKind.SKIPPED, (96,), "a norm: one-dimensional"))
    rows.append(other_row("model.norm.weight", RowKind.SKIPPED, (96,), "a norm: one-dimensional"))
    rows.append(other_row("lm_head.weight", RowKind.UNPAIRED, (256, 96), "only in the base"))
    return rows


@cache
def llama_results() -> dict[str, MatrixResult]:
    """A result for every matrix: two hold intruders, one is unchanged, the others match."""
    results = {}
    for row in llama_rows():
        if row.pair is None:
            continue
        m, n = row.shape[0], row.shape[1]
        if row.name == STRONG:
            results[row.name] = planted(m, n, (1.2, 0.3))
        elif row.name == WEAK:
            results[row.name] = planted(m, n, (0.6,), seed=3)
        elif row.name == SAME:
            results[row.name] = unchanged(m, n)
        else:
            results[row.name] = clean(m, n)
    return results


def llama_session(
    engine: SilentEngine, *, ready: bool | list[str] = False, tuned: str = "tuned-lora-r16"
) -> Session:
    """A session over the pair; with `ready` all answers (or those) are in the cache already."""
    results = llama_results()
    names = list(results) if ready is True else ready or []
    return session(llama_rows(), engine, results, names, tuned)
