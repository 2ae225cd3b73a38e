"""Weights with the spectra of real ones, and updates whose intruders are known because they were planted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

HIDDEN = 192
INTERMEDIATE = 512
LAYERS = 4
VOCABULARY = 256
RANK = 8
ALPHA = 16
TARGETS = ("q_proj", "v_proj", "up_proj", "down_proj")

LINEAR: dict[str, tuple[int, int]] = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.v_proj": (HIDDEN // 2, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
    "mlp.up_proj": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTERMEDIATE),
}
"""Module -> (out, in), a small Llama with grouped-query attention."""

PLANTED: dict[str, tuple[float, ...]] = {
    "0.self_attn.v_proj": (0.85,),
    "2.self_attn.q_proj": (1.3, 1.0, 0.85),
    "2.mlp.down_proj": (1.0,),
    "3.self_attn.q_proj": (1.15,),
    "3.mlp.up_proj": (0.95,),
}
"""Adapter modules with foreign directions: their strengths as multiples of the base's largest sigma."""


def base_weight(rng: np.random.Generator, out: int, inp: int) -> Matrix:
    """[out, in] float32 with the spectrum of a trained projection: a few large values, then a slow decay."""
    q = min(out, inp)
    left, _ = np.linalg.qr(rng.standard_normal((out, q)))
    right, _ = np.linalg.qr(rng.standard_normal((inp, q)))
    rank = np.arange(q)
    sigma = 1.1 * (1 - 0.85 * rank / q) + 0.9 * np.exp(-rank / 4)
    return np.asarray((left * sigma) @ right.T, np.float32)


def full_update(rng: np.random.Generator, base: Matrix) -> Matrix:
    """[out, in]: what full fine-tuning does, many small changes along directions the base already has."""
    left, sigma, right = np.linalg.svd(base, full_matrices=False)
    mixing = rng.standard_normal((len(sigma), len(sigma))) * np.sqrt(np.outer(sigma, sigma))
    change = left @ mixing @ right
    return np.asarray(0.06 * np.linalg.norm(base) / np.linalg.norm(change) * change, dtype=np.float32)


def lora_factors(rng: np.random.Generator, base: Matrix, planted: tuple[float, ...]) -> tuple[Matrix, Matrix]:
    """A [r, in] and B [out, r] of an adapter with scaling ALPHA / RANK.

    The first components are the planted foreign directions, the rest a faint update.
    """
    out, inp = base.shape
    largest = np.linalg.norm(base, 2)
    strengths = np.full(RANK, 0.03)
    strengths[: len(planted)] = planted
    left, _ = np.linalg.qr(rng.standard_normal((out, RANK)))
    right, _ = np.linalg.qr(rng.standard_normal((inp, RANK)))
    share = np.sqrt(strengths * largest * RANK / ALPHA)
    a, b = (right * share).T, left * share
    # safetensors writes the memory of a transposed view as if it were contiguous
    return np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32)
