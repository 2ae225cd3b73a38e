"""The one exception of this package: a sentence for the person who gave the argument."""

from __future__ import annotations


class CheckpointError(Exception):
    """An argument that can't be used; the message is one line, names it and says why."""
