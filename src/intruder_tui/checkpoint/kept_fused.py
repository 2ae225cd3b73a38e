"""Why a weight that one side fuses and the other keeps apart found no partner: said on the rows of both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.fused import INTERLEAVED, PARTS
from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.sides import Side

_QKV = frozenset({"query_key_value", "Wqkv", "wqkv", "c_attn", "qkv", "to_qkv", "linear_qkv", "in_proj_qkv"})
"""Modules that hold query, key and value in one weight, beside those of `PARTS`."""
_QKV_APART = (
    *(("q_proj", "k_proj", "v_proj"), ("query", "key", "value"), ("wq", "wk", "wv"), ("q", "k", "v")),
    *(("to_q", "to_k", "to_v"), ("q_lin", "k_lin", "v_lin")),
)
_GATED_APART = (("gate_proj", "up_proj"), ("w1", "w3"), ("wi_0", "wi_1"))
_PART_OF = {part: parts for parts in (*_QKV_APART, *_GATED_APART) for part in parts}

Numbers = tuple[str, ...]
"""The numbers in a name: which layer it is of, whatever the model calls its layers."""


@dataclass(frozen=True, slots=True)
class _Fused:
    """A module that fuses others: its last component, what it holds, and why it was not taken apart."""

    leaf: str
    holds: str
    why: str


def fusion_reasons(
    left: Side, right: Side, left_names: Iterable[str], right_names: Iterable[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Of names without a partner those that are fused on one side and apart on the other, with the reason.

    A fused weight and its parts belong together when they are of the same layer.
    """
    names = list(left_names), list(right_names)
    reasons: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for one, other in ((0, 1), (1, 0)):
        fused = _fused_in(names[one], (left, right)[one])
        apart = _apart_in(names[other]) if fused else {}
        for name, (numbers, found) in fused.items():
            parts = apart.get((numbers, found.holds), {})
            if not parts:
                continue
            leaves = ", ".join(sorted(set(parts.values()), key=lambda leaf: _PART_OF[leaf].index(leaf)))
            reasons[one][name] = f"{found.holds} in one weight, {found.why}: not compared with {leaves}"
            why = f"the other side has {found.holds} in one weight, {found.leaf}, {found.why}"
            reasons[other].update(dict.fromkeys(parts, why))
    return reasons


def _fused_in(names: Iterable[str], side: Side) -> dict[str, tuple[Numbers, _Fused]]:
    found: dict[str, tuple[Numbers, _Fused]] = {}
    for name in names:
        last = _module(name)
        if last in _QKV or PARTS.get(last, ()) in _QKV_APART:
            holds = "query, key and value"
        elif last in PARTS:
            holds = "gate and up"
        else:
            continue
        found[name] = (_numbers(name), _Fused(last, holds, _order(name, last, side)))
    return found


def _apart_in(names: Iterable[str]) -> Mapping[tuple[Numbers, str], dict[str, str]]:
    """Names of parts by their layer and what they are parts of, each with its last component."""
    found: dict[tuple[Numbers, str], dict[str, str]] = defaultdict(dict)
    for name in names:
        last = _module(name)
        parts = _PART_OF.get(last)
        if parts is not None:
            holds = "query, key and value" if parts in _QKV_APART else "gate and up"
            found[_numbers(name), holds][name] = last
    return found


def _order(name: str, leaf: str, side: Side) -> str:
    """How the rows of a fused weight lie, as far as it is known."""
    kind = side.model_type
    if kind in INTERLEAVED:
        return f"its rows {INTERLEAVED[kind]} ({kind})"
    if name in side.tensors and side.orientation.transposed(name):
        return "one beside the other in its columns (it is stored [in, out])"
    if leaf in PARTS and kind:
        return "whose rows are not those of the parts one after the other"
    return f"its rows in an order that is not known{f' here ({printable(kind, 40)})' if kind else ''}"


def _module(name: str) -> str:
    return name.rpartition(".")[0].rpartition(".")[2]


def _numbers(name: str) -> Numbers:
    return tuple(part for part in name.split(".") if part.isdigit())
