"""What a person may have meant by a first word that is no command."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NoReturn

COMMANDS = ("open", "demo", "list", "show", "scan", "cache")


def mistyped(word: str) -> bool:
    """Whether a word names nothing: no command, no file or directory, no model in the hub cache."""
    if word in COMMANDS or not word or "/" in word or word.startswith(("-", ".", "~")):
        return False
    return not _exists(word)


def unknown(word: str) -> str:
    """A line on a word that names nothing, with the command it is most like."""
    from intruder_tui.checkpoint.names import printable

    near = difflib.get_close_matches(word, COMMANDS, 1)
    like = f"; {near[0]} is one" if near else "; --help lists them"
    return f"{printable(word)}: no such file or directory, and no command of that name{like}"


def fail_alone(base: str) -> NoReturn:
    """One line on a BASE without a TUNED: first what is wrong with it, where it can't be used either."""
    from intruder_tui.checkpoint.errors import CheckpointError
    from intruder_tui.checkpoint.locate import locate
    from intruder_tui.checkpoint.names import printable
    from intruder_tui.cli.options import fail

    try:
        found = locate(base)
    except CheckpointError as error:
        fail(str(error))
    name = printable(base)
    fail(
        f"{name}: this is one {found.kind}; give BASE and TUNED to compare two, "
        f"`intruder-tui list {name}` says what is in it"
    )


def _exists(word: str) -> bool:
    from intruder_tui.checkpoint.errors import CheckpointError
    from intruder_tui.checkpoint.hub import hub_name, resolve

    try:
        if Path(word).exists():
            return True
        name = hub_name(word)
        return name is not None and bool(resolve(name))
    except (CheckpointError, OSError, ValueError):
        return False
