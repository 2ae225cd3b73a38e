"""The command line: parses, then imports what the command needs. Neither torch nor textual is loaded here."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from intruder_tui.cli.guessing import COMMANDS, mistyped, unknown

_OWN_OPTIONS = ("--help", "-h", "--version", "--install-completion", "--show-completion")
_BAD_USAGE = 2
COLLECT_AFTER = 50_000
"""New objects until the next garbage collection."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `intruder-tui`. `intruder-tui BASE TUNED` means `intruder-tui open BASE TUNED`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] not in COMMANDS and given[0] not in _OWN_OPTIONS:
        if "--download" not in given and mistyped(given[0]):
            sys.stderr.write(f"intruder-tui: {unknown(given[0])}\n")
            sys.exit(_BAD_USAGE)
        given.insert(0, "open")
    # This process only draws and keeps books; numpy's threads would spin beside the worker's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Nothing is garbage while modules load: collecting as often as Python does takes a tenth of the start.
    gc.set_threshold(COLLECT_AFTER)
    from intruder_tui.cli.app import application

    try:
        application(given[0] if given else "")(given, prog_name="intruder-tui")
    except Exception as error:
        from intruder_tui.cli.trouble import tell

        sys.exit(tell(error))
