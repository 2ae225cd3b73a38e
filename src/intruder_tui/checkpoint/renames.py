"""`--map 'REGEX=REPL'`: how a person says which tuned names mean which base names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.names import printable

LONGEST_RULE = 400
MOST_STEPS = 200_000_000
"""Steps one match may take, by an upper bound; a name that could take more keeps its name."""
BUDGET_SECONDS = 5.0
"""For all names together."""

_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPEAT = re.compile(r"(?<!\\)[*+{]")
_MOST_REPEATS = 6


@dataclass(frozen=True, slots=True)
class Rename:
    """One rule: wherever `pattern` matches a tuned name, `replacement` stands in the base's."""

    text: str
    pattern: re.Pattern[str]
    replacement: str
    repeats: int

    def apply(self, name: str) -> str:
        """The name with every match replaced. Raises CheckpointError when the replacement does not work."""
        # A search tries every place, and from each of them every end of every repeat.
        if float(len(name) + 1) ** (1 + self.repeats) > MOST_STEPS:
            return name
        try:
            return self.pattern.sub(self.replacement, name)
        except (re.error, IndexError) as error:
            raise CheckpointError(f"--map {printable(self.text, 80)}: {printable(str(error))}") from None


@dataclass(frozen=True, slots=True)
class Renames:
    """Rules in the order given; the first one that changes a name decides."""

    rules: tuple[Rename, ...]

    def apply(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        """The names that a rule changes: what each becomes, and that rule for people.

        Raises:
            CheckpointError: a replacement does not work, or the budget of time is spent.
        """
        started = time.perf_counter()
        changed: dict[str, tuple[str, str]] = {}
        for name in names if self.rules else ():
            for rule in self.rules:
                renamed = rule.apply(name)
                if renamed != name:
                    changed[name] = (renamed, f"--map {rule.text}")
                    break
            if time.perf_counter() - started > BUDGET_SECONDS:
                raise CheckpointError(f"--map: matching the names takes over {BUDGET_SECONDS:g} s")
        return changed


def parse_renames(texts: Iterable[str]) -> Renames:
    r"""Rules from `REGEX=REPL`; the first "=" that is not part of "(?=", "(?<=" or "\=" divides them.

    Raises:
        CheckpointError: no "=", no regular expression, or one that could take exponential time.
    """
    return Renames(tuple(_parsed(text) for text in texts))


def _parsed(text: str) -> Rename:
    label = f"--map {printable(text, 80)}"
    divider = re.search(r"(?<!\\)(?<!\(\?)(?<!\(\?<)=", text)
    if divider is None or not divider.start():
        raise CheckpointError(f"{label}: not of the form REGEX=REPL")
    if len(text) > LONGEST_RULE:
        raise CheckpointError(f"{label}: {len(text)} characters; at most {LONGEST_RULE} are taken")
    regex, replacement = text[: divider.start()], text[divider.end() :]
    repeats = len(_REPEAT.findall(regex))
    if _REPEATED_GROUP.search(regex) or repeats > _MOST_REPEATS:
        raise CheckpointError(f"{label}: it repeats a group, or too much, and could take for ever")
    try:
        # The empty alternative makes the replacement itself be tried.
        re.compile(f"{regex}|").sub(replacement, "")
        return Rename(text, re.compile(regex), replacement, repeats)
    except (re.error, IndexError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{label}: {printable(str(error))}") from None
