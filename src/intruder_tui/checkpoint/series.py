"""A training run's checkpoints as a series: every `checkpoint-N` of a directory, by step."""

from __future__ import annotations

from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.foreign import training_checkpoints
from intruder_tui.checkpoint.locate import locate, located_directory


def expand_series(argument: str) -> list[str]:
    """What a training output directory stands for: its checkpoints by step, then its final save.

    Any other argument stands for itself.

    Raises:
        CheckpointError: the directory can't be listed.
    """
    directory = located_directory(argument)
    if directory is None:
        return [argument]
    try:
        names = frozenset(entry.name for entry in directory.iterdir())
    except OSError as error:
        raise CheckpointError(f"{argument}: {(error.strerror or str(error)).lower()}") from None
    steps = [str(Path(argument) / step) for step in training_checkpoints(directory, names)]
    if not steps:
        return [argument]
    try:
        locate(argument)
    except CheckpointError:
        return steps
    return [*steps, argument]
