"""Which training step a checkpoint was written at, for a series laid out in time."""

from __future__ import annotations

import re
from pathlib import Path

from intruder_tui.checkpoint.documents import read_object
from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.pairs import Source

STATE = "trainer_state.json"
_NUMBERED = re.compile(r"(?:^|[-_.])(?:checkpoint|step|ckpt|iter|epoch)[-_]?([0-9]{1,12})$", re.IGNORECASE)


def training_step(source: Source) -> int | None:
    """`global_step` of the trainer's state beside the weights, else the number at the end of the directory.

    None where neither says. An unreadable state says nothing: only the order of a series hangs on it.
    """
    if not source.files:
        return None
    directory = Path(source.files[0]).parent
    try:
        step = read_object(directory / STATE).get("global_step")
    except CheckpointError:
        step = None
    if isinstance(step, int) and not isinstance(step, bool) and step >= 0:
        return step
    # An adapter may lie one directory below the checkpoint that numbers it.
    for name in (directory.name, directory.parent.name):
        if found := _NUMBERED.search(name):
            return int(found[1])
    return None
