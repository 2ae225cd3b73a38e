"""Results computed with numpy's float64 SVD, straight from the definition: small, real, never invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from intruder_tui.results import MatrixResult, Similarity, Tier, Traits, Update

Matrix = NDArray[np.float64]


def empty_similarity() -> Similarity:
    """No vectors: the similarity of an unchanged matrix."""
    none = np.empty(0, np.float32)
    return Similarity(none, none, np.empty(0, np.int32), np.empty((0, 0), np.float32))


def base_weight(m: int, n: int, seed: int = 0) -> Matrix:
    """A weight with a falling spectrum, so that its singular vectors are well defined."""
    rng = np.random.default_rng(seed)
    q = min(m, n)
    left = np.linalg.qr(rng.standard_normal((m, q)))[0]
    right = np.linalg.qr(rng.standard_normal((n, q)))[0]
    return (left * (20.0 * np.arange(1, q + 1) ** -0.7)) @ right.T


def plant(base: Matrix, strengths: list[float], seed: int = 1) -> Matrix:
    """`base` plus one rank-one update per strength, each times the base's largest singular value.

    The directions are random mixtures of the weaker half of the base's own, foreign to its strong ones and
    orthogonal to each other.
    """
    rng = np.random.default_rng(seed)
    left, sigma, right = np.linalg.svd(base, full_matrices=False)
    tail = len(sigma) // 2
    mix_left = np.linalg.qr(rng.standard_normal((len(sigma) - tail, len(strengths))))[0]
    mix_right = np.linalg.qr(rng.standard_normal((len(sigma) - tail, len(strengths))))[0]
    scales = np.array(strengths) * sigma[0]
    return base + (left[:, tail:] @ mix_left * scales) @ (right[tail:].T @ mix_right).T


def _similarity(base: Matrix, tuned: Matrix, limit: int) -> Similarity:
    cosines = np.abs(base.T @ tuned)
    best = cosines.max(0)[:limit].astype(np.float32)
    index = cosines.argmax(0)[:limit].astype(np.int32)
    return Similarity(best, best, index, cosines[:limit, :limit].astype(np.float32))


def analyse(
    base: Matrix,
    tuned: Matrix,
    *,
    limit: int = 64,
    adapter_rank: int | None = None,
    rounding_floor: float | None = None,
    notes: tuple[str, ...] = (),
) -> MatrixResult:
    """The result of a pair, by float64 SVDs of W0, W1 and dW."""
    u0, s0, v0 = np.linalg.svd(base, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(tuned, full_matrices=False)
    sigma = np.linalg.svd(tuned - base, compute_uv=False)
    if adapter_rank is not None:
        sigma = sigma[:adapter_rank]
    share = sigma / sigma.sum()
    energy = np.cumsum(sigma**2) / (sigma**2).sum()
    frobenius = float(np.linalg.norm(tuned - base))
    ranks = tuple(int(np.searchsorted(energy, at) + 1) for at in (0.90, 0.95, 0.99))
    update = Update(
        sigma=sigma.astype(np.float32),
        frobenius=frobenius,
        relative_norm=frobenius / float(np.linalg.norm(base)),
        effective_rank=float(np.exp(-(share * np.log(share)).sum())),
        stable_rank=frobenius**2 / float(sigma[0] ** 2),
        energy_ranks=(ranks[0], ranks[1], ranks[2]),
        adapter_rank=adapter_rank,
        rounding_floor=rounding_floor,
    )
    return MatrixResult(
        shape=(base.shape[0], base.shape[1]),
        unchanged=False,
        sigma_base=s0.astype(np.float32),
        sigma_tuned=s1.astype(np.float32),
        left=_similarity(u0, u1, limit),
        right=_similarity(v0.T, v1.T, limit),
        update=update,
        weight_cosine=float((base * tuned).sum() / np.linalg.norm(base) / np.linalg.norm(tuned)),
        tier=Tier.FLOAT64,
        device="cpu",
        notes=notes,
    )


def planted(
    m: int = 160, n: int = 128, strengths: tuple[float, ...] = (1.2, 0.4), seed: int = 0, limit: int = 32
) -> MatrixResult:
    """A pair into which one foreign direction per strength was planted, as an adapter of that rank."""
    base = base_weight(m, n, seed)
    tuned = plant(base, list(strengths), seed + 1)
    return analyse(base, tuned, limit=limit, adapter_rank=len(strengths))


def traced(strengths: tuple[float, ...], *, window: int = 5) -> MatrixResult:
    """A planted pair with what lies behind each match of its left vectors, by float64 SVDs."""
    base = base_weight(160, 128)
    tuned = plant(base, list(strengths))
    result = analyse(base, tuned, limit=20)
    u0, u1 = (np.linalg.svd(weight, full_matrices=False)[0] for weight in (base, tuned))
    change = np.linalg.svd(tuned - base, full_matrices=False)[0][:, : len(strengths)]
    cosines = (u0.T @ u1[:, :20]) ** 2
    near = np.abs(np.subtract.outer(np.arange(128), np.arange(20))) <= window
    traits = Traits(
        participation=(1 / (cosines**2).sum(0)).astype(np.float32),
        window_share=(cosines * near).sum(0).astype(np.float32),
        update_share=((change.T @ u1[:, :20]) ** 2).sum(0).astype(np.float32),
        cluster_size=np.ones(20, np.int32),
        tied=np.ones(20, np.int32),
        window=window,
    )
    return replace(result, left=replace(result.left, traits=traits, overlap=result.left.lower))


def clean(m: int = 64, n: int = 48, seed: int = 0, limit: int = 32) -> MatrixResult:
    """A pair whose update only rescales the base's own directions: no intruder."""
    base = base_weight(m, n, seed)
    u, s, v = np.linalg.svd(base, full_matrices=False)
    tuned = (u * (s * 1.02)) @ v
    return analyse(base, tuned, limit=limit)


def bounded(result: MatrixResult, width: float = 0.05) -> MatrixResult:
    """The same result as a certificate would give it: intervals that hold the values, no block."""

    def loosen(side: Similarity) -> Similarity:
        low = np.maximum(side.lower - width, 0).astype(np.float32)
        high = np.minimum(side.upper + width, 1).astype(np.float32)
        low = np.where(side.lower < 0.4, 0, low).astype(np.float32)
        return Similarity(low, high, np.full_like(side.index, -1), np.empty((0, 0), np.float32))

    return MatrixResult(
        result.shape,
        result.unchanged,
        np.empty(0, np.float32),
        result.sigma_tuned,
        loosen(result.left),
        loosen(result.right),
        result.update,
        result.weight_cosine,
        Tier.CERTIFICATE,
        result.device,
        result.notes,
    )


def unchanged(m: int = 64, n: int = 48) -> MatrixResult:
    """The result of a pair whose two weights are equal."""
    none = np.empty(0, np.float32)
    update = Update(none, 0.0, 0.0, None, None, None, None, None)
    return MatrixResult(
        (m, n), True, none, none, empty_similarity(), empty_similarity(), update, 1.0, Tier.NONE, "cpu"
    )
