"""Rows of a base under a LoRA adapter: adapted, replaced, or left alone."""

from __future__ import annotations

from intruder_tui.checkpoint.adapter import Adapter, Change, lora_update
from intruder_tui.checkpoint.catalog import Catalog
from intruder_tui.checkpoint.layers import layer_of
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.checkpoint.recipes import Adapted, Stored, StoredTensor
from intruder_tui.checkpoint.rows import Side, comparable_row, tensor_row, unpaired_rows
from intruder_tui.checkpoint.rules import Match, match_names

_LEFT_ALONE = "the adapter leaves it alone"


def adapter_rows(base: Catalog, adapter: Adapter) -> list[Row]:
    """Rows of a base checkpoint and an adapter on it, in no particular order.

    Raises:
        CheckpointError: the adapter's pattern keys can't be matched within their time budget.
    """
    left, right = Side.of_model(base), Side.of_adapter(adapter, base)
    full = [name for name in adapter.full if name not in adapter.changes]
    matching = match_names(left.names, [*adapter.changes, *full])
    rows = []
    for match in matching.matches:
        change = adapter.changes.get(match.tuned)
        rows.append(change_row(match, left, change, adapter) if change else tensor_row(match, left, right))
    placed = {match.tuned for match in matching.matches}
    touched = {match.base for match in matching.matches}
    rows += [
        tensor_row(Match(name, name, _LEFT_ALONE), left, left) for name in left.names if name not in touched
    ]
    rows += unpaired_rows(right, "adapter", placed | set(adapter.changes), matching.ambiguous_tuned)
    rows += [
        _unplaced(change, matching.ambiguous_tuned.get(name, ""))
        for name, change in adapter.changes.items()
        if name not in placed
    ]
    return rows


def change_row(match: Match, left: Side, change: Change, adapter: Adapter) -> Row:
    """The row of a base weight and the adapter's change of it."""
    base = left.tensors.get(match.base)
    dtype = _adapted_dtype(base, change)

    def refused(reason: str) -> Row:
        return Row(match.base, RowKind.REFUSED, base.shape if base else (), dtype, reason=reason)

    if base is None:
        return refused(f"base: {left.absent[match.base]}")
    if change.problem:
        return refused(change.problem)
    packed = left.why_not_plain(match.base)
    if packed:
        return refused(f"base is {packed}")
    if len(base.shape) != 2:
        return refused(
            f"LoRA on a weight of {len(base.shape)} axes ({shape_text(base.shape)}): not covered yet"
        )
    update = lora_update(change, adapter.config)
    expected = (update.b.shape[0], update.a.shape[1])
    transposed = _transposed(match.base, base, expected, left, adapter.config.fan_in_fan_out)
    if transposed is None:
        return refused(f"base is {shape_text(base.shape)}, the adapter's update is {shape_text(expected)}")
    stored = Stored(base, transposed)
    layer = layer_of(match.base, base.shape)
    return comparable_row(match, layer, stored, Adapted(stored, update), (base.dtype, dtype))


def _transposed(
    name: str, base: StoredTensor, expected: tuple[int, int], left: Side, fan_in_fan_out: bool
) -> bool | None:
    """Whether the base stores [in, out], as an update of shape `expected` asks; None when it can't fit."""
    fits = [flipped for flipped in (False, True) if (base.shape[::-1] if flipped else base.shape) == expected]
    if len(fits) == 2:
        return bool(left.orientation.transposed(name, hint=fan_in_fan_out))
    proven = left.orientation.proven(name)
    return fits[0] if fits and proven in (None, fits[0]) else None


def _adapted_dtype(base: StoredTensor | None, change: Change) -> str:
    rank = f" r {change.a.shape[0]}" if change.a is not None and change.a.shape else ""
    return f"{base.dtype if base else '?'} + LoRA{rank}"


def _unplaced(change: Change, ambiguous: str) -> Row:
    shape = (change.b.shape[0], change.a.shape[1]) if change.a and change.b and not change.problem else ()
    reasons = ("only in the adapter: the base has no weight of this name", ambiguous, change.problem)
    name = change.weight_name
    return Row(
        name,
        RowKind.UNPAIRED,
        shape,
        _adapted_dtype(None, change)[4:],
        reason="; ".join(filter(None, reasons)),
    )
