"""Whether a call is refused, and that a refusal is one line."""

from __future__ import annotations

from collections.abc import Callable

from intruder_tui.checkpoint import CheckpointError


def refusal(call: Callable[[], object]) -> str | None:
    """The refusal's message; None when the call goes through. Any other exception is the test's failure."""
    try:
        call()
    except CheckpointError as error:
        message = str(error)
    else:
        return None
    assert message
    assert message.isprintable(), message
    return message
