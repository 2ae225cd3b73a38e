"""Marked matrices: which there are, and what is known of them, as text."""

from __future__ import annotations

from collections.abc import Collection

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.ui.ranking import Order, value
from intruder_tui.views.glyphs import Glyphs

HEAD = ("matrix", "state", "intruders", "lowest best |cos|", "relative update")


def marked(session: Session, marks: Collection[str]) -> list[str]:
    """Marked names that this session has, in its order."""
    return [row.name for row in session.pairing.rows if row.name in marks]


def plain(session: Session, marks: Collection[str], definition: Definition, glyphs: Glyphs) -> str:
    """A line a marked matrix under a head, tabs between values, unknown ones empty; "" without any mark."""
    lines = []
    for name in marked(session, marks):
        count = session.count(name, definition)
        lowest, size = (
            value(order, session, name, definition, glyphs) for order in (Order.LOWEST, Order.UPDATE)
        )
        lines.append(
            "\t".join(
                (
                    printable(name, 1000),
                    session.state(name).value,
                    "" if count is None else str(count),
                    lowest.text if lowest else "",
                    size.text if size else "",
                )
            )
        )
    return "\n".join(["\t".join(HEAD), *lines]) if lines else ""
