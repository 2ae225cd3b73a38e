"""What pairing produces: one row for every entry a person may look for, and why some can't be analysed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.checkpoint.recipes import Recipe, adapter_rank, built_on


class RowKind(StrEnum):
    """What a row of the layer tree is."""

    MATRIX = "matrix"
    """A weight matrix present on both sides: can be analysed."""
    SKIPPED = "skipped"
    """Present on both sides but not analysed by default: embedding, norm, bias, buffer, 1-D."""
    UNPAIRED = "unpaired"
    """On one side only."""
    REFUSED = "refused"
    """Paired, but the two can't be compared (shapes, dtype, malformed adapter)."""


@dataclass(frozen=True, slots=True)
class MatrixPair:
    """Two recipes for the same weight, both giving [out, in].

    Attributes:
        name: the base's name, "model.layers.0.self_attn.q_proj.weight".
        shape: (out, in).
        base, tuned: how to make W0 and W1.
        dtypes: stored dtype of the base's and of the tuned side ("BF16", "BF16 + LoRA r 16").
        rule: how the names were matched: "exact", or the prefixes stripped.
        notes: sentences for the row.
    """

    name: str
    shape: tuple[int, int]
    base: Recipe
    tuned: Recipe
    dtypes: tuple[str, str]
    rule: str = "exact"
    notes: tuple[str, ...] = ()

    @property
    def untouched(self) -> bool:
        """The tuned side is the very same stored tensor: an adapter that left this matrix alone."""
        return self.base == self.tuned

    @property
    def built_on_base(self) -> bool:
        """W1 is made from W0 itself, by an adapter: the two belong together, whatever the update's size."""
        return built_on(self.tuned, self.base)

    @property
    def adapter_rank(self) -> int | None:
        """r of the adapter, None for a full checkpoint."""
        return adapter_rank(self.tuned)


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the layer tree.

    Attributes:
        name: the base's name, or the tuned one's where the base has none. Not sanitised: escape to show.
        kind: see `RowKind`.
        shape: as oriented for a matrix, as stored otherwise.
        dtype: stored dtype(s), for people.
        pair: set for MATRIX, and for SKIPPED 2-D weights that may be analysed on request.
        reason: why it is skipped, unpaired or refused; empty for MATRIX.
    """

    name: str
    kind: RowKind
    shape: tuple[int, ...]
    dtype: str
    pair: MatrixPair | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One side of a pairing, for people and for identities.

    Attributes:
        argument: what the person typed.
        label: a short name for the header line.
        kind: "file", "model directory", "LoRA adapter", ...
        files: absolute paths of the files read.
        tensors: how many tensors the headers list.
        notes: warnings and remarks about this side.
    """

    argument: str
    label: str
    kind: str
    files: tuple[str, ...]
    tensors: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairing:
    """A base and one tuned checkpoint, laid side by side. Rows are in natural layer order.

    `notes` are remarks on the pairing as a whole (an adapter made for another base, ...).
    """

    base: Source
    tuned: Source
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def pairs(self) -> list[MatrixPair]:
        """The pairs analysed by default, in order."""
        return [row.pair for row in self.rows if row.kind is RowKind.MATRIX and row.pair is not None]
