"""What is said of studies: the one that runs, those of the matrix in front, those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.desk import Progress
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.session import Session
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.keys import at_start
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.stopwatch import WORTH_TELLING, Stopwatch
from intruder_tui.views import numbers

KEYS = {
    StudyKind.COSINES: ("map.compute", "Heatmap"),
    StudyKind.SCALINGS: ("update.ask", "Update"),
    StudyKind.VECTORS: ("compare.follow", "Compare"),
}
"""The binding that asks for a study or takes it back, and the view that has it."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The study that runs, or waits first; `others` wait behind it.

    `seconds` at its stage are None until they are worth telling: beside other times 0:00 reads as an end.
    """

    study: Study
    stage: str
    seconds: float | None
    others: int

    def variants(self) -> list[str]:
        """What the header says of it, the longest first."""
        stage = self.stage or "queued"
        time = "" if self.seconds is None else f" {numbers.duration(self.seconds)}"
        more = f" and {self.others} more" if self.others else ""
        what = label(self.study)
        return [
            f"{what} of {matrix(self.study)}: {stage}{time}{more}",
            f"{what}: {stage}{time}{more}",
            f"{what}: {stage}{time}",
            f"{what}{time if self.stage else ': queued'}",
        ]


def label(study: Study) -> str:
    """A study in a few words."""
    return {
        StudyKind.COSINES: f"cosines {study.side}",
        StudyKind.SCALINGS: "other scalings",
        StudyKind.VECTORS: "tuned vectors",
    }[study.kind]


def matrix(study: Study) -> str:
    """The study's matrix in a few words."""
    return printable(short_name(study.name))


def under_way(sessions: Sequence[Session], stopwatch: Stopwatch) -> UnderWay | None:
    """The study that runs over all sessions, else one that waits; None where there is none."""
    found = [
        (study, session.desk.stage(study.name, study.kind, study.side))
        for session in sessions
        for study in session.desk.pending()
    ]
    if not found:
        return None
    study, stage = next((one for one in found if one[1]), found[0])
    seconds = stopwatch.seconds(study) if stage else None
    told = seconds if seconds is not None and seconds >= WORTH_TELLING else None
    return UnderWay(study, printable(stage, 100), told, len(found) - 1)


def stoppable(sessions: Sequence[Session], name: str) -> frozenset[str]:
    """The ids of the keys that would take back what is under way for a matrix, in whichever checkpoint."""
    asked = [study for session in sessions for study in session.desk.pending() if study.name == name]
    ids = {KEYS[study.kind][0] for study in asked}
    return frozenset(ids | {"vector.compute"} if "map.compute" in ids else ids)


def coming(found: Sequence[tuple[Study, Progress, str]], look: Look) -> Text:
    """The studies of a matrix that are under way, a sentence each."""
    words = []
    for study, progress, stage in found:
        if progress is Progress.COMPUTING:
            words.append(f"Computing {label(study)}: {printable(stage, 100)}. {key(study, look)} stops it.")
        elif progress is Progress.QUEUED:
            words.append(f"{at_start(label(study))} queued. {key(study, look)} takes that back.")
    return Text(" ".join(words), look.tones.active)


def failed(found: Sequence[tuple[Study, Progress, str]], look: Look) -> Text:
    """The studies of a matrix that failed, a sentence each."""
    words = [
        f"{at_start(label(study))} failed: {printable(reason, 400)}. {key(study, look)} tries again."
        for study, progress, reason in found
        if progress is Progress.FAILED
    ]
    return Text(" ".join(words), look.tones.warning)


def key(study: Study, look: Look) -> str:
    """The key that asks for a study or takes it back, and where."""
    name, view = KEYS[study.kind]
    return f"{at_start(look.keys[name])} in {view}"
