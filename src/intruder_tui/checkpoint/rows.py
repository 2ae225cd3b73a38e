"""Rows of the layer tree: each matched or unmatched entry judged by name, dtype, shape and orientation."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.fused import taken_apart
from intruder_tui.checkpoint.kept_fused import fusion_reasons
from intruder_tui.checkpoint.layers import Layer, Role, layer_of
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.pairs import MatrixPair, Row, RowKind
from intruder_tui.checkpoint.recipes import FourBit, MxFp4, PackedIntegers, Recipe, Scaled, Stored
from intruder_tui.checkpoint.renames import Renames
from intruder_tui.checkpoint.rules import NO_RENAMES, Match, match_names
from intruder_tui.checkpoint.sides import Side
from intruder_tui.checkpoint.stacks import experts, stack_shape
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.tied import lent

_NEVER_ANALYSED = frozenset({Role.BUFFER, Role.QUANTISATION, Role.BIAS, Role.NORM})
RESIZABLE = frozenset({Role.EMBEDDING, Role.HEAD})
"""Layers whose rows are those of a vocabulary."""
_IN_OUT = "stored [in, out], shown and analysed as [out, in]"


def model_rows(base: Catalog, tuned: Catalog, renames: Renames = NO_RENAMES) -> list[Row]:
    """Rows of two full checkpoints, in no particular order.

    Raises:
        CheckpointError: constants of a packed weight can't be read; a rename takes too long.
    """
    left, right = taken_apart(*lent(Side.of_model(base), Side.of_model(tuned)))
    matching = match_names(left.names, right.names, (left.shapes, right.shapes), renames)
    paired = {match.base for match in matching.matches}, {match.tuned for match in matching.matches}
    fused = fusion_reasons(
        left,
        right,
        (name for name in left.names if name not in paired[0]),
        (name for name in right.names if name not in paired[1]),
    )
    return [
        *(row for match in matching.matches for row in tensor_rows(match, left, right)),
        *unpaired_rows(left, "base", paired[0], {**fused[0], **matching.ambiguous_base}),
        *unpaired_rows(right, "tuned model", paired[1], {**fused[1], **matching.ambiguous_tuned}),
    ]


def tensor_rows(match: Match, left: Side, right: Side) -> list[Row]:
    """The rows of two full tensors: one, or for stacks of experts one an expert."""
    if match.base in left.tensors and match.tuned in right.tensors:
        shapes = left.shape(match.base), right.shape(match.tuned)
        if (
            len(shapes[0]) == len(shapes[1]) == 3
            and all(layer_of(match.base, shape).role is Role.EXPERTS for shape in shapes)
            and not left.why_unreadable(match.base)
            and not right.why_unreadable(match.tuned)
            and stack_shape(left, match.base) == stack_shape(right, match.tuned)
        ):
            return _stack_rows(match, left, right)
    return [tensor_row(match, left, right)]


def tensor_row(match: Match, left: Side, right: Side) -> Row:
    """The row of two full tensors that are not stacks."""
    if match.base not in left.tensors or match.tuned not in right.tensors:
        return _absent_row(match, left, right)
    base, tuned = left.shape(match.base), right.shape(match.tuned)
    layer = layer_of(match.base, base)
    dtypes = (left.dtype(match.base), right.dtype(match.tuned))

    def row(kind: RowKind, reason: str) -> Row:
        return Row(match.base, kind, base, _both(dtypes), reason=reason)

    differs = "" if base == tuned else f"base is {shape_text(base)}, tuned is {shape_text(tuned)}"
    if layer.role in _NEVER_ANALYSED:
        return row(RowKind.SKIPPED, f"{layer.role}: {differs}" if differs else layer.reason)
    unreadable = _of_both(left.why_unreadable(match.base), right.why_unreadable(match.tuned))
    if unreadable:
        return row(RowKind.SKIPPED if max(len(base), len(tuned)) < 2 else RowKind.REFUSED, unreadable)
    if layer.role is Role.CONVOLUTION and base == tuned:
        contradicted = _of_both(
            not_out_first(match.base, left.tensors), not_out_first(match.tuned, right.tensors)
        )
        if contradicted:
            return row(RowKind.SKIPPED, contradicted)
        return _convolution_row(match, left, right)
    if not len(base) == len(tuned) == 2:
        return row(RowKind.REFUSED if differs else RowKind.SKIPPED, differs or layer.reason)
    recipes = _oriented_recipes(match, left, right)
    made = oriented(recipes[0]), oriented(recipes[1])
    notes = _notes(match, left, right)
    if made[0] != made[1]:
        common = _common_rows(layer, recipes)
        if common is None:
            sizes = f"base is {shape_text(made[0])}, tuned is {shape_text(made[1])} (out x in)"
            return row(RowKind.REFUSED, differs or sizes)
        recipes, resized = common
        notes = (*notes, resized)
    return comparable_row(match, layer, recipes[0], recipes[1], dtypes, notes)


def comparable_row(
    match: Match,
    layer: Layer,
    base: Recipe,
    tuned: Recipe,
    dtypes: tuple[str, str],
    notes: tuple[str, ...] = (),
) -> Row:
    """The row of two recipes of the same shape, analysed by default if it is a linear layer's weight."""
    shape = oriented(base)
    if 0 in shape:
        reason = f"no elements ({shape_text(shape)})"
        return Row(match.base, RowKind.SKIPPED, shape, _both(dtypes), reason=reason)
    if isinstance(base, Stored) and base.transposed:
        notes = (_IN_OUT, *notes)
    pair = MatrixPair(match.base, shape, base, tuned, dtypes, match.rule, notes)
    kind = RowKind.MATRIX if layer.role is Role.LINEAR else RowKind.SKIPPED
    return Row(match.base, kind, shape, _both(dtypes), pair, layer.reason)


def _stack_rows(match: Match, left: Side, right: Side) -> list[Row]:
    dtypes = (left.dtype(match.base), right.dtype(match.tuned))
    notes = _notes(match, left, right)
    layer = Layer(Role.LINEAR, "")
    return [
        comparable_row(
            Match(f"{match.base}.{index}", f"{match.tuned}.{index}", match.rule),
            layer,
            one,
            other,
            dtypes,
            notes,
        )
        for index, (one, other) in enumerate(
            zip(experts(left, match.base), experts(right, match.tuned), strict=True)
        )
    ]


def not_out_first(name: str, tensors: Mapping[str, StoredTensor]) -> str:
    """Why a convolution's first axis does not count its outputs; empty when nothing says so."""
    bias = tensors.get(f"{name.removesuffix('.weight')}.bias")
    shape = tensors[name].shape
    if bias is None or len(bias.shape) != 1 or bias.shape[0] == shape[0]:
        return ""
    return (
        f"a transposed convolution ({shape_text(shape)}, its bias has {bias.shape[0]} elements): not analysed"
    )


def _convolution_row(match: Match, left: Side, right: Side) -> Row:
    base, tuned = left.tensors[match.base], right.tensors[match.tuned]
    flat = (base.shape[0], math.prod(base.shape[1:]))
    note = f"a convolution ({shape_text(base.shape)}), seen as out x everything else"
    return comparable_row(
        match,
        Layer(Role.LINEAR, ""),
        Stored(base.part(0, flat)),
        Stored(tuned.part(0, flat)),
        (base.dtype, tuned.dtype),
        (*_notes(match, left, right), note),
    )


def _oriented_recipes(match: Match, left: Side, right: Side) -> tuple[Recipe, Recipe]:
    """Recipes that give [out, in]; where nothing tells how one side is stored, it is stored as the other."""
    known = [
        False if name in side.packed else side.orientation.transposed(name)
        for side, name in ((left, match.base), (right, match.tuned))
    ]
    return (
        _recipe(left, match.base, bool(known[1] if known[0] is None else known[0])),
        _recipe(right, match.tuned, bool(known[0] if known[1] is None else known[1])),
    )


def _recipe(side: Side, name: str, transposed: bool) -> Recipe:
    packed = side.packed.get(name)
    return packed.recipes[0] if packed else Stored(side.tensors[name], transposed)


def _common_rows(layer: Layer, recipes: tuple[Recipe, Recipe]) -> tuple[tuple[Stored, Stored], str] | None:
    """Of an embedding or a head whose vocabulary was resized the rows that both have, and that said."""
    base, tuned = recipes
    if layer.role not in RESIZABLE or not isinstance(base, Stored) or not isinstance(tuned, Stored):
        return None
    sizes, columns = (base.tensor.shape[0], tuned.tensor.shape[0]), base.tensor.shape[1]
    if base.transposed or tuned.transposed or tuned.tensor.shape[1] != columns:
        return None
    shape = (min(sizes), columns)
    return (
        (Stored(base.tensor.part(0, shape)), Stored(tuned.tensor.part(0, shape))),
        resized_note(*sizes),
    )


def resized_note(base: int, tuned: int) -> str:
    """The sentence on a row whose two vocabularies have that many rows."""
    more = abs(tuned - base)
    said = f"{more} new rows of the tuned side" if tuned > base else f"{more} rows that only the base has"
    return (
        f"the vocabulary was resized from {base} to {tuned}: the first {min(base, tuned)} rows are compared, "
        f"{said} are left out"
    )


def _notes(match: Match, left: Side, right: Side) -> tuple[str, ...]:
    """What a row must say of how its two sides are stored."""
    notes = []
    for called, side, name in (("base", left, match.base), ("tuned", right, match.tuned)):
        if name in side.origins:
            notes.append(f"{called}: {printable(side.origins[name])}")
        if name in side.packed:
            notes.append(f"{called}: {side.packed[name].note}")
    return tuple(notes)


def _both(dtypes: tuple[str, str]) -> str:
    # An adapted dtype names the base's own: "BF16 + LoRA r 16".
    return dtypes[1] if dtypes[1].startswith(dtypes[0]) else f"{dtypes[0]}, {dtypes[1]}"


def unpaired_rows(
    side: Side, called: str, paired: Container[str], reasons_of: Mapping[str, str]
) -> list[Row]:
    """Rows of the names of one side that have no partner; `reasons_of` says why, where that is known."""
    rows = []
    for name in side.names:
        if name in paired:
            continue
        tensor = side.tensors.get(name)
        reasons = [f"only in the {called}", reasons_of.get(name, ""), side.absent.get(name, "")]
        reasons.append(side.why_unreadable(name) if tensor and len(tensor.shape) > 1 else "")
        rows.append(
            Row(
                name,
                RowKind.UNPAIRED,
                side.shape(name) if tensor else (),
                side.dtype(name) if tensor else "",
                reason="; ".join(filter(None, reasons)),
            )
        )
    return rows


def oriented(recipe: Recipe) -> tuple[int, int]:
    """(out, in) of what a recipe gives. Raises TypeError for one that an adapter makes of another."""
    match recipe:
        case Stored():
            rows, columns = recipe.tensor.shape
            return (columns, rows) if recipe.transposed else (rows, columns)
        case Scaled():
            rows, columns = recipe.values.shape
            return rows, columns
        case MxFp4():
            return recipe.blocks.shape[0], math.prod(recipe.blocks.shape[1:]) * 2
        case FourBit() | PackedIntegers():
            return recipe.shape
    raise TypeError(f"{type(recipe).__name__} has the shape of its base")


def _absent_row(match: Match, left: Side, right: Side) -> Row:
    tensor = left.tensors.get(match.base) or right.tensors.get(match.tuned)
    reasons = (
        f"the {called} checkpoint's {side.absent[name]}"
        for called, side, name in (("base", left, match.base), ("tuned", right, match.tuned))
        if name in side.absent
    )
    shape, dtype = (tensor.shape, tensor.dtype) if tensor else ((), "")
    return Row(match.base, RowKind.REFUSED, shape, dtype, reason="; ".join(reasons))


def _of_both(base: str, tuned: str) -> str:
    if base == tuned:
        return base
    return "; ".join(f"{called} is {why}" for called, why in (("base", base), ("tuned", tuned)) if why)
