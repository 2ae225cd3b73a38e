"""`--map 'REGEX=REPL'`: how a person says which tuned names mean which base names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.expressions import ExpressionError, compiled
from intruder_tui.checkpoint.names import printable

if TYPE_CHECKING:
    import regex

BUDGET_SECONDS = 5.0
"""Processor seconds for all names together; an expression may take exponential time for a single one."""


@dataclass(frozen=True, slots=True)
class Rename:
    """One rule: wherever `pattern` matches a tuned name, `replacement` stands in the base's."""

    text: str
    pattern: regex.Pattern[str]
    replacement: str

    def apply(self, name: str, seconds: float) -> str:
        """The name with every match replaced.

        Raises:
            CheckpointError: the replacement does not work, or it takes longer than that.
        """
        import regex

        try:
            return self.pattern.sub(self.replacement, name, timeout=seconds)
        except TimeoutError:
            raise _too_slow() from None
        except (regex.error, IndexError) as error:
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
        end = time.process_time() + BUDGET_SECONDS
        changed: dict[str, tuple[str, str]] = {}
        for name in names if self.rules else ():
            for rule in self.rules:
                left = end - time.process_time()
                if left <= 0:
                    raise _too_slow()
                renamed = rule.apply(name, left)
                if renamed != name:
                    changed[name] = (renamed, f"--map {rule.text}")
                    break
        return changed


def parse_renames(texts: Iterable[str]) -> Renames:
    r"""Rules from `REGEX=REPL`; the first "=" that is not part of "(?=", "(?<=" or "\=" divides them.

    Raises:
        CheckpointError: no "=", no regular expression, or a replacement that does not fit it.
    """
    return Renames(tuple(_parsed(text) for text in texts))


def _parsed(text: str) -> Rename:
    import regex

    label = f"--map {printable(text, 80)}"
    divider = re.search(r"(?<!\\)(?<!\(\?)(?<!\(\?<)=", text)
    if divider is None or not divider.start():
        raise CheckpointError(f"{label}: not of the form REGEX=REPL")
    expression, replacement = text[: divider.start()], text[divider.end() :]
    try:
        # The empty alternative makes the replacement itself be tried.
        compiled(f"{expression}|").sub(replacement, "", timeout=BUDGET_SECONDS)
        return Rename(text, compiled(expression), replacement)
    except (ExpressionError, regex.error, IndexError) as error:
        raise CheckpointError(f"{label}: {printable(str(error))}") from None


def _too_slow() -> CheckpointError:
    return CheckpointError(f"--map: matching the names takes over {BUDGET_SECONDS:g} s")
