"""Rows of a base under an adapter: adapted, replaced, or left alone."""

from __future__ import annotations

import math

from intruder_tui.checkpoint.adapter import Adapter, Change
from intruder_tui.checkpoint.adapter_layers import repeated
from intruder_tui.checkpoint.adapter_updates import Unusable, factors, lora_update, problem_of
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.layers import layer_of
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dora,
    LoraUpdate,
    Recipe,
    Reinitialised,
    ReplacedRows,
    Stored,
    StoredTensor,
)
from intruder_tui.checkpoint.rows import Side, comparable_row, tensor_row, unpaired_rows
from intruder_tui.checkpoint.rules import Match, Matching, match_names

_LEFT_ALONE = "the adapter leaves it alone"
_ATTENTION_WEIGHT = "in_proj_weight"
"""The weight of torch's MultiheadAttention that LoRA on the module itself changes."""


def adapter_rows(base: Catalog, adapter: Adapter) -> list[Row]:
    """Rows of a base checkpoint and an adapter on it, in no particular order.

    Raises:
        CheckpointError: the adapter's pattern keys can't be matched within their time budget; layers that
            the adapter repeats and the base lacks.
    """
    left, right = Side.of_model(base), Side.of_adapter(adapter, base)
    if adapter.config.layers:
        left = repeated(left, adapter.config.layers)
    changes = _by_weight(adapter, left)
    full = [name for name in adapter.full if name not in changes]
    matching = match_names(left.names, [*changes, *full])
    rows = []
    for match in matching.matches:
        change = changes.get(match.tuned)
        rows.append(change_row(match, left, change, adapter) if change else tensor_row(match, left, right))
    placed = {match.tuned for match in matching.matches}
    touched = {match.base for match in matching.matches}
    rows += [
        tensor_row(Match(name, name, _LEFT_ALONE), left, left) for name in left.names if name not in touched
    ]
    rows += unpaired_rows(right, "adapter", placed | set(changes), matching.ambiguous_tuned)
    rows += _unplaced(changes, placed, matching, adapter)
    return rows


def change_row(match: Match, left: Side, change: Change, adapter: Adapter) -> Row:
    """The row of a base weight and the adapter's change of it."""
    base = left.tensors.get(match.base)
    dtype = _adapted_dtype(base, change, adapter)

    def refused(reason: str) -> Row:
        return Row(match.base, RowKind.REFUSED, base.shape if base else (), dtype, reason=reason)

    if base is None:
        return refused(f"base: {left.absent[match.base]}")
    packed = left.why_not_plain(match.base)
    if packed:
        return refused(f"base is {packed}")
    problem = problem_of(change, adapter.config)
    if problem:
        return refused(problem)
    if "tokens" not in change.parts and factors(change) == (None, None):
        reason = "the adapter changes its bias alone, which is not analysed"
        return Row(match.base, RowKind.SKIPPED, base.shape, dtype, reason=reason)
    try:
        stored, tuned = _tuned(match, left, base, change, adapter)
    except Unusable as unusable:
        return refused(str(unusable))
    layer = layer_of(match.base, base.shape)
    return comparable_row(match, layer, stored, tuned, (base.dtype, dtype))


def _tuned(
    match: Match, left: Side, base: StoredTensor, change: Change, adapter: Adapter
) -> tuple[Stored, Recipe]:
    """The recipes of both sides. Raises Unusable."""
    if "tokens" in change.parts:
        return _with_tokens(base, change, adapter)
    if adapter.config.init == "olora" and adapter.config.fan_in_fan_out:
        raise Unusable("OLoRA on a weight stored [in, out], whose decomposition is not recomputed")
    update = lora_update(change, adapter.config)
    if len(base.shape) > 2 and (base.shape[0], math.prod(base.shape[1:])) == update.shape:
        stored = Stored(base.part(0, update.shape))
    else:
        stored = Stored(base, _transposed(match.base, base, update, left, adapter.config.fan_in_fan_out))
    own: Recipe = stored
    if change.replacement is not None:
        if change.replacement.shape != base.shape:
            raise Unusable(
                f"base is {shape_text(base.shape)}, the adapter's own copy of it "
                f"{shape_text(change.replacement.shape)}: give a base that was resized alike"
            )
        own = Stored(change.replacement.part(0, stored.tensor.shape), stored.transposed)
    return stored, _recipe(own, update, change, adapter)


def _recipe(base: Recipe, update: LoraUpdate, change: Change, adapter: Adapter) -> Recipe:
    magnitude = change.parts.get("magnitude")
    if magnitude is not None:
        if adapter.config.init:
            raise Unusable(f"DoRA over {adapter.config.init}, which is not read: merge it and give that")
        expected = update.shape[1 if update.flipped else 0]
        if math.prod(magnitude.shape) != expected:
            raise Unusable(f"a magnitude of {shape_text(magnitude.shape)} for {expected} features")
        return Dora(base, update, magnitude, per_column=update.flipped)
    # PEFT's Embedding ignores such an initialisation.
    if adapter.config.init and not update.flipped:
        if update.rank > min(update.shape):
            raise Unusable(f"r = {update.rank} of a weight that is {shape_text(update.shape)}")
        return Reinitialised(base, update, adapter.config.init)
    return Adapted(base, update)


def _with_tokens(base: StoredTensor, change: Change, adapter: Adapter) -> tuple[Stored, Recipe]:
    rows = change.parts["tokens"]
    indices = adapter.config.tokens_of(change.module)
    if len(base.shape) != 2 or rows.shape != (len(indices), base.shape[1]):
        raise Unusable(
            f"base is {shape_text(base.shape)}, the adapter holds {shape_text(rows.shape)} for "
            f"{len(indices)} trained token rows"
        )
    if max(indices) >= base.shape[0]:
        raise Unusable(f"token row {max(indices)} was trained, the base has {base.shape[0]} rows")
    stored = Stored(base)
    own = stored
    if change.replacement is not None:
        if change.replacement.shape != base.shape:
            raise Unusable(
                f"base is {shape_text(base.shape)}, the adapter's own copy of it "
                f"{shape_text(change.replacement.shape)}: give a base that was resized alike"
            )
        own = Stored(change.replacement)
    return stored, ReplacedRows(own, rows, indices)


def _by_weight(adapter: Adapter, left: Side) -> dict[str, Change]:
    """Changes by the name of the weight they apply to."""
    attentions = {name.rpartition(".")[0].rpartition(".")[2] for name in left.names if _is_attention(name)}
    named: dict[str, Change] = {}
    for change in adapter.changes:
        name = change.weight_name
        if change.module.rpartition(".")[2] in attentions:
            name = f"{change.module}.{_ATTENTION_WEIGHT}"
        if change.wrapped or name in named:
            change.problem = "LoRA on a stack of experts (target_parameters), which is not covered yet"
            name = f"{name} ({change.wrapped})"
        named[name] = change
    return named


def _is_attention(name: str) -> bool:
    return name.rpartition(".")[2] == _ATTENTION_WEIGHT


def _transposed(name: str, base: StoredTensor, update: LoraUpdate, left: Side, fan_in_fan_out: bool) -> bool:
    """Whether the base stores [in, out], as the update's shape asks. Raises Unusable when it can't fit."""
    fits = [
        flipped for flipped in (False, True) if (base.shape[::-1] if flipped else base.shape) == update.shape
    ]
    if update.flipped and False in fits:
        return False
    if len(fits) == 2:
        return bool(left.orientation.transposed(name, hint=fan_in_fan_out))
    proven = left.orientation.proven(name)
    if fits and not update.flipped and proven in (None, fits[0]):
        return fits[0]
    raise Unusable(f"base is {shape_text(base.shape)}, the adapter's update is {shape_text(update.shape)}")


def _adapted_dtype(base: StoredTensor | None, change: Change, adapter: Adapter) -> str:
    a, _ = factors(change)
    if "tokens" in change.parts:
        what = "token rows"
    elif "magnitude" in change.parts:
        what = "DoRA"
    else:
        what = {"pissa": "PiSSA", "olora": "OLoRA"}.get(adapter.config.init, "LoRA")
    rank = f" r {a.shape[0]}" if a is not None and a.shape else ""
    return f"{base.dtype if base else '?'} + {what}{rank}"


def _unplaced(
    changes: dict[str, Change], placed: set[str], matching: Matching, adapter: Adapter
) -> list[Row]:
    rows = []
    for name, change in changes.items():
        if name in placed:
            continue
        problem = problem_of(change, adapter.config)
        a, b = factors(change)
        shape = (b.shape[0], a.shape[1]) if a and b and not problem else ()
        reasons = (
            "only in the adapter: the base has no weight of this name",
            matching.ambiguous_tuned.get(name, ""),
            problem,
        )
        dtype = _adapted_dtype(None, change, adapter)[4:]
        rows.append(Row(name, RowKind.UNPAIRED, shape, dtype, reason="; ".join(filter(None, reasons))))
    return rows
