"""What an adapter makes of a weight of its base: recipes of both sides, or why there are none."""

from __future__ import annotations

import math
from dataclasses import replace

from intruder_tui.checkpoint.adapter import Adapter, Change
from intruder_tui.checkpoint.adapter_kinds import HOSTED
from intruder_tui.checkpoint.adapter_tuners import adalora_update, hosted, tuner_name
from intruder_tui.checkpoint.adapter_updates import Unusable, lora_update
from intruder_tui.checkpoint.adapter_vocabulary import resized_recipes, resized_tokens, rows_of
from intruder_tui.checkpoint.layers import Role, layer_of
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.recipes import (
    Adapted,
    Dora,
    LoraUpdate,
    Recipe,
    Reinitialised,
    ReplacedRows,
    Stored,
)
from intruder_tui.checkpoint.rows import RESIZABLE, not_out_first, resized_note
from intruder_tui.checkpoint.sides import Side


def adapted_recipes(
    name: str, left: Side, change: Change, adapter: Adapter
) -> tuple[Recipe, Recipe, tuple[str, ...]]:
    """How to make both sides of an adapted weight, and what the row must say of it.

    Raises:
        Unusable: the change does not fit the weight, or is of a kind that is not read.
        CheckpointError: the pattern keys can't be matched in time.
    """
    shape = left.shape(name)
    if len(shape) == 2 and layer_of(name, shape).role in RESIZABLE and name not in left.packed:
        rows = rows_of(change)
        if "tokens" in change.parts:
            indices = _token_rows(shape, change, adapter)
            if rows not in (0, shape[0]) or max(indices) >= shape[0]:
                return resized_tokens(left.tensors[name], change, indices)
        elif rows not in (0, shape[0]) and adapter.config.kind == "LORA" and not adapter.config.init:
            return *resized_recipes(left.tensors[name], change, adapter), (resized_note(shape[0], rows),)
    return *_recipes(name, left, change, adapter), ()


def _recipes(name: str, left: Side, change: Change, adapter: Adapter) -> tuple[Recipe, Recipe]:
    """How to make both sides of an adapted weight. Raises Unusable."""
    shape = left.shape(name)
    if "tokens" in change.parts:
        base = _weight_recipe(left, name, False)
        indices = _token_rows(shape, change, adapter)
        if max(indices) >= shape[0]:
            raise Unusable(f"token row {max(indices)} was trained, the base has {shape[0]} rows")
        return base, ReplacedRows(_own(base, shape, change), change.parts["tokens"], indices)
    if adapter.config.init == "olora" and adapter.config.fan_in_fan_out:
        raise Unusable("OLoRA on a weight stored [in, out], whose decomposition is not recomputed")
    if adapter.config.kind in HOSTED - {"ADALORA"}:
        return _hosted_recipes(name, left, shape, change, adapter)
    update = (adalora_update if adapter.config.kind == "ADALORA" else lora_update)(change, adapter.config)
    if change.parameter:
        return _parameter_recipes(name, left, update, change, adapter)
    if len(shape) > 2:
        _check_convolution(name, left, update)
        base = Stored(left.tensors[name].part(0, update.shape))
    else:
        base = _weight_recipe(
            left, name, _transposed(name, shape, update, left, adapter.config.fan_in_fan_out)
        )
    return base, _recipe(_own(base, shape, change), update, change, adapter)


def _check_convolution(name: str, left: Side, update: LoraUpdate) -> None:
    """Raise Unusable unless a weight of more than two axes is [out, in, ...], as its update."""
    shape = left.shape(name)
    layer = layer_of(name, shape)
    if (shape[0], math.prod(shape[1:])) != update.shape:
        raise Unusable(f"base is {shape_text(shape)}, the adapter's update is {shape_text(update.shape)}")
    if layer.role is Role.TRANSPOSED_CONVOLUTION:
        raise Unusable(layer.reason)
    # PEFT's A has the axes of the convolution that it is a part of.
    if layer.role is not Role.CONVOLUTION and len(update.a.shape) != len(shape):
        raise Unusable(layer.reason)
    contradicted = not_out_first(name, left.tensors)
    if contradicted:
        raise Unusable(contradicted)


def _parameter_recipes(
    name: str, left: Side, update: LoraUpdate, change: Change, adapter: Adapter
) -> tuple[Recipe, Recipe]:
    """Both sides of a bare weight under PEFT's ParamWrapper, whose B A lies as the weight is stored."""
    shape = left.shape(name)
    if adapter.config.init or "magnitude" in change.parts or len(shape) != 2:
        said = adapter.config.init or ("a magnitude" if "magnitude" in change.parts else shape_text(shape))
        raise Unusable(f"target_parameters on a layer's weight with {said}, which is not read")
    if update.shape != shape:
        raise Unusable(f"base is {shape_text(shape)}, the adapter's update is {shape_text(update.shape)}")
    transposed = name not in left.packed and bool(left.orientation.transposed(name))
    base = _weight_recipe(left, name, transposed)
    return base, Adapted(_own(base, shape, change), replace(update, flipped=transposed))


def _hosted_recipes(
    name: str, left: Side, shape: tuple[int, ...], change: Change, adapter: Adapter
) -> tuple[Recipe, Recipe]:
    called = tuner_name(adapter.config.kind)
    if len(shape) != 2 or layer_of(name, shape).role is Role.EMBEDDING:
        raise Unusable(
            f"{called} on a weight that is no linear layer's ({shape_text(shape)}), which is not read"
        )
    known = left.orientation.transposed(name, hint=adapter.config.fan_in_fan_out)
    transposed = bool(known) and name not in left.packed
    base = _weight_recipe(left, name, transposed)
    oriented = (shape[1], shape[0]) if transposed else (shape[0], shape[1])
    return base, hosted(_own(base, shape, change), oriented, transposed, change, adapter.config)


def _weight_recipe(side: Side, name: str, transposed: bool) -> Recipe:
    packed = side.packed.get(name)
    return packed.recipes[0] if packed else Stored(side.tensors[name], transposed)


def _own(base: Recipe, shape: tuple[int, ...], change: Change) -> Recipe:
    """What the update is added to: the adapter's own copy of the weight, if it has one. Raises Unusable."""
    own = change.replacement
    if own is None:
        return base
    if own.shape != shape:
        raise Unusable(
            f"base is {shape_text(shape)}, the adapter's own copy of it {shape_text(own.shape)}: "
            "give a base that was resized alike"
        )
    flat = (shape[0], math.prod(shape[1:]))
    return Stored(own if len(shape) == 2 else own.part(0, flat), isinstance(base, Stored) and base.transposed)


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


def _token_rows(shape: tuple[int, ...], change: Change, adapter: Adapter) -> tuple[int, ...]:
    rows = change.parts["tokens"]
    indices = adapter.config.tokens_of(change.module)
    if len(shape) != 2 or not indices or rows.shape != (len(indices), shape[1]):
        raise Unusable(
            f"base is {shape_text(shape)}, the adapter holds {shape_text(rows.shape)} for "
            f"{len(indices)} trained token rows"
        )
    return indices


def _transposed(
    name: str, shape: tuple[int, ...], update: LoraUpdate, left: Side, fan_in_fan_out: bool
) -> bool:
    """Whether the base stores [in, out], as the update's shape asks. Raises Unusable when it can't fit."""
    fits = [flipped for flipped in (False, True) if (shape[::-1] if flipped else shape) == update.shape]
    if name in left.packed:
        fits = [flipped for flipped in fits if not flipped]
    if update.flipped and False in fits:
        return False
    if len(fits) == 2 and len(shape) == 2:
        return bool(left.orientation.transposed(name, hint=fan_in_fan_out))
    proven = left.orientation.proven(name)
    if fits and not update.flipped and proven in (None, fits[0]):
        return fits[0]
    raise Unusable(f"base is {shape_text(shape)}, the adapter's update is {shape_text(update.shape)}")
