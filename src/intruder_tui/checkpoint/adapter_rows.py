"""Rows of a base under an adapter: adapted, replaced, or left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from intruder_tui.checkpoint.adapter import Adapter, Change
from intruder_tui.checkpoint.adapter_experts import expert_rows, is_stacked
from intruder_tui.checkpoint.adapter_kinds import HOSTED
from intruder_tui.checkpoint.adapter_layers import repeated
from intruder_tui.checkpoint.adapter_recipes import adapted_recipes
from intruder_tui.checkpoint.adapter_tuners import tuner_name
from intruder_tui.checkpoint.adapter_updates import Unusable, factors, problem_of
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.fused import taken_apart
from intruder_tui.checkpoint.kept_fused import fusion_reasons
from intruder_tui.checkpoint.layers import Layer, Role, layer_of
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.checkpoint.recipes import Reinitialised
from intruder_tui.checkpoint.renames import Renames
from intruder_tui.checkpoint.rows import comparable_row, tensor_rows, unpaired_rows
from intruder_tui.checkpoint.rules import NO_RENAMES, Match, match_names
from intruder_tui.checkpoint.sides import Side
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.tied import lent

_INITS = {"pissa": "PiSSA", "olora": "OLoRA"}
_UNROUNDED = frozenset({"F32", "F64"})
_LEFT_ALONE = "the adapter leaves it alone"
_ATTENTION_WEIGHT = "in_proj_weight"
"""The weight of torch's MultiheadAttention that LoRA on the module itself changes."""


def adapter_rows(base: Catalog, adapter: Adapter, renames: Renames = NO_RENAMES) -> list[Row]:
    """Rows of a base checkpoint and an adapter on it, in no particular order.

    Raises:
        CheckpointError: the adapter's pattern keys can't be matched within their time budget; layers that
            the adapter repeats and the base lacks; constants of a packed weight that can't be read.
    """
    left, right = Side.of_model(base), Side.of_adapter(adapter, base)
    if adapter.config.layers:
        left = repeated(left, adapter.config.layers)
    stacked = [change for change in adapter.changes if is_stacked(change, adapter.config)]
    rows, expert_names = expert_rows(left, stacked, adapter) if stacked else ([], frozenset())
    changes = _by_weight(adapter, left)
    shapes = _shapes(changes, adapter)
    left = _as_adapted(left, right, changes, shapes)
    full = [name for name in adapter.full if name not in changes]
    both = (left.shapes, {**right.shapes, **shapes})
    matching = match_names(left.names, [*changes, *full], both, renames)
    for match in matching.matches:
        change = changes.get(match.tuned)
        rows += [change_row(match, left, change, adapter)] if change else tensor_rows(match, left, right)
    placed = {match.tuned for match in matching.matches}
    touched = expert_names.union(match.base for match in matching.matches)
    alone = [name for name in left.names if name not in touched]
    stray = replace(right, tensors=_parts_by_weight(changes, placed), model_type="")
    of_base, of_adapter = fusion_reasons(left, stray, alone, stray.tensors) if stray.tensors else ({}, {})
    for name in alone:
        if name in of_base and name in left.tensors:
            reason = f"the adapter changes a part of it, or what it is a part of: {of_base[name]}"
            rows.append(Row(name, RowKind.REFUSED, left.shape(name), left.dtype(name), reason=reason))
        else:
            rows += tensor_rows(Match(name, name, _LEFT_ALONE), left, left)
    rows += unpaired_rows(right, "adapter", placed | set(changes), matching.ambiguous_tuned)
    rows += _unplaced(changes, placed, {**of_adapter, **matching.ambiguous_tuned}, adapter)
    return rows


def _parts_by_weight(changes: Mapping[str, Change], placed: set[str]) -> dict[str, StoredTensor]:
    """Of each change that found no weight one of its parts, under the weight's name."""
    return {
        name: next(iter(change.parts.values()))
        for name, change in changes.items()
        if name not in placed and change.parts
    }


def change_row(match: Match, left: Side, change: Change, adapter: Adapter) -> Row:
    """The row of a base weight and the adapter's change of it."""
    there = match.base in left.tensors
    shape = left.shape(match.base) if there else ()
    dtype = left.dtype(match.base) if there else "?"
    adapted = f"{dtype} + {_what(change, adapter)}"

    def refused(reason: str) -> Row:
        return Row(match.base, RowKind.REFUSED, shape, adapted, reason=reason)

    if not there:
        return refused(f"the base checkpoint's {left.absent[match.base]}")
    unreadable = left.why_unreadable(match.base)
    if unreadable:
        return refused(f"base is {unreadable}")
    problem = "" if adapter.config.kind in HOSTED else problem_of(change, adapter.config)
    if problem:
        return refused(problem)
    if set(change.parts) == {"bias"}:
        reason = "the adapter changes its bias alone, which is not analysed"
        return Row(match.base, RowKind.SKIPPED, shape, adapted, reason=reason)
    try:
        base, tuned, resized = adapted_recipes(match.base, left, change, adapter)
    except Unusable as unusable:
        return refused(str(unusable))
    layer = Layer(Role.LINEAR, "") if len(shape) > 2 else layer_of(match.base, shape)
    match = replace(match, rule=change.rule or match.rule)
    scaling = adapter.config.scaling
    assumed = (scaling.assumed,) if scaling is not None and scaling.assumed and change.alpha is None else ()
    notes = (*_base_notes(match.base, left), *assumed, *resized)
    if isinstance(tuned, Reinitialised) and dtype not in _UNROUNDED:
        notes = (*notes, _rounding_note(_INITS[tuned.init], dtype))
    if len(shape) > 2:
        notes = (*notes, f"a convolution ({shape_text(shape)}), seen as out x everything else")
    return comparable_row(match, layer, base, tuned, (dtype, adapted), notes)


def _rounding_note(init: str, dtype: str) -> str:
    return (
        f"{init} left a residual that was rounded to the base's dtype ({dtype}) in training; that rounding "
        "is not in this difference"
    )


def _base_notes(name: str, side: Side) -> tuple[str, ...]:
    notes = [f"base: {printable(side.origins[name])}"] if name in side.origins else []
    return (*notes, f"base: {side.packed[name].note}") if name in side.packed else tuple(notes)


def _as_adapted(
    left: Side, right: Side, changes: Mapping[str, Change], shapes: Mapping[str, tuple[int, ...]]
) -> Side:
    """The base as the adapter sees it: names that it ties apart, and what it fuses in parts."""
    touched = {
        name: replace(next(iter(change.parts.values())), shape=shapes.get(name, ()), start=None)
        for name, change in changes.items()
    }
    adapted = replace(right, tensors={**right.tensors, **touched})
    tied, _ = lent(left, replace(adapted, tensors={**left.tensors, **adapted.tensors}))
    return taken_apart(tied, adapted)[0]


def _shapes(changes: Mapping[str, Change], adapter: Adapter) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that changes apply to, as the base stores them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, change in changes.items():
        a, b = change.parts.get("a"), change.parts.get("b")
        if a and b and len(a.shape) == len(b.shape) == 2:
            shape = (b.shape[0], a.shape[1])
            shapes[name] = shape[::-1] if adapter.config.fan_in_fan_out and not change.parameter else shape
    return shapes


def _by_weight(adapter: Adapter, left: Side) -> dict[str, Change]:
    """Changes by the name of the weight they apply to."""
    attentions = {name.rpartition(".")[0].rpartition(".")[2] for name in left.names if _is_attention(name)}
    named: dict[str, Change] = {}
    for change in adapter.changes:
        if is_stacked(change, adapter.config):
            continue
        name = change.weight_name
        if change.module.rpartition(".")[2] in attentions:
            name = f"{change.module}.{_ATTENTION_WEIGHT}"
        named[name] = change
    return named


def _is_attention(name: str) -> bool:
    return name.rpartition(".")[2] == _ATTENTION_WEIGHT


def _what(change: Change, adapter: Adapter) -> str:
    """What a change is, for people: "DoRA r 16"."""
    a, _ = factors(change)
    if "tokens" in change.parts:
        return "token rows"
    if adapter.config.kind in HOSTED - {"ADALORA"}:
        return tuner_name(adapter.config.kind)
    if "magnitude" in change.parts:
        name = "DoRA"
    else:
        name = _INITS.get(adapter.config.init) or tuner_name(adapter.config.kind)
    return f"{name} r {a.shape[0]}" if a is not None and a.shape else name


def _unplaced(
    changes: Mapping[str, Change], placed: set[str], why: Mapping[str, str], adapter: Adapter
) -> list[Row]:
    rows = []
    for name, change in changes.items():
        if name in placed:
            continue
        problem = "" if adapter.config.kind in HOSTED else problem_of(change, adapter.config)
        a, b = factors(change)
        shape = (b.shape[0], a.shape[1]) if a and b and not problem else ()
        reasons = (
            "only in the adapter: the base has no weight of this name",
            why.get(name, ""),
            problem,
        )
        dtype = _what(change, adapter)
        rows.append(Row(name, RowKind.UNPAIRED, shape, dtype, reason="; ".join(filter(None, reasons))))
    return rows
