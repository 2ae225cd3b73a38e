"""A weight that is not stored as plain floating point: what it is packed as, and how to get it back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from intruder_tui.checkpoint.recipes import Dequantised
from intruder_tui.checkpoint.stored import StoredTensor


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed weight, its constants folded in.

    Attributes:
        values: the stored tensor that holds its codes.
        shape: of the weight they stand for: (out, in), or (experts, out, in) of a stack; as stored where
            that is unknown.
        scheme: for people: "nf4 (bitsandbytes)".
        recipes: how to make the weight, one a matrix; empty when it can't be made.
        noise: the rounding's share of a Gaussian weight's norm, in percent; 0 where there is no recipe.
        reason: why there is no recipe; empty when there is one.
    """

    values: StoredTensor
    shape: tuple[int, ...]
    scheme: str
    recipes: tuple[Dequantised, ...] = ()
    noise: float = 0.0
    reason: str = ""

    @property
    def note(self) -> str:
        """The sentence a row carries."""
        return _noted(self.scheme, self.noise)


@lru_cache
def _noted(scheme: str, noise: float) -> str:
    # Of thousands of experts every row has it.
    return (
        f"dequantised from {scheme}: its rounding alone is about {noise:g} % of the norm; "
        "a smaller dW is mostly noise"
    )
