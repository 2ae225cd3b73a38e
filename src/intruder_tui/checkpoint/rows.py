"""Rows of the layer tree: each matched or unmatched entry judged by name, dtype, shape and orientation."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.adapter import Adapter
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.layers import Layer, Role, layer_of
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.orientation import Orientation
from intruder_tui.checkpoint.pairs import MatrixPair, Row, RowKind
from intruder_tui.checkpoint.quantised import why_not_plain
from intruder_tui.checkpoint.recipes import Recipe, Stored, StoredTensor
from intruder_tui.checkpoint.rules import Match, match_names

_NEVER_ANALYSED = frozenset({Role.BUFFER, Role.QUANTISATION, Role.BIAS, Role.NORM})
_RESIZABLE = frozenset({Role.EMBEDDING, Role.HEAD})


@dataclass(frozen=True, slots=True)
class Side:
    """One set of full tensors as row-making sees it; `absent` are promised names without a tensor."""

    tensors: Mapping[str, StoredTensor]
    absent: Mapping[str, str]
    orientation: Orientation

    @classmethod
    def of_model(cls, catalog: Catalog) -> Side:
        """A full checkpoint."""
        return cls(catalog.tensors, catalog.absent, Orientation(catalog.tensors, catalog.model_type))

    @classmethod
    def of_adapter(cls, adapter: Adapter, base: Catalog) -> Side:
        """The full tensors an adapter carries, stored as its base stores them."""
        return cls(adapter.full, {}, Orientation(adapter.full, base.model_type))

    @property
    def names(self) -> list[str]:
        """Every name of this side."""
        return [*self.tensors, *self.absent]

    def why_not_plain(self, name: str) -> str:
        """Why a tensor's stored values are not its weights; empty when they are."""
        return why_not_plain(name, self.tensors[name].dtype, self.tensors)


def model_rows(base: Catalog, tuned: Catalog) -> list[Row]:
    """Rows of two full checkpoints, in no particular order."""
    left, right = Side.of_model(base), Side.of_model(tuned)
    matching = match_names(left.names, right.names)
    return [
        *(tensor_row(match, left, right) for match in matching.matches),
        *unpaired_rows(left, "base", {match.base for match in matching.matches}, matching.ambiguous_base),
        *unpaired_rows(
            right, "tuned model", {match.tuned for match in matching.matches}, matching.ambiguous_tuned
        ),
    ]


def tensor_row(match: Match, left: Side, right: Side) -> Row:
    """The row of two stored tensors."""
    if match.base not in left.tensors or match.tuned not in right.tensors:
        return _absent_row(match, left, right)
    base, tuned = left.tensors[match.base], right.tensors[match.tuned]
    layer = layer_of(match.base, base.shape)
    dtype = base.dtype if base.dtype == tuned.dtype else f"{base.dtype}, {tuned.dtype}"

    def row(kind: RowKind, reason: str) -> Row:
        return Row(match.base, kind, base.shape, dtype, reason=reason)

    differs = f"base is {shape_text(base.shape)}, tuned is {shape_text(tuned.shape)}"
    if layer.role in _NEVER_ANALYSED:
        return row(RowKind.SKIPPED, layer.reason if base.shape == tuned.shape else f"{layer.role}: {differs}")
    packed = _packed(left.why_not_plain(match.base), right.why_not_plain(match.tuned))
    if packed:
        return row(RowKind.SKIPPED if max(len(base.shape), len(tuned.shape)) < 2 else RowKind.REFUSED, packed)
    if not len(base.shape) == len(tuned.shape) == 2:
        same = base.shape == tuned.shape
        return row(RowKind.SKIPPED if same else RowKind.REFUSED, layer.reason if same else differs)
    of_base, of_tuned = left.orientation.transposed(match.base), right.orientation.transposed(match.tuned)
    recipes = (
        Stored(base, bool(of_tuned if of_base is None else of_base)),
        Stored(tuned, bool(of_base if of_tuned is None else of_tuned)),
    )
    if oriented(recipes[0]) != oriented(recipes[1]):
        return row(RowKind.REFUSED, f"{differs}{_resized(layer, base, tuned)}")
    return comparable_row(match, layer, recipes[0], recipes[1], (base.dtype, tuned.dtype))


def comparable_row(match: Match, layer: Layer, base: Stored, tuned: Recipe, dtypes: tuple[str, str]) -> Row:
    """The row of two recipes of the same shape, analysed by default if it is a linear layer's weight."""
    shape = oriented(base)
    # An adapted dtype names the base's own: "BF16 + LoRA r 16".
    dtype = dtypes[1] if dtypes[1].startswith(dtypes[0]) else f"{dtypes[0]}, {dtypes[1]}"
    if 0 in shape:
        return Row(match.base, RowKind.SKIPPED, shape, dtype, reason=f"no elements ({shape_text(shape)})")
    notes = ("stored [in, out], shown and analysed as [out, in]",) if base.transposed else ()
    pair = MatrixPair(match.base, shape, base, tuned, dtypes, match.rule, notes)
    kind = RowKind.MATRIX if layer.role is Role.LINEAR else RowKind.SKIPPED
    return Row(match.base, kind, shape, dtype, pair, layer.reason)


def unpaired_rows(side: Side, called: str, paired: Container[str], ambiguous: Mapping[str, str]) -> list[Row]:
    """Rows of the names of one side that have no partner."""
    rows = []
    for name in side.names:
        if name in paired:
            continue
        tensor = side.tensors.get(name)
        reasons = [f"only in the {called}", ambiguous.get(name, ""), side.absent.get(name, "")]
        reasons.append(side.why_not_plain(name) if tensor and len(tensor.shape) > 1 else "")
        rows.append(
            Row(
                name,
                RowKind.UNPAIRED,
                tensor.shape if tensor else (),
                tensor.dtype if tensor else "",
                reason="; ".join(filter(None, reasons)),
            )
        )
    return rows


def oriented(stored: Stored) -> tuple[int, int]:
    """(out, in) of a 2-D stored tensor."""
    rows, columns = stored.tensor.shape
    return (columns, rows) if stored.transposed else (rows, columns)


def _absent_row(match: Match, left: Side, right: Side) -> Row:
    tensor = left.tensors.get(match.base) or right.tensors.get(match.tuned)
    reasons = (
        f"{called}: {side.absent[name]}"
        for called, side, name in (("base", left, match.base), ("tuned", right, match.tuned))
        if name in side.absent
    )
    shape, dtype = (tensor.shape, tensor.dtype) if tensor else ((), "")
    return Row(match.base, RowKind.REFUSED, shape, dtype, reason="; ".join(reasons))


def _packed(base: str, tuned: str) -> str:
    if base == tuned:
        return base
    return "; ".join(f"{called} is {why}" for called, why in (("base", base), ("tuned", tuned)) if why)


def _resized(layer: Layer, base: StoredTensor, tuned: StoredTensor) -> str:
    if layer.role in _RESIZABLE and base.shape[1] == tuned.shape[1]:
        return ": the vocabulary was resized, and comparing the common rows is not covered yet"
    return ""
