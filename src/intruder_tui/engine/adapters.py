"""What adapters make of a base weight: low-rank factors wherever dW has them, a dense W1 otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dora,
    Hosted,
    LoraUpdate,
    Recipe,
    Reinitialised,
    ReplacedRows,
)
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.engine.peft_host import merged_by_peft
from intruder_tui.spectral.factors import factorise
from intruder_tui.spectral.matrices import Stored

AdapterRecipe = Adapted | Dora | Reinitialised | ReplacedRows | Hosted

Read = Callable[[StoredTensor], torch.Tensor]
"""Gives a stored tensor on the CPU in its stored dtype and shape."""

_TRAINING_EPSILON = torch.finfo(torch.float32).eps
"""PEFT decomposes the base in float32, whatever it is stored in."""
_MOST_ROTATION = 1e-2


@dataclass(frozen=True, slots=True)
class LoraFactors:
    """dW = scaling * b @ a, with a [r, in] and b [out, r]; never multiplied out."""

    a: torch.Tensor
    b: torch.Tensor
    scaling: float

    def dense(self, dtype: torch.dtype) -> torch.Tensor:
        """dW, [out, in], multiplied and scaled in `dtype`."""
        product: torch.Tensor = self.b.to(dtype) @ self.a.to(dtype)
        return product * self.scaling


@dataclass(frozen=True, slots=True)
class Against:
    """The pair's base: its recipe, and the tensor [out, in] it gave."""

    recipe: Recipe
    weight: torch.Tensor


def execute(
    recipe: AdapterRecipe,
    read: Read,
    base: Callable[[], torch.Tensor],
    device: torch.device,
    against: Against | None,
) -> torch.Tensor | LoraFactors:
    """The tuned side of an adapted matrix.

    Args:
        recipe: what to make.
        read: reads a stored tensor.
        base: gives the recipe's own base, [out, in] on the device; called only where its values are needed.
        device: where the result lies.
        against: what the result is compared with, the recipe's own base when None: factors are of the
            difference from it.

    Returns:
        The factors of W1 - W0 where that is exactly low-rank, W1 in float32 or wider otherwise.

    Raises:
        CheckpointError: what the adapter did to this weight can't be known.
    """
    match recipe:
        case Dora():
            return _dora(recipe, lora_factors(recipe.update, read, device), read(recipe.magnitude), base())
        case Hosted():
            parts = {part.key: read(part.tensor) for part in recipe.parts}
            return merged_by_peft(recipe, parts, base())
        case Adapted():
            factors = lora_factors(recipe.update, read, device)
        case Reinitialised():
            factors = _reinitialised(recipe, lora_factors(recipe.update, read, device), base())
        case ReplacedRows():
            replaced = _replaced(recipe, read(recipe.rows).to(device), base())
            if isinstance(replaced, torch.Tensor):
                return replaced
            factors = replaced
    if against is None or recipe.base == against.recipe:
        return factors
    own = base()
    if _same(own, against.weight):
        return factors
    wide = _wide(own)
    return own.to(wide) + factors.dense(wide)


def lora_factors(update: LoraUpdate, read: Read, device: torch.device) -> LoraFactors:
    """The factors of an update as its recipe says: flattened, one expert's share, flipped, some rows."""
    a = read(update.a).to(device).flatten(1)
    b = read(update.b).to(device).flatten(1)
    if update.gains is not None:
        a = a.to(torch.float32) * read(update.gains).to(device, torch.float32).reshape(-1, 1)
    expert = update.expert
    if expert is not None:
        b = b.reshape(b.shape[0], update.rank, expert.count)[:, :, expert.index]
    if update.flipped:
        a, b = b.T, a.T
    if update.rows is not None:
        b = b[slice(*update.rows)]
    return LoraFactors(a.contiguous(), b.contiguous(), update.scaling)


def _dora(recipe: Dora, factors: LoraFactors, magnitude: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    wide = _wide(base)
    direction = base.to(wide) + factors.dense(wide)
    norm: torch.Tensor = torch.linalg.norm(direction, dim=0 if recipe.per_column else 1, keepdim=True)
    return (magnitude.to(base.device, wide).reshape(norm.shape) / norm) * direction


def _reinitialised(recipe: Reinitialised, trained: LoraFactors, base: torch.Tensor) -> LoraFactors:
    weight = base.to(torch.float64)
    rank = recipe.update.rank
    if recipe.init == "pissa":
        b, a = _leading_part(weight, rank)
    else:
        b, a = _first_columns_part(weight, rank)
        b = b * trained.scaling
    return LoraFactors(
        torch.cat((trained.a.to(torch.float64), a)),
        torch.cat((trained.b.to(torch.float64) * trained.scaling, -b), dim=1),
        1.0,
    )


def _leading_part(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the `rank` leading terms of the decomposition, as (b, a): a projection of the weight."""
    wide = weight.shape[0] <= weight.shape[1]
    found = factorise(Stored(weight if wide else weight.T))
    sigma = found.sigma
    if rank < len(sigma):
        gap = float(sigma[rank - 1] - sigma[rank])
        if _TRAINING_EPSILON * float(sigma[0]) > _MOST_ROTATION * gap:
            raise CheckpointError(
                f"PiSSA took the {rank} leading singular directions of this weight, but its singular values "
                f"{rank} and {rank + 1} differ by only {gap:.1e}: which directions those were can't be known"
            )
    leading = found.vectors[:, :rank]
    return (leading, leading.T @ weight) if wide else (weight @ leading, leading.T)


def _first_columns_part(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Q_r R_r of the weight's QR decomposition: its projection on the span of its first `rank` columns."""
    q, r = torch.linalg.qr(weight[:, :rank])
    diagonal = r.diagonal().abs()
    if _TRAINING_EPSILON * float(diagonal.max()) > _MOST_ROTATION * float(diagonal.min()):
        raise CheckpointError(
            f"OLoRA took the span of the first {rank} columns of this weight, which are linearly dependent: "
            "which directions those were can't be known"
        )
    return q, q.T @ weight


def _replaced(recipe: ReplacedRows, rows: torch.Tensor, base: torch.Tensor) -> torch.Tensor | LoraFactors:
    indices = torch.tensor(recipe.indices, device=base.device)
    count = len(recipe.indices)
    if count > min(base.shape) // 8:
        wide = torch.promote_types(_wide(base), rows.dtype)
        return base.to(wide).index_copy(0, indices, rows.to(wide))
    chosen = torch.zeros(base.shape[0], count, dtype=torch.float32, device=base.device)
    chosen[indices, torch.arange(count, device=base.device)] = 1.0
    return LoraFactors(rows.to(torch.float64) - base[indices].to(torch.float64), chosen, 1.0)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape:
        raise CheckpointError(
            f"the adapter's own copy of the weight is {shape_text(tuple(one.shape))}, "
            f"the base {shape_text(tuple(other.shape))}"
        )
    wide = torch.promote_types(one.dtype, other.dtype)
    return torch.equal(one.to(wide), other.to(wide))


def _wide(base: torch.Tensor) -> torch.dtype:
    return torch.promote_types(base.dtype, torch.float32)
