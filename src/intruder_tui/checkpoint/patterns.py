r"""PEFT's per-module overrides: `rank_pattern` and `alpha_pattern` keys are regular expressions of strangers.

The rule is PEFT's own: the first key k with `re.match(rf"(.*\.)?({k})$", module)` decides. A backtracking
matcher can take exponential time on a hostile expression, so the work of each match is bounded beforehand.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable

LONGEST_KEY = 256
MOST_STEPS = 20_000_000
"""Steps one match may take, by an upper bound; about a second."""
BUDGET_SECONDS = 2.0
"""For all matches of one table together."""
COMPILE_SECONDS = 2.0
"""For making its expressions."""

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_ESCAPE = re.compile(r"\\.", re.DOTALL)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Key:
    """A compiled key.

    A match backtracks over the choices its operators leave: a name of n characters allows n + 1 ends for the
    rule's own prefix and for each repeat, 2 for each optional part, and one of `branches` paths.
    """

    text: str
    pattern: re.Pattern[str]
    plain: bool
    repeats: int
    branches: float

    def steps(self, length: int) -> float:
        """An upper bound on the backtracking of a match against a name of that length."""
        return float(length + 1) ** (1 + self.repeats) * self.branches

    def certain(self, module: str) -> bool:
        """A key without operators matches its own text at least."""
        return self.plain and (module == self.text or module.endswith(f".{self.text}"))


class PatternRules(Generic[V]):
    """Overrides in their file's order.

    Raises:
        CheckpointError: a key that is too long, not a regular expression, or repeats a group; or too many.
    """

    def __init__(self, rules: Mapping[str, V], label: str) -> None:
        self._label = label
        self._left = BUDGET_SECONDS
        self._rules: list[tuple[_Key, V]] = []
        started = time.perf_counter()
        for key, value in rules.items():
            self._rules.append((_compiled(key, label), value))
            if time.perf_counter() - started > COMPILE_SECONDS:
                raise CheckpointError(
                    f"{label}: {len(rules)} keys, which take over {COMPILE_SECONDS:g} s to understand"
                )

    @property
    def keys(self) -> list[str]:
        """The keys as they were written."""
        return [key.text for key, _ in self._rules]

    def find(self, module: str, default: V) -> V:
        """The value for a module, `default` when no key matches.

        Raises:
            CheckpointError: a match could take too many steps, or the time for all of them is spent.
        """
        started = time.perf_counter()
        try:
            for key, value in self._rules:
                if key.certain(module):
                    return value
                if key.steps(len(module)) > MOST_STEPS:
                    raise CheckpointError(
                        f"{self._label}: matching {printable(key.text, 60)} with {printable(module, 60)} "
                        f"could take over {MOST_STEPS} steps"
                    )
                if key.pattern.match(module):
                    return value
                if time.perf_counter() - started > self._left:
                    raise CheckpointError(f"{self._label}: matching its keys takes over {BUDGET_SECONDS:g} s")
            return default
        finally:
            self._left -= time.perf_counter() - started


def _compiled(text: str, label: str) -> _Key:
    if len(text) > LONGEST_KEY:
        raise CheckpointError(
            f"{label}: the key {printable(text, 60)} has {len(text)} characters; "
            f"at most {LONGEST_KEY} are matched"
        )
    # Without escapes and classes, what is left of these signs are operators.
    bare = _CLASS.sub("x", _ESCAPE.sub(lambda found: "\\" if found[0][1].isdigit() else "x", text))
    if "\\" in bare or "(?P=" in bare:
        raise CheckpointError(
            f"{label}: the key {printable(text, 60)} has a back-reference, which is not matched"
        )
    operators = bare.replace("(?", "(")
    if re.search(r"\)[*+{]", operators):
        raise CheckpointError(f"{label}: the key {printable(text, 60)} repeats a group, which is not matched")
    try:
        pattern = re.compile(rf"(.*\.)?({text})$")
    except (re.error, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{label}: the key {printable(text, 60)} is no regular expression: {printable(str(error))}"
        ) from None
    groups = 1 + operators.count("(")
    # The product of the groups' alternatives is largest when they are spread evenly.
    branches = ((operators.count("|") + groups) / groups) ** groups * 2.0 ** operators.count("?")
    repeats = min(sum(operators.count(sign) for sign in "*+{"), 8)  # beyond that any bound is passed
    return _Key(text, pattern, _PLAIN.fullmatch(text) is not None, repeats, branches)
