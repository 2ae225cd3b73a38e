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
    "0.self_attn.v_proj": (0.95,),
    "2.self_attn.q_proj": (1.7, 1.05, 0.8),
    "2.mlp.down_proj": (1.25,),
    "3.self_attn.q_proj": (1.3, 0.9),
    "3.mlp.up_proj": (1.1,),
}
"""Adapter modules with foreign directions: their strengths as multiples of the base's largest sigma."""


def base_weight(rng: np.random.Generator, out: int, inp: int) -> Matrix:
    """[out, in] float32 with the spectrum of a trained projection: a few large values, then a slow decay."""
    q = min(out, inp)
    left, _ = np.linalg.qr(rng.standard_normal((out, q)))
    right, _ = np.linalg.qr(rng.standard_normal((inp, q)))
    rank = np.arange(q)
    sigma = 4.0 * (rank + 1.0) ** -0.45 * (1 - 0.75 * rank / q) + 1.5 * np.exp(-rank / 3)
    return ((left * sigma) @ right.T * 0.25).astype(np.float32)


def full_update(rng: np.random.Generator, base: Matrix) -> Matrix:
    """[out, in]: what full fine-tuning does, many small changes along directions the base already has."""
    left, sigma, right = np.linalg.svd(base, full_matrices=False)
    mixing = rng.standard_normal((len(sigma), len(sigma))) * np.sqrt(np.outer(sigma, sigma))
    change = left @ mixing @ right
    return np.asarray(0.02 * np.linalg.norm(base) / np.linalg.norm(change) * change, dtype=np.float32)


def lora_factors(rng: np.random.Generator, base: Matrix, planted: tuple[float, ...]) -> tuple[Matrix, Matrix]:
    """A [r, in] and B [out, r] of an adapter with scaling ALPHA / RANK.

    The first components are the planted foreign directions, the rest a faint update.
    """
    out, inp = base.shape
    largest = np.linalg.norm(base, 2)
    strengths = np.full(RANK, 0.02)
    strengths[: len(planted)] = planted
    left, _ = np.linalg.qr(rng.standard_normal((out, RANK)))
    right, _ = np.linalg.qr(rng.standard_normal((inp, RANK)))
    share = np.sqrt(strengths * largest * RANK / ALPHA)
    return (right * share).T.astype(np.float32), (left * share).astype(np.float32)
