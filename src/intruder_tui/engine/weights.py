"""Both weights of a pair, read once, with their content hashes noted in the cache."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.engine.adapters import Against, LoraFactors
from intruder_tui.engine.assemble import assemble
from intruder_tui.spectral import LowRank


@dataclass(frozen=True, eq=False, slots=True)
class Weights:
    """What a pair is made of.

    Attributes:
        base: W0 [m, n], in its stored dtype or the one it was dequantised to.
        tuned: W1 [m, n] alike, or dW in factors where an adapter says no more.
    """

    base: torch.Tensor
    tuned: torch.Tensor | LowRank


def read_weights(pair: MatrixPair, cache: Cache, device: torch.device) -> Weights:
    """Read a pair to the device.

    Raises:
        ReadError: a tensor can't be read or its file changed.
    """
    base, base_hashes = assemble(pair.base, device)
    assert isinstance(base, torch.Tensor)
    tuned, tuned_hashes = assemble(pair.tuned, device, against=Against(pair.base, base))
    for tensor, content in {**base_hashes, **tuned_hashes}.items():
        cache.remember(tensor, content)
    if isinstance(tuned, LoraFactors):
        return Weights(base, LowRank(tuned.a, tuned.b, tuned.scaling))
    return Weights(base, tuned)
