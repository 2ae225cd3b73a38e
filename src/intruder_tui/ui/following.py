"""One matrix over the open checkpoints: what is needed to follow its intruders, from sessions and desks."""

from __future__ import annotations

from collections.abc import Sequence

from intruder_tui.engine.desk import Progress
from intruder_tui.engine.session import Session
from intruder_tui.findings.tracks import FollowedStep
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.scope import Scope


def followed_steps(scope: Scope, steps: Sequence[int | None]) -> list[FollowedStep]:
    """The selected matrix in every checkpoint, by training step where all are known; nothing without one."""
    name = scope.name
    if name is None or len(scope.sessions) < 2:
        return []
    found = [
        _step(session, label, step, name, scope)
        for session, label, step in zip(scope.sessions, scope.labels(), steps, strict=True)
    ]
    if any(step.step is None for step in found):
        return found
    return sorted(found, key=lambda one: one.step or 0)


def _step(session: Session, label: str, step: int | None, name: str, scope: Scope) -> FollowedStep:
    summary = session.summary(name) if session.has(name) else None
    desk, kind = session.desk, StudyKind.VECTORS
    progress = desk.progress(name, kind)
    note = ""
    match progress:
        case Progress.QUEUED:
            note = "queued"
        case Progress.COMPUTING:
            note = f"{label}: {desk.stage(name, kind)}"
        case Progress.FAILED:
            note = f"{label}: {desk.reason(name, kind)}"
    similarity = None if summary is None or summary.unchanged else summary.side(scope.definition.side)
    return FollowedStep(label, step, desk.vectors(name), similarity, note)
