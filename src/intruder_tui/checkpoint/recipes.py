"""Recipes: how a matrix is made from tensors that lie in files. Plans only; the worker executes them.

A recipe is frozen, hashable and picklable. Adding a way to make a matrix (a quantised group, a slice of a
fused parameter, another adapter kind) means adding a dataclass here and its execution in `engine.assemble`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from intruder_tui.checkpoint.stored import StoredTensor


@dataclass(frozen=True, slots=True)
class Stored:
    """A matrix as it lies in a file; `transposed` when the file holds [in, out]."""

    tensor: StoredTensor
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Expert:
    """One expert's share of the factor B of a stack (PEFT's `target_parameters`).

    B [out, r * count] holds all experts', as [out, r, count].
    """

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class LoraUpdate:
    """dW = scaling * B A, with A [r, in] and B [out, r]; dW is [out, in] whatever the host stores.

    Attributes:
        a, b: the factors; a convolution's have further axes, which count as inputs.
        scaling: alpha / r, or alpha / sqrt(r) under rank stabilisation.
        flipped: dW = scaling * (B A)^T instead, as of an embedding.
        expert: its share of B, which holds a stack's; taken before flipping.
        gains: [r, 1], what each row of A is multiplied by (AdaLoRA's lora_E); None for 1.
        rows: the part [start, stop) of the rows of dW that is the weight's, taken last: a gate or an up
            projection inside a fused pair, the rows of a vocabulary that the base has; None for all.
    """

    a: StoredTensor
    b: StoredTensor
    scaling: float
    flipped: bool = False
    expert: Expert | None = None
    gains: StoredTensor | None = None
    rows: tuple[int, int] | None = None

    @property
    def rank(self) -> int:
        """The adapter rank r."""
        return self.a.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of dW."""
        rows, columns = self.b.shape[0], math.prod(self.a.shape[1:])
        if self.flipped:
            rows, columns = columns, rows
        if self.rows is not None:
            rows = self.rows[1] - self.rows[0]
        return rows, columns


@dataclass(frozen=True, slots=True)
class Adapted:
    """W1 = W0 + dW, never merged in the storage dtype. `base` may be the adapter's own copy of the weight."""

    base: Recipe
    update: LoraUpdate


@dataclass(frozen=True, slots=True)
class Dora:
    """W1 = magnitude * V / norm(V), V = W0 + dW, norm and magnitude per row, or per column (2402.09353).

    PEFT takes columns of an embedding [vocabulary, features], rows of everything else.
    """

    base: Recipe
    update: LoraUpdate
    magnitude: StoredTensor
    per_column: bool = False


@dataclass(frozen=True, slots=True)
class Reinitialised:
    """W1 = W0 - dW_init + dW: the adapter began from a part of the base and left the rest frozen.

    `init` is "pissa" (arXiv 2404.02948): dW_init = the r leading terms of W0's singular value decomposition;
    or "olora" (arXiv 2406.01775): dW_init = scaling * Q_r R_r of W0's QR decomposition.
    """

    base: Recipe
    update: LoraUpdate
    init: str


@dataclass(frozen=True, slots=True)
class ReplacedRows:
    """W1 is W0 with the rows at `indices` replaced by those of `rows` (trainable tokens)."""

    base: Recipe
    rows: StoredTensor
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A stored tensor under the name its reader knows it by."""

    key: str
    tensor: StoredTensor


@dataclass(frozen=True, slots=True)
class Hosted:
    """W1 is what PEFT's own layer class makes of W0.

    Attributes:
        base: gives W0.
        kind: the peft_type: "LOHA".
        module: the module's name in the model.
        fields: the configuration for this module alone; canonical JSON.
        parts: the adapter's tensors for the module, by their suffix.
        rank: r, for people; None where the tuner has none.
        transposed: PEFT's layer is a Conv1D, which stores [in, out]; `base` gives [out, in] all the same.
    """

    base: Recipe
    kind: str
    module: str
    fields: str
    parts: tuple[Named, ...]
    rank: int | None = None
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Scaled:
    """W = factor * q * s: float8 or int8 values with one scale per block of them.

    Attributes:
        values: q [out, in], F8_* or I8.
        scale: s, ceil(out / block[0]) x ceil(in / block[1]) elements in row-major order, or U8 exponents of
            2 biased by 127; None for 1.
        block: (rows, columns) of W that share a scale: a tile, a row, or all of W.
        factor: a constant of the scheme (1/127 in bitsandbytes' int8).
    """

    values: StoredTensor
    scale: StoredTensor | None
    block: tuple[int, int]
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class NestedScales:
    """bitsandbytes' double quantisation: scale = codebook[code] * absmax + offset, one absmax a block."""

    absmax: StoredTensor
    codebook: StoredTensor
    block: int
    offset: float


@dataclass(frozen=True, slots=True)
class FourBit:
    """bitsandbytes nf4 and fp4: W = codebook[code] * absmax, one absmax per block of consecutive elements.

    Attributes:
        values: two codes a byte, the first in the high half; bytes of whatever dtype.
        absmax: per block: F32, or U8 codes of `nested`.
        codebook: [16] F32.
        shape: (out, in) of W.
        block: elements of W that share an absmax.
        nested: how the absmax are quantised themselves; None when they are not.
    """

    values: StoredTensor
    absmax: StoredTensor
    codebook: StoredTensor
    shape: tuple[int, int]
    block: int
    nested: NestedScales | None = None


@dataclass(frozen=True, slots=True)
class MxFp4:
    """OCP microscaling FP4: blocks [out, groups, 16] U8, two codes a byte, the first in the low half; scales
    [out, groups] U8, exponents of 2 biased by 127. W is [out, groups * 32]."""

    blocks: StoredTensor
    scales: StoredTensor


@dataclass(frozen=True, slots=True)
class PackedIntegers:
    """compressed-tensors' pack-quantized: signed integers in I32 words, the lowest bits first.

    Attributes:
        packed: [out, ceil(in * bits / 32)] I32; each value is stored plus 2^(bits - 1).
        scale: ceil(out / block[0]) x ceil(in / block[1]) elements.
        shape: (out, in) of W.
        bits: 4 or 8.
        block: (rows, columns) of W that share a scale.
    """

    packed: StoredTensor
    scale: StoredTensor
    shape: tuple[int, int]
    bits: int
    block: tuple[int, int]


Dequantised = Scaled | FourBit | MxFp4 | PackedIntegers
"""Weights that are computed from packed values; float32."""

Recipe = Stored | Adapted | Dora | Reinitialised | ReplacedRows | Hosted | Dequantised


def adapter_rank(recipe: Recipe) -> int | None:
    """r of the adapter in a recipe; None where there is none."""
    if isinstance(recipe, Hosted):
        return recipe.rank
    return recipe.update.rank if isinstance(recipe, Adapted | Dora | Reinitialised) else None


def built_on(recipe: Recipe, base: Recipe) -> bool:
    """Whether a recipe adapts the very matrix that `base` gives."""
    if not isinstance(recipe, Adapted | Dora | Reinitialised | ReplacedRows | Hosted):
        return False
    return recipe.base == base or built_on(recipe.base, base)


def tensors(recipe: Recipe) -> Iterator[StoredTensor]:
    """Every stored tensor a recipe reads, in a fixed order."""
    return _stored_in(recipe)


def _stored_in(value: Any) -> Iterator[StoredTensor]:
    if isinstance(value, StoredTensor):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _stored_in(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _stored_in(getattr(value, field.name))


def describe(recipe: Any, identity: Callable[[StoredTensor], str]) -> dict[str, Any]:
    """A JSON-able description of a recipe in which each tensor is replaced by `identity(tensor)`.

    With an identity made of `stat` it names the files as they are now; with one made of content hashes it
    names the matrix itself, wherever it is stored.
    """
    out: dict[str, Any] = {"kind": type(recipe).__name__}
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        many = isinstance(value, tuple)
        out[field.name] = (
            [_described(one, identity) for one in value] if many else _described(value, identity)
        )
    return out


def _described(value: Any, identity: Callable[[StoredTensor], str]) -> Any:
    if isinstance(value, StoredTensor):
        return identity(value)
    return describe(value, identity) if is_dataclass(value) else value
