"""What a reader of a scan must know of how its two sides were paired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import Pairing, RowKind

_PLAIN = "exact"


def pairing_remarks(pairing: Pairing) -> list[str]:
    """The pairing's own notes, names that were rewritten to pair, and matrices of one side only."""
    rules = Counter(pair.rule for pair in pairing.pairs if pair.rule != _PLAIN and not pair.untouched)
    rewritten = [
        f"{count} of {len(pairing.pairs)} matrices pair by another name: {printable(rule)}"
        for rule, count in rules.most_common()
    ]
    lonely: dict[str, list[str]] = {}
    for row in pairing.rows:
        if row.kind is RowKind.UNPAIRED and len(row.shape) != 1:
            lonely.setdefault(row.reason, []).append(row.name)
    alone = [f"{_some(names)}: {reason}" for reason, names in lonely.items()]
    return [*pairing.notes, *rewritten, *alone]


def _some(names: Sequence[str]) -> str:
    first = printable(names[0])
    return f"{first} and {len(names) - 1} more" if len(names) > 1 else first
