"""Studies computed with numpy's float64 SVD, straight from the definition: small, real, never invented."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intruder_tui.definition import Side
from intruder_tui.results import Floats
from intruder_tui.studies.answers import Scalings, Spread, TunedVectors
from intruder_tui.studies.cosines import Cosines, Level, pyramid, reader

Matrix = NDArray[np.float64]
MULTIPLES = np.linspace(0.0, 4.0, 33)


def whole_cosines(base: Matrix, tuned: Matrix, side: Side = Side.LEFT) -> Cosines:
    """|cos| of all singular vectors of two weights."""
    u0, s0, v0 = np.linalg.svd(base, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(tuned, full_matrices=False)
    cosines = np.abs(u0.T @ u1) if side is Side.LEFT else np.abs(v0 @ v1.T)
    return cosines_of(cosines, side, s0.astype(np.float32), s1.astype(np.float32))


def cosines_of(
    values: NDArray[Any], side: Side, sigma_base: Floats | None = None, sigma_tuned: Floats | None = None
) -> Cosines:
    """The same over an array in memory ([rows, columns], |cos|); without sigma these are NaN."""
    rows, columns = values.shape
    full = values.astype(np.float16)
    return Cosines(
        side,
        (rows, columns),
        np.full(rows, np.nan, np.float32) if sigma_base is None else sigma_base,
        np.full(columns, np.nan, np.float32) if sigma_tuned is None else sigma_tuned,
        (values.max(0) if rows else np.zeros(columns)).astype(np.float32),
        (values.argmax(0) if rows else np.full(columns, -1)).astype(np.int32),
        tuple(Level(step, reader(array)) for step, array in pyramid(full)),
    )


def random_cosines(rows: int, columns: int, side: Side = Side.LEFT, seed: int = 0) -> Cosines:
    """A whole matrix of any size, of random values in 0..1: for tests of drawing only."""
    values = np.random.default_rng(seed).random((rows, columns), dtype=np.float32)
    return cosines_of(values, side)


def tuned_vectors(tuned: Matrix, limit: int = 32) -> TunedVectors:
    """The leading singular vectors of a weight."""
    u, s, v = np.linalg.svd(tuned, full_matrices=False)
    return TunedVectors(
        s[:limit].astype(np.float32),
        u[:, :limit].astype(np.float16),
        v[:limit].T.astype(np.float16),
        np.zeros(min(limit, len(s)), np.float32),
    )


def scaled(
    base: Matrix,
    delta: Matrix,
    rank: int,
    *,
    scaling: float = 2.0,
    limit: int = 32,
    multiples: NDArray[np.float64] = MULTIPLES,
) -> Scalings:
    """W0 + t dW for every t, by an SVD each."""
    u0, _, v0 = np.linalg.svd(base, full_matrices=False)
    p, d, q = np.linalg.svd(delta, full_matrices=False)
    limit = min(limit, *base.shape)
    sigma, sides = [], ([], [])
    for multiple in multiples:
        u1, s1, v1 = np.linalg.svd(base + multiple * delta, full_matrices=False)
        sigma.append(s1[:limit])
        for kept, ours, theirs, parts in ((sides[0], u0, u1, p), (sides[1], v0.T, v1.T, q.T)):
            cosines = np.abs(ours.T @ theirs[:, :limit])
            shares = np.square(parts[:, :rank].T @ theirs[:, :limit]).T
            kept.append((cosines.max(0), cosines.argmax(0), shares))
    left, right = (
        Spread(
            np.array([best for best, _, _ in side], np.float32),
            np.array([best for best, _, _ in side], np.float32),
            np.array([index for _, index, _ in side], np.int32),
            np.array([shares for _, _, shares in side], np.float32),
        )
        for side in sides
    )
    return Scalings(
        multiples,
        scaling,
        rank,
        np.array(sigma, np.float32),
        d[:rank].astype(np.float32),
        left,
        right,
    )
