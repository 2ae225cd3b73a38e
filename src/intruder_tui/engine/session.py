"""A session: one pairing, what is known of each of its matrices, and what has been asked for.

Pure state, one thread: events are handed to `apply`, whoever received them. The interface and the headless
commands both sit on it. Several sessions may share an engine; each ignores the others' jobs.
"""

from __future__ import annotations

from enum import StrEnum

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import Pairing, Row, RowKind
from intruder_tui.definition import Definition
from intruder_tui.engine.desk import Desk
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.engine.protocol import Broken, Dropped, Engine, Event, Failed, Finished, Ready, Stage
from intruder_tui.engine.tally import Foremost, Tallies, Tally, Totals
from intruder_tui.results import MatrixResult, Summary, Tier


class State(StrEnum):
    """The state of a row of the layer tree."""

    IDLE = "not analysed"
    QUEUED = "queued"
    COMPUTING = "computing"
    DONE = "done"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"


VANISHED = "its result vanished from the cache, or was damaged there; ask for it again"
PENDING = frozenset({State.QUEUED, State.COMPUTING})
_AT_REST = frozenset({State.IDLE, State.SKIPPED})


class Session:
    """Drives an engine over one pairing and remembers the answers.

    Names are row names of the pairing; an unknown one raises KeyError.
    """

    def __init__(
        self,
        pairing: Pairing,
        engine: Engine,
        cache: Cache,
        definition: Definition | None = None,
        depth: Depth = Depth.VERDICT,
    ) -> None:
        self.pairing = pairing
        self.device = ""
        """The worker's device once it is ready."""
        self.broken = ""
        """Why no job can run at all; empty while the engine works."""
        self.desk = Desk(pairing, engine, cache)
        """Studies of the same pairing; it takes their events in by itself."""
        self._engine = engine
        self._cache = cache
        self._definition = definition if definition is not None else Definition()
        self._depth = depth
        self._refining: set[str] = set()
        self._asked: dict[str, Job] = {}
        self._tallies = Tallies()
        self._rows = {row.name: row for row in pairing.rows}
        self._default = [pair.name for pair in pairing.pairs]
        self._states: dict[str, State] = {}
        self._keys: dict[str, str] = {}
        self._summaries: dict[str, Summary] = {}
        self._reasons: dict[str, str] = {}
        self._stages: dict[str, str] = {}
        self._loaded: tuple[str, MatrixResult] | None = None
        self._unprimed: list[str] = []
        for row in pairing.rows:
            self._states[row.name] = _state_at_rest(row)
            if self._computable(row.name):
                self._unprimed.append(row.name)
        self._unprimed.reverse()

    # What is known -------------------------------------------------------------------------------

    @property
    def default_names(self) -> list[str]:
        """Names of the matrices analysed by default, in layer order."""
        return list(self._default)

    def row(self, name: str) -> Row:
        """The row of that name."""
        return self._rows[name]

    def state(self, name: str) -> State:
        """The state of a row."""
        return self._states[name]

    def reason(self, name: str) -> str:
        """Why a row failed, was refused or is not analysed by default; empty otherwise."""
        return self._reasons.get(name, "") or self._rows[name].reason

    def stage(self, name: str) -> str:
        """What the worker is doing with a computing row: "reading", "factorising", ..."""
        return self._stages.get(name, "")

    def summary(self, name: str) -> Summary | None:
        """The light part of a row's result; None where there is none."""
        self._rows[name]
        return self._summaries.get(name)

    def key(self, name: str) -> str | None:
        """The cache key of a row's result."""
        return self._keys.get(name)

    def result(self, name: str) -> MatrixResult | None:
        """The whole result of a row, read from the cache; only the last one asked for is kept in memory."""
        key = self._keys.get(name)
        if key is None:
            return None
        if self._loaded is not None and self._loaded[0] == key:
            return self._loaded[1]
        result = self._cache.load(key)
        if result is None:
            self._forget(name)
            self._fail(name, VANISHED)
            return None
        self._loaded = (key, result)
        return result

    def peek(self, name: str) -> MatrixResult | None:
        """The whole result of a row, for a glance: the one in memory stays the last that was asked for."""
        key = self._keys.get(name)
        return None if key is None else self._cache.load(key)

    @property
    def definition(self) -> Definition:
        """What verdicts have to decide. Setting it asks for the exact rows of those it leaves undecided."""
        return self._definition

    @definition.setter
    def definition(self, definition: Definition) -> None:
        self._definition = definition
        for name in self._summaries:
            self._refine_if_undecided(name)

    def refining(self, name: str) -> bool:
        """Whether bounds are known and the values behind them are on their way."""
        return name in self._refining

    def failed(self, name: str) -> bool:
        """Whether this row was asked for an answer, or the values behind it, in vain."""
        return self._states[name] is State.FAILED or (
            self._states[name] is State.DONE and name in self._reasons
        )

    def waiting(self, name: str) -> bool:
        """Whether anything has been asked for this row and has not come."""
        return self._states[name] in PENDING or name in self._refining

    def count(self, name: str, definition: Definition) -> int | None:
        """Certain intruders of a row; None while there is no answer."""
        if self._states[name] is State.UNCHANGED:
            return 0
        tally = self.tally(name, definition)
        return None if tally is None else tally.intruders

    def tally(self, name: str, definition: Definition) -> Tally | None:
        """A row's vectors by verdict; None where nothing is known of them."""
        summary = self._summaries.get(name)
        return None if summary is None else self._tallies.of(name, summary, definition)

    def pending(self) -> list[Job]:
        """What has been asked for and has not come."""
        states = self._states
        queued = [job for name, job in self._asked.items() if states[name] in PENDING]
        return queued + [self._job(name).exactly for name in self._refining]

    def totals(self, definition: Definition) -> Totals:
        """Sums over the matrices analysed by default."""
        intruders = carriers = answered = failed = pending = 0
        undecided = borderline = clustered = unchanged = 0
        for name in self._default:
            state = self._states[name]
            failed += state is State.FAILED
            pending += self.waiting(name)
            count = self.count(name, definition)
            if count is None:
                continue
            answered += 1
            unchanged += state is State.UNCHANGED
            intruders += count
            carriers += count > 0
            tally = self.tally(name, definition)
            if tally is not None:
                undecided += tally.undecided
                borderline += tally.borderline
                clustered += tally.clustered
        matrices = len(self._default)
        return Totals(
            intruders,
            carriers,
            undecided,
            answered,
            failed,
            pending,
            matrices,
            borderline,
            clustered,
            unchanged,
        )

    def strongest(self, definition: Definition) -> Foremost | None:
        """The intruder with the smallest upper bound of best(j), over every analysed matrix."""
        tallies = {name: self._tallies.of(name, one, definition) for name, one in self._summaries.items()}
        found = min(
            ((*tally.strongest, name) for name, tally in tallies.items() if tally.strongest is not None),
            key=lambda one: one[0],
            default=None,
        )
        if found is None:
            return None
        bound, j, name = found
        others = (tally.rival if other == name else tally.lowest for other, tally in tallies.items())
        return Foremost(name, j, all(lower >= bound for lower in others))

    # What is asked for ---------------------------------------------------------------------------

    def prime(self, most: int | None = None) -> list[str]:
        """Look up to `most` untried rows (None: all) in the cache; the names that had an answer.

        No weight is read. Rows that have no answer stay as they are. An empty list with `primed` true: done.
        """
        found = []
        for _ in range(len(self._unprimed) if most is None else min(most, len(self._unprimed))):
            name = self._unprimed.pop()
            if self._states[name] in _AT_REST and self._recall(name):
                found.append(name)
        return found

    @property
    def primed(self) -> bool:
        """Whether every row has been looked up in the cache."""
        return not self._unprimed

    def request(self, name: str, *, urgent: bool = True) -> None:
        """Ask for a row's answer; rows that have one, or can't have one, are left alone.

        A matrix skipped by default (an embedding, the output head) is analysed when asked for by name.
        """
        state = self._states[name]
        if not self._computable(name):
            return
        if state in _AT_REST or state is State.FAILED:
            if self._recall(name):
                return
            self._states[name] = State.QUEUED
            self._reasons.pop(name, None)
        elif not (state is State.QUEUED and urgent):
            return
        if self.broken:
            self._fail(name, self.broken)
            return
        if state is State.QUEUED:
            job = self._asked[name]  # the very job that waits, whatever k and eps are now
        else:
            job = self._asked[name] = self._job(name)
        self._engine.submit(job, urgent=urgent)

    def refine(self, name: str, *, urgent: bool = True) -> None:
        """Ask for the values behind a row's bounds; rows without bounds are left alone."""
        summary = self._summaries.get(name)
        if summary is None or summary.tier is not Tier.CERTIFICATE or self.broken:
            return
        if name in self._refining and not urgent:
            return
        exact = self._job(name).exactly
        key = self._cache.find(exact)
        if key is not None and self._take(name, key):
            return
        self._refining.add(name)
        self._engine.submit(exact, urgent=urgent)

    def scan(self) -> None:
        """Ask for every default matrix that has no answer yet; failed ones are tried again."""
        for name in self._default:
            self.request(name, urgent=False)

    def hold(self, held: bool) -> None:
        """Keep back what is not urgent, of every session over this engine, or let it go on."""
        self._engine.hold(held)

    def cancel(self, name: str) -> None:
        """Take a queued or running row back."""
        if self._states[name] in PENDING:
            self._engine.cancel(self._asked[name])
        if name in self._refining:
            self._engine.cancel(self._job(name).exactly)

    def cancel_all(self) -> None:
        """Take back everything that is queued or running."""
        for name in self._rows:
            self.cancel(name)

    def apply(self, event: Event) -> list[str]:
        """Take an engine event in; the names of the rows that changed."""
        match event:
            case Ready(device):
                self.device = device
                return []
            case Broken(reason):
                self.broken = reason
                pending = [name for name in self._states if self.waiting(name)]
                for name in pending:
                    self._fail(name, reason)
                return pending
            case Stage(Job() as job, stage) if self._owns(job):
                if job.name not in self._refining:
                    self._states[job.name] = State.COMPUTING if stage else State.QUEUED
                self._stages[job.name] = stage
            case Finished(Job() as job, key, _) if self._owns(job):
                if not self._take(job.name, key):
                    self._fail(job.name, VANISHED)
                self._refine_if_undecided(job.name)
            case Failed(Job() as job, reason) if self._owns(job):
                self._fail(job.name, reason)
            case Dropped(Job() as job) if self._owns(job):
                if job.name in self._refining:
                    self._settle(job.name)
                else:
                    self._forget(job.name)
            case _:
                return []
        return [job.name]

    # Inner workings ------------------------------------------------------------------------------

    def _computable(self, name: str) -> bool:
        pair = self._rows[name].pair
        return pair is not None and not pair.untouched

    def _refine_if_undecided(self, name: str) -> None:
        """Bounds that no longer decide are not guessed from: their values are computed."""
        summary = self._summaries.get(name)
        if summary is None or summary.tier is not Tier.CERTIFICATE:
            return
        if not self._decides(name, summary):
            self.refine(name, urgent=False)

    def _decides(self, name: str, summary: Summary) -> bool:
        """Whether bounds leave no vector open under the definition in force."""
        known = len(summary.side(self._definition.side).lower)
        enough = known >= min(self._definition.k, *self._rows[name].shape)
        return enough and not summary.undecided(self._definition)

    def _settle(self, name: str) -> None:
        """Nothing is under way for this row any more."""
        self._refining.discard(name)
        self._stages.pop(name, None)

    def _owns(self, job: Job) -> bool:
        row = self._rows.get(job.name)
        return row is not None and row.pair == job.pair

    def _job(self, name: str) -> Job:
        pair = self._rows[name].pair
        assert pair is not None, name
        if self._depth is Depth.EXACT:
            return Job(pair)
        return Job.verdict(pair, self._definition.k, self._definition.eps)

    def _recall(self, name: str) -> bool:
        """Take an answer from the cache: values, bounds found for this k and eps, or others that decide."""
        job = self._job(name)
        key = self._cache.find(job)
        if key is not None:
            return self._take(name, key)
        if job.depth is Depth.EXACT:
            return False
        key = self._cache.find_bounds(job)
        summary = None if key is None else self._cache.summary(key)
        if key is None or summary is None or not self._decides(name, summary):
            return False
        return self._take(name, key)

    def _take(self, name: str, key: str) -> bool:
        summary = self._cache.summary(key)
        if summary is None:
            return False
        if summary.tier is not Tier.CERTIFICATE:
            self._settle(name)
        self._stages.pop(name, None)
        self._keys[name] = key
        self._summaries[name] = summary
        self._tallies.forget(name)
        self._states[name] = State.UNCHANGED if summary.unchanged else State.DONE
        return True

    def _fail(self, name: str, reason: str) -> None:
        refined = name in self._refining
        self._settle(name)
        self._reasons[name] = reason
        if not refined:  # the bounds of a row whose exact values failed still hold
            self._states[name] = State.FAILED

    def _forget(self, name: str) -> None:
        self._settle(name)
        self._tallies.forget(name)
        self._keys.pop(name, None)
        self._summaries.pop(name, None)
        self._states[name] = _state_at_rest(self._rows[name])


def _state_at_rest(row: Row) -> State:
    """The state of a row that nobody has asked for."""
    if row.kind is not RowKind.MATRIX or row.pair is None:
        return State.SKIPPED
    return State.UNCHANGED if row.pair.untouched else State.IDLE
