"""Weights that two names share: kept under one of them, lent where the other side has its own."""

from __future__ import annotations

from dataclasses import replace

from intruder_tui.checkpoint.rules import plain_name
from intruder_tui.checkpoint.sides import Side


def lent(left: Side, right: Side) -> tuple[Side, Side]:
    """Both sides; a name that one of them has as an alias only stands for the tensor it shares there, where
    the other side has a tensor of its own under it."""
    return _with_aliases(left, right), _with_aliases(right, left)


def _with_aliases(side: Side, other: Side) -> Side:
    if not side.aliases:
        return side
    plain = {plain_name(name) for name in other.tensors}
    # A head is lent to a model that has the embedding it is tied to, not to a stranger's.
    modules = {name.rpartition(".")[0].rpartition(".")[2] for name in other.tensors}
    own = {plain_name(name) for name in side.tensors}
    lent_names = {
        alias: kept
        for alias, kept in side.aliases.items()
        if plain_name(alias) in plain
        and plain_name(alias) not in own
        and kept in side.tensors
        and kept.rpartition(".")[0].rpartition(".")[2] in modules
    }
    if not lent_names:
        return side
    return replace(
        side,
        tensors={**side.tensors, **{alias: side.tensors[kept] for alias, kept in lent_names.items()}},
        origins={**side.origins, **{alias: f"tied to {kept}" for alias, kept in lent_names.items()}},
    )
