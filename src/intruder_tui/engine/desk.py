"""A desk: the studies of one pairing's matrices, asked for, under way, and had.

Pure state, one thread, like a session, whose jobs it ignores; it shares the session's engine and cache. What
a view needs it takes from here: `cosines(name, side)` and its like look into the cache and compute nothing;
`request(name, kind)` queues what is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import TypeVar

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import MatrixPair, Pairing
from intruder_tui.checkpoint.recipes import Adapted, Dora, Hosted, Recipe, Reinitialised, ReplacedRows
from intruder_tui.definition import Side
from intruder_tui.engine.jobs import Study
from intruder_tui.engine.protocol import Broken, Dropped, Engine, Event, Failed, Finished, Stage
from intruder_tui.studies.answers import Scalings, StudyKind, TunedVectors
from intruder_tui.studies.cosines import Cosines
from intruder_tui.studies.files import StudyValue

Value = TypeVar("Value", Scalings, TunedVectors, Cosines)

KEPT = 32
"""Studies held in memory; whole matrices are read from their files by windows."""
NO_PAIR = "this checkpoint has no such matrix to compare"
SAME = "the tuned weight is the base weight: there is no update"
_ONLY_LOW_RANK = "only the scaling of a low-rank update can be changed; this "
NOT_LOW_RANK = _ONLY_LOW_RANK + "checkpoint holds the tuned weight itself"
WITH_MAGNITUDES = _ONLY_LOW_RANK + (
    "adapter is a DoRA one: its trained magnitudes rescale the whole weight, for its own scaling alone"
)
OTHER_ROWS = _ONLY_LOW_RANK + "adapter replaces rows of the weight by its own"
OTHER_TUNER = _ONLY_LOW_RANK + "adapter is a {} one, whose update has no factor of that kind"
VANISHED = "its answer vanished from the cache, or was damaged there; ask for it again"


class Progress(StrEnum):
    """How far a study is."""

    IDLE = "not asked for"
    QUEUED = "queued"
    COMPUTING = "computing"
    DONE = "done"
    FAILED = "failed"


class Desk:
    """Asks an engine for studies over one pairing and remembers how far they are.

    A name that is no matrix of the pairing has no study: `reason` says so, nothing is raised.
    """

    def __init__(self, pairing: Pairing, engine: Engine, cache: Cache) -> None:
        self._pairs: dict[str, MatrixPair] = {
            row.name: row.pair for row in pairing.rows if row.pair is not None
        }
        self._engine = engine
        self._cache = cache
        self._values: OrderedDict[Study, StudyValue] = OrderedDict()
        self._pending: dict[Study, str] = {}
        self._reasons: dict[Study, str] = {}
        self._broken = ""

    # What is known -------------------------------------------------------------------------------

    def scalings(self, name: str) -> Scalings | None:
        """What other scalings of a matrix's update lead to; None where it is not in the cache."""
        return self._value(name, StudyKind.SCALINGS, None, Scalings)

    def vectors(self, name: str) -> TunedVectors | None:
        """A matrix's top tuned vectors; None where they are not in the cache."""
        return self._value(name, StudyKind.VECTORS, None, TunedVectors)

    def cosines(self, name: str, side: Side) -> Cosines | None:
        """The whole similarity matrix of one side; None where it is not in the cache."""
        return self._value(name, StudyKind.COSINES, side, Cosines)

    def progress(self, name: str, kind: StudyKind, side: Side | None = None) -> Progress:
        """How far a study is."""
        study = self._study(name, kind, side)
        if study is None:
            return Progress.FAILED
        if study in self._pending:
            return Progress.COMPUTING if self._pending[study] else Progress.QUEUED
        if self._find(study) is not None:
            return Progress.DONE
        return Progress.FAILED if self.reason(name, kind, side) else Progress.IDLE

    def waiting(self, name: str, kind: StudyKind, side: Side | None = None) -> bool:
        """Whether a study has been asked for and has not come."""
        return self._study(name, kind, side) in self._pending

    def stage(self, name: str, kind: StudyKind, side: Side | None = None) -> str:
        """What the worker is doing for a study: "reading", "factorising tuned", ...; empty while it waits."""
        study = self._study(name, kind, side)
        return "" if study is None else self._pending.get(study, "")

    def reason(self, name: str, kind: StudyKind, side: Side | None = None) -> str:
        """Why a study failed or can't be had, one line; empty otherwise."""
        study = self._study(name, kind, side)
        if study is None:
            return NO_PAIR
        return _refusal(study) or self._reasons.get(study, "") or self._broken

    def pending(self) -> list[Study]:
        """What has been asked for and has not come, the one under way first."""
        return sorted(self._pending, key=lambda study: not self._pending[study])

    def unsettled(self, name: str) -> list[tuple[Study, Progress, str]]:
        """A matrix's studies that are under way or failed, with the stage or the reason."""
        under_way = [(study, stage) for study, stage in self._pending.items() if study.name == name]
        return [
            *((study, Progress.COMPUTING if stage else Progress.QUEUED, stage) for study, stage in under_way),
            *(
                (study, Progress.FAILED, reason)
                for study, reason in self._reasons.items()
                if study.name == name
            ),
        ]

    def failures(self) -> list[tuple[Study, str]]:
        """The studies that failed, and why, in one line each; those asked for again are none any more."""
        return list(self._reasons.items())

    # What is asked for ---------------------------------------------------------------------------

    def request(self, name: str, kind: StudyKind, side: Side | None = None, *, urgent: bool = True) -> bool:
        """Ask for a study; whether it is now under way. One that is here, or can't be had, is left alone."""
        study = self._study(name, kind, side)
        if study is None or _refusal(study) or self._broken:
            return False
        if study not in self._pending and self._find(study) is not None:
            return False
        self._reasons.pop(study, None)
        self._pending.setdefault(study, "")
        self._engine.submit(study, urgent=urgent)
        return True

    def cancel(self, name: str, kind: StudyKind, side: Side | None = None) -> None:
        """Take a queued or running study back."""
        study = self._study(name, kind, side)
        if study is not None and study in self._pending:
            self._engine.cancel(study)

    def cancel_all(self) -> None:
        """Take back everything that is queued or running."""
        for study in list(self._pending):
            self._engine.cancel(study)

    def apply(self, event: Event) -> list[Study]:
        """Take an engine event in; the studies that changed."""
        match event:
            case Broken(reason):
                self._broken = reason
                changed = list(self._pending)
                self._reasons.update(dict.fromkeys(changed, reason))
                self._pending.clear()
                return changed
            case Stage(Study() as study, stage) if self._owns(study):
                self._pending[study] = stage
            case Finished(Study() as study, key, _) if self._owns(study):
                self._pending.pop(study, None)
                if self._load(study, key) is None:
                    self._reasons[study] = VANISHED
            case Failed(Study() as study, reason) if self._owns(study):
                self._pending.pop(study, None)
                self._reasons[study] = reason
            case Dropped(Study() as study) if self._owns(study):
                self._pending.pop(study, None)
            case _:
                return []
        return [study]

    # Inner workings ------------------------------------------------------------------------------

    def _study(self, name: str, kind: StudyKind, side: Side | None) -> Study | None:
        pair = self._pairs.get(name)
        return None if pair is None else Study(pair, kind, side)

    def _owns(self, study: Study) -> bool:
        return self._pairs.get(study.name) == study.pair

    def _value(self, name: str, kind: StudyKind, side: Side | None, wanted: type[Value]) -> Value | None:
        study = self._study(name, kind, side)
        found = None if study is None else self._find(study)
        return found if isinstance(found, wanted) else None

    def _find(self, study: Study) -> StudyValue | None:
        """From memory, else from the cache; no weight is read."""
        if study in self._values:
            self._values.move_to_end(study)
            return self._values[study]
        if _refusal(study):
            return None
        key = self._cache.find_study(study)
        return None if key is None else self._load(study, key)

    def _load(self, study: Study, key: str) -> StudyValue | None:
        value = self._cache.load_study(study.kind, key)
        if value is not None:
            self._values[study] = value
            if len(self._values) > KEPT:
                self._values.popitem(last=False)
        return value


def _refusal(study: Study) -> str:
    """Why there can be no such study, from the recipes alone; empty where there can."""
    if study.pair.untouched:
        return SAME
    if study.kind is StudyKind.SCALINGS:
        return _not_scalable(study.pair.tuned)
    return ""


def _not_scalable(tuned: Recipe) -> str:
    """Why there are no other scalings of what a recipe does to the base; empty where there are."""
    match tuned:
        case Adapted() | Reinitialised():
            return ""
        case Dora():
            return WITH_MAGNITUDES
        case Hosted(kind=kind):
            return OTHER_TUNER.format(kind)
        case ReplacedRows():
            return OTHER_ROWS
    return NOT_LOW_RANK
