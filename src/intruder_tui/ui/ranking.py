"""Orders of the tree: rows with the most telling values first, the others behind them as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import Glyphs

MOST_RANKED = 400
"""Rows that are ranked; nobody reads further down, and every row costs time to draw."""


class Order(StrEnum):
    """What the tree goes by; the values are what its title says."""

    MODEL = "in model order"
    COUNT = "by count"
    LOWEST = "by lowest cos"
    UPDATE = "by update"

    @property
    def wording(self) -> str:
        """What an action that takes this order is called."""
        return {
            Order.MODEL: "Order the tree as the model is",
            Order.COUNT: "Order the tree by intruders, most first",
            Order.LOWEST: "Order the tree by lowest best cosine",
            Order.UPDATE: "Order the tree by relative update, largest first",
        }[self]


@dataclass(frozen=True, slots=True)
class Value:
    """What a row is ranked by: the smaller `key`, the further up; `text` says it on the row."""

    key: float
    text: str


def value(order: Order, session: Session, name: str, definition: Definition, glyphs: Glyphs) -> Value | None:
    """A row's value in an order; None where none is known, or the count is 0."""
    summary = session.summary(name)
    if order is Order.MODEL or summary is None:
        return None
    if order is Order.COUNT:
        count = session.count(name, definition)
        return Value(-count, "") if count else None
    if order is Order.UPDATE:
        size = summary.relative_norm
        return None if size is None else Value(-size, numbers.percent(size))
    side = summary.side(definition.side)
    upper = side.upper[: definition.k]
    if not len(upper):
        return None
    j = int(upper.argmin())
    text = numbers.at_most(float(side.lower[j]), float(upper[j]), eps=definition.eps, glyphs=glyphs)
    return Value(float(upper[j]), text)


def ranked(
    order: Order, names: Sequence[str], session: Session, definition: Definition, glyphs: Glyphs
) -> tuple[list[str], list[str]]:
    """`names` with a value, best first, and the others; rows of equal value stay in the order they had."""
    known = {name: value(order, session, name, definition, glyphs) for name in names}
    keys = {name: one.key for name, one in known.items() if one is not None}
    first = sorted(keys, key=keys.__getitem__)[:MOST_RANKED]
    taken = set(first)
    return first, [name for name in names if name not in taken]
