"""The definition in numpy: a float64 SVD of both weights, absolute cosines, maximum over all base vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from intruder_tui.spectral import LowRank

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """[q, rank] cosines, base by rows; singular values; singular values of dW."""

    left: Array
    right: Array
    sigma_base: Array
    sigma_tuned: Array
    sigma_update: Array


def truth(base: torch.Tensor, tuned: torch.Tensor | LowRank) -> Truth:
    """Directions with singular values at rounding are in neither matrix."""
    w0 = base.double().numpy()
    if isinstance(tuned, LowRank):
        w1 = w0 + tuned.scaling * (tuned.b.double().numpy() @ tuned.a.double().numpy())
    else:
        w1 = tuned.double().numpy()
    u0, s0, v0 = np.linalg.svd(w0, full_matrices=False)
    u1, s1, v1 = np.linalg.svd(w1, full_matrices=False)
    small = 10 * max(w0.shape) * np.finfo(float).eps
    r0, r1 = int((s0 > small * s0[0]).sum()), int((s1 > small * s1[0]).sum())
    left, right = np.abs(u0.T @ u1)[:, :r1], np.abs(v0 @ v1.T)[:, :r1]
    left[r0:] = 0
    right[r0:] = 0
    return Truth(left, right, s0, s1, np.linalg.svd(w1 - w0, compute_uv=False))


def best_matches(
    base: torch.Tensor, updates: list[torch.Tensor | LowRank], k: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """best(j) of the top k on the U and on the V side, for each of several updates of a base of full rank."""
    w0 = base.double()
    u0, _, v0 = torch.linalg.svd(w0, full_matrices=False)
    found = []
    for tuned in updates:
        if isinstance(tuned, LowRank):
            w1 = w0 + tuned.scaling * (tuned.b.double() @ tuned.a.double())
        else:
            w1 = tuned.double()
        u1, _, v1 = torch.linalg.svd(w1, full_matrices=False)
        found.append(((u0.T @ u1[:, :k]).abs().amax(0), (v0 @ v1[:k].T).abs().amax(0)))
    return found
