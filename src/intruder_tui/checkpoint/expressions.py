"""Regular expressions that a person types: what would take for ever to make is refused first.

Matching is bounded by whoever matches (`timeout=`); making one can't be interrupted, and writes repeats out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

LONGEST = 400
"""Characters."""
MOST_REPEATS = 10_000
"""All counts of an expression multiplied, as nested ones are."""

_COUNT = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")


class ExpressionError(ValueError):
    """No regular expression, or one that is too large."""


def compiled(text: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """The expression.

    Raises:
        ExpressionError: too long, counts that multiply to too much, or no regular expression.
    """
    import regex  # only where there is one: it takes longer to load than headers to read

    if len(text) > LONGEST:
        raise ExpressionError(f"{len(text)} characters; at most {LONGEST} are taken")
    repeats = 1
    for low, high in _COUNT.findall(text):
        repeats *= max(1, *(int(digits[:9]) for digits in (low, high) if digits))
    if repeats > MOST_REPEATS:
        raise ExpressionError(f"its counts multiply to more than {MOST_REPEATS}")
    try:
        return regex.compile(text, regex.IGNORECASE if ignore_case else 0)
    except regex.error as error:
        raise ExpressionError(str(error)) from None
    except (OverflowError, RecursionError):
        raise ExpressionError("too large a pattern") from None
