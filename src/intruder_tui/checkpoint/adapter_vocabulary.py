"""Adapters that were made over a vocabulary of another size: the rows that the base has too.

A vocabulary grows and shrinks at its end, so the first rows are the same tokens on both sides.
"""

from __future__ import annotations

import math
from dataclasses import replace

from intruder_tui.checkpoint.adapter import Adapter, Change
from intruder_tui.checkpoint.adapter_updates import Unusable, lora_update
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.recipes import Adapted, Dora, Recipe, ReplacedRows, Stored
from intruder_tui.checkpoint.rows import resized_note
from intruder_tui.checkpoint.stored import StoredTensor


def rows_of(change: Change) -> int:
    """Rows of the vocabulary that a change was made over; 0 where its tensors do not tell."""
    own, parts = change.replacement, change.parts
    if own is not None:
        return own.shape[0] if len(own.shape) == 2 else 0
    embedding, b = parts.get("embedding_a"), parts.get("b")
    if embedding is not None:
        return embedding.shape[1] if len(embedding.shape) == 2 else 0
    return b.shape[0] if b is not None and len(b.shape) == 2 else 0


def resized_recipes(stored: StoredTensor, change: Change, adapter: Adapter) -> tuple[Recipe, Recipe]:
    """Both sides of LoRA on an embedding or a head [rows, features] whose rows are not the change's.

    Raises:
        Unusable: the two differ in more than their rows, or a magnitude is of rows that the base lacks.
        CheckpointError: the pattern keys can't be matched in time.
    """
    rows, columns = rows_of(change), stored.shape[1]
    common = min(rows, stored.shape[0])
    update = lora_update(change, adapter.config)
    if update.shape != (rows, columns):
        raise Unusable(
            f"base is {shape_text(stored.shape)}, the adapter's update is {shape_text(update.shape)}"
        )
    base = Stored(stored.part(0, (common, columns)))
    host = _own_rows(stored, change, common) or base
    update = replace(update, rows=(0, common))
    magnitude = change.parts.get("magnitude")
    if magnitude is None:
        return base, Adapted(host, update)
    if update.flipped and common < rows:
        raise Unusable(
            f"DoRA's magnitudes are of columns of {rows} rows, and the base has {stored.shape[0]}: "
            "give a base that was resized alike"
        )
    expected = columns if update.flipped else rows
    if math.prod(magnitude.shape) != expected:
        raise Unusable(f"a magnitude of {shape_text(magnitude.shape)} for {expected} features")
    if not update.flipped:
        magnitude = magnitude.part(0, (common,))
    return base, Dora(host, update, magnitude, per_column=update.flipped)


def resized_tokens(
    stored: StoredTensor, change: Change, indices: tuple[int, ...]
) -> tuple[Recipe, Recipe, tuple[str, ...]]:
    """Both sides of trained token rows over more or fewer rows than the base has, and what to say of it.

    Raises:
        Unusable: the two differ in more than their rows, or the rows to keep do not lie together.
    """
    columns, trained = stored.shape[1], change.parts["tokens"]
    common = min(rows_of(change) or stored.shape[0], stored.shape[0])
    base = Stored(stored.part(0, (common, columns)))
    host = _own_rows(stored, change, common) or base
    kept = [place for place, index in enumerate(indices) if index < common]
    left_out = len(indices) - len(kept)
    notes = (resized_note(stored.shape[0], rows_of(change)),) if rows_of(change) else ()
    if left_out:
        plural = "s" if left_out > 1 else ""
        notes = (
            *notes,
            f"{left_out} trained token row{plural} (up to {max(indices)}) beyond the base's "
            f"{stored.shape[0]} rows: left out",
        )
    if not kept:
        return base, host, notes
    if kept != list(range(kept[0], kept[-1] + 1)):
        raise Unusable(
            f"token row {max(indices)} was trained, the base has {stored.shape[0]} rows: "
            "give a base that was resized alike"
        )
    rows = trained.part(kept[0] * columns, (len(kept), columns))
    return base, ReplacedRows(host, rows, tuple(indices[place] for place in kept)), notes


def _own_rows(stored: StoredTensor, change: Change, common: int) -> Stored | None:
    """The first rows of the adapter's own copy of the weight; None when it has none. Raises Unusable."""
    own = change.replacement
    if own is None:
        return None
    if len(own.shape) != 2 or own.shape[1] != stored.shape[1]:
        raise Unusable(
            f"base is {shape_text(stored.shape)}, the adapter's own copy of it {shape_text(own.shape)}"
        )
    return Stored(own.part(0, (common, own.shape[1])))
