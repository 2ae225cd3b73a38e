"""What the views of whole checkpoints look at: every open session, and what is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.checkpoint.steps import training_step
from intruder_tui.definition import Definition
from intruder_tui.engine.session import Session
from intruder_tui.findings.comparison import labels


@dataclass(frozen=True, eq=False, slots=True)
class Scope:
    """All sessions over one base, in the order they were given; `at` is the one in front.

    `name` is the selected row of that session; None where a pairing has no rows.
    """

    sessions: Sequence[Session]
    at: int
    definition: Definition
    name: str | None

    @property
    def session(self) -> Session:
        """The session in front."""
        return self.sessions[self.at]

    def labels(self) -> tuple[str, ...]:
        """A name per tuned checkpoint, no two alike."""
        return labels(self.sessions)

    def differs(self, other: Scope | None) -> bool:
        """Whether a person changed anything: the checkpoint, the matrix or the definition."""
        return other is None or (self.at, self.definition, self.name) != (
            other.at,
            other.definition,
            other.name,
        )


def training_steps(sessions: Sequence[Session]) -> list[int | None]:
    """The training step of every session's tuned source; reads a small file of each."""
    return [training_step(session.pairing.tuned) for session in sessions]
