"""The model at a glance: a grid of module types by layers, one number a cell, totals on both margins.

Counts and lowest cosines come from the light summaries a ledger holds, at any k and eps. Measures of the
update lie in whole results, which are heavy: the caller takes `Measures` of each as it comes by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from intruder_tui.checkpoint.names import components
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.definition import Definition
from intruder_tui.findings.ledger import Ledger, State
from intruder_tui.results import MatrixResult

T = TypeVar("T")

_NUMBER = re.compile(r"[0-9]{1,6}")


class Measure(StrEnum):
    """What a cell of the map says."""

    COUNT = "intruders"
    LOWEST = "lowest best |cos|"
    RELATIVE = "relative update"
    EFFECTIVE = "effective rank"

    @property
    def heavy(self) -> bool:
        """Whether it needs `Measures`, taken from whole results."""
        return self in (Measure.RELATIVE, Measure.EFFECTIVE)


@dataclass(frozen=True, slots=True)
class Measures:
    """What the map needs of a whole result: it depends on neither side, k nor eps, so it is taken once.

    Attributes:
        relative_norm: norm_F(dW) / norm_F(W0).
        effective_rank: None where undefined or not computed.
    """

    relative_norm: float
    effective_rank: float | None


def measures_of(result: MatrixResult) -> Measures:
    """The light part of a result's update."""
    return Measures(result.update.relative_norm, result.update.effective_rank)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a model a matrix stands.

    Attributes:
        stack: what the layers are numbered in ("model.layers", "encoder.block"); empty outside layers.
        layer: its number; None for a matrix that belongs to no layer.
        module: its type ("self_attn.q_proj"); an expert's number is a star.
    """

    stack: str
    layer: int | None
    module: str


@lru_cache(maxsize=1 << 16)  # the map is drawn anew while a scan fills it, of the same names
def place(name: str) -> Place:
    """The place that a name says: the first number in it is the layer's, one after "experts" an expert's."""
    parts = list(components(name))
    if len(parts) > 1 and parts[-1] == "weight":
        parts.pop()
    at = next((i for i, part in enumerate(parts) if i and _NUMBER.fullmatch(part)), None)
    if at is None or at + 1 == len(parts):
        return Place("", None, ".".join(parts))
    after = parts[at + 1 :]
    module = [
        "*" if i and _NUMBER.fullmatch(part) and "expert" in after[i - 1] else part
        for i, part in enumerate(after)
    ]
    return Place(".".join(parts[:at]), int(parts[at]), ".".join(module))


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the map: a matrix, or the experts of a layer together.

    Attributes:
        names: its matrices' row names, the one to go to first.
        low, high: bounds of the measure, equal where it is a value; None while nothing is known. Over
            several matrices a count is their sum, a lowest cosine the least, other measures the largest.
        waiting: asked for, and not complete.
        failed: any of them failed or was refused.
        unchanged: dW is zero in all of them.
        missing: how many of them could have a value and have none yet.
    """

    names: tuple[str, ...]
    low: float | None
    high: float | None
    waiting: bool
    failed: bool
    unchanged: bool
    missing: int


@dataclass(frozen=True, eq=False, slots=True)
class ModelMap:
    """The grid.

    Attributes:
        measure: what the cells say.
        modules: module types, in the order of the model; the rows.
        layers: (stack, number) of every layer; the columns.
        cells: by (row, column); a layer that lacks a module has no cell.
        by_module, by_layer: the margins, alike but over all cells of a row or a column.
        others: matrices that belong to no layer, by module name.
        total: over everything.
        refused: rows that can't be compared, whether they have a cell or not.
    """

    measure: Measure
    modules: tuple[str, ...]
    layers: tuple[tuple[str, int], ...]
    cells: Mapping[tuple[int, int], Cell]
    by_module: tuple[Cell, ...]
    by_layer: tuple[Cell, ...]
    others: tuple[tuple[str, Cell], ...]
    total: Cell
    refused: int

    def layer_names(self) -> tuple[str, ...]:
        """Names for the columns: a number alone in a model of one stack, else "encoder 3"."""
        stacks = list(dict.fromkeys(stack for stack, _ in self.layers))
        short = dict(zip(stacks, _distinct(stacks), strict=True))
        return tuple(f"{short[stack]} {number}".strip() for stack, number in self.layers)


def model_map(
    ledger: Ledger,
    definition: Definition,
    measure: Measure = Measure.COUNT,
    known: Mapping[str, Measures] | None = None,
) -> ModelMap:
    """The map of the default matrices and of those that were refused.

    `known` holds the `Measures` of the rows whose results the caller has seen; only heavy measures read it.
    """
    default = set(ledger.default_names)
    values: dict[str, Cell] = {}
    places: dict[str, Place] = {}
    for row in ledger.pairing.rows:
        if row.name in default or (row.kind is RowKind.REFUSED and len(row.shape) == 2):
            values[row.name] = _cell(ledger, row.name, definition, measure, known or {})
            places[row.name] = place(row.name)
    inside = {name: at for name, at in places.items() if at.layer is not None}
    modules = tuple(dict.fromkeys(at.module for at in inside.values()))
    layers = tuple(dict.fromkeys((at.stack, at.layer) for at in inside.values() if at.layer is not None))
    members: dict[tuple[int, int], list[Cell]] = {}
    rows, columns = _positions(modules), _positions(layers)
    for name, at in inside.items():
        key = rows[at.module], columns[at.stack, at.layer or 0]
        members.setdefault(key, []).append(values[name])
    cells = {key: merged(parts, measure) for key, parts in members.items()}
    return ModelMap(
        measure,
        modules,
        layers,
        cells,
        tuple(merged((c for (r, _), c in cells.items() if r == row), measure) for row in range(len(modules))),
        tuple(merged((c for (_, k), c in cells.items() if k == col), measure) for col in range(len(layers))),
        tuple((places[name].module, values[name]) for name in values if name not in inside),
        merged(values.values(), measure),
        ledger.refused,
    )


def merged(cells: Iterable[Cell], measure: Measure) -> Cell:
    """Several cells as one; its first name is that of the most telling part."""
    parts = list(cells)
    known = [(c.low, c.high, c) for c in parts if c.low is not None and c.high is not None]
    low: float | None = None
    high: float | None = None
    if known:
        lows, highs = [low for low, _, _ in known], [high for _, high, _ in known]
        low, high = _reduced(lows, measure), _reduced(highs, measure)
        telling = min if measure is Measure.LOWEST else max
        worst = telling(known, key=lambda one: one[1])[2]
        parts = [worst, *(c for c in parts if c is not worst)]
    return Cell(
        tuple(name for c in parts for name in c.names),
        low,
        high,
        any(c.waiting for c in parts),
        any(c.failed for c in parts),
        bool(parts) and all(c.unchanged for c in parts),
        sum(c.missing for c in parts),
    )


def _reduced(values: Sequence[float], measure: Measure) -> float:
    if measure is Measure.COUNT:
        return sum(values)
    return min(values) if measure is Measure.LOWEST else max(values)


def _cell(
    ledger: Ledger, name: str, definition: Definition, measure: Measure, known: Mapping[str, Measures]
) -> Cell:
    state = ledger.state(name)
    unchanged = state is State.UNCHANGED
    bounds = (0.0, 0.0) if unchanged and measure in (Measure.COUNT, Measure.RELATIVE) else None
    if not unchanged:
        bounds = (
            _heavy(known.get(name), measure) if measure.heavy else _light(ledger, name, definition, measure)
        )
    low, high = bounds or (None, None)
    failed = state is State.FAILED or ledger.row(name).kind is RowKind.REFUSED
    missing = int(low is None and not failed and not unchanged)
    return Cell((name,), low, high, ledger.waiting(name), failed, unchanged, missing)


def _light(ledger: Ledger, name: str, definition: Definition, measure: Measure) -> tuple[float, float] | None:
    if measure is Measure.COUNT:
        tally = ledger.tally(name, definition)
        return None if tally is None else (float(tally.intruders), float(tally.intruders + tally.open))
    summary = ledger.summary(name)
    if summary is None:
        return None
    side = summary.side(definition.side)
    lower, upper = side.lower[: definition.k], side.upper[: definition.k]
    return (float(lower.min()), float(upper.min())) if len(lower) else None


def _heavy(known: Measures | None, measure: Measure) -> tuple[float, float] | None:
    value = None if known is None else known.relative_norm
    if measure is Measure.EFFECTIVE and known is not None:
        value = known.effective_rank
    return None if value is None else (value, value)


def _positions(things: Sequence[T]) -> dict[T, int]:
    return {thing: place for place, thing in enumerate(things)}


def _distinct(stacks: Sequence[str]) -> list[str]:
    """The stacks' names without the components that all of them share at either end."""
    parts = [stack.split(".") for stack in stacks]
    if len(parts) < 2:
        return [""] * len(parts)
    while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return [".".join(part) for part in parts]
