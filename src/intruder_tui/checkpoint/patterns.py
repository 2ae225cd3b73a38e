r"""PEFT's per-module overrides: `rank_pattern` and `alpha_pattern` keys are regular expressions of strangers.

The rule is PEFT's own: the first key k with `re.match(rf"(.*\.)?({k})$", module)` decides. A backtracking
matcher takes exponential time on a hostile expression, so keys outside a modest subset are refused and the
whole matching of an adapter has a time budget.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Generic, TypeVar

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable

LONGEST_KEY = 256
LONGEST_MODULE = 256
MOST_REPEATS = 2
"""Unbounded repeats in one key: with the rule's own prefix, time grows at most with the cube of a name."""
MOST_OPTIONALS = 4
BUDGET_SECONDS = 2.0

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_ESCAPE = re.compile(r"\\.", re.DOTALL)

V = TypeVar("V")


class PatternRules(Generic[V]):
    """Overrides in their file's order.

    Raises:
        CheckpointError: a key that is too long, not a regular expression, or could take too long to match.
    """

    def __init__(self, rules: Mapping[str, V], label: str) -> None:
        self._label = label
        self._left = BUDGET_SECONDS
        self._rules = [(key, _compiled(key, label), value) for key, value in rules.items()]

    def find(self, module: str, default: V) -> V:
        """The value for a module, `default` when no key matches.

        Raises:
            CheckpointError: the module's name is too long to match, or the time budget is spent.
        """
        if self._rules and len(module) > LONGEST_MODULE:
            raise CheckpointError(
                f"{self._label}: {printable(module)} is longer than the {LONGEST_MODULE} characters "
                "that are matched"
            )
        started = time.perf_counter()
        try:
            for key, pattern, value in self._rules:
                if _certain(key, module) or pattern.match(module):
                    return value
                if time.perf_counter() - started > self._left:
                    raise CheckpointError(f"{self._label}: matching its keys takes over {BUDGET_SECONDS:g} s")
            return default
        finally:
            self._left -= time.perf_counter() - started


def _certain(key: str, module: str) -> bool:
    """A key without operators matches its own text; the expression is needed only to find other matches."""
    return (
        module.endswith(key)
        and (len(module) == len(key) or module[-len(key) - 1] == ".")
        and bool(_PLAIN.fullmatch(key))
    )


def _compiled(key: str, label: str) -> re.Pattern[str]:
    problem = _problem(key)
    if problem:
        raise CheckpointError(f"{label}: the key {printable(key, 60)} {problem}")
    try:
        return re.compile(rf"(.*\.)?({key})$")
    except (re.error, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{label}: the key {printable(key, 60)} is no regular expression: {error}"
        ) from None


def _problem(key: str) -> str:
    if len(key) > LONGEST_KEY:
        return f"has {len(key)} characters; at most {LONGEST_KEY} are matched"
    if _PLAIN.fullmatch(key):
        return ""
    # Without escapes and classes, what is left of these signs are operators.
    bare = _CLASS.sub("x", _ESCAPE.sub(lambda found: "\\" if found[0][1].isdigit() else "x", key))
    if "\\" in bare or "(?P=" in bare:
        return "has a back-reference, which is not matched for safety"
    operators = bare.replace("(?", "(")
    if re.search(r"\)[*+{]", operators):
        return "repeats a group, which is not matched for safety"
    if sum(operators.count(sign) for sign in "*+{") > MOST_REPEATS:
        return f"has more than {MOST_REPEATS} repeats, which is not matched for safety"
    if operators.count("?") > MOST_OPTIONALS:
        return f"has more than {MOST_OPTIONALS} optional parts, which is not matched for safety"
    return ""
