"""A session: one pairing's ledger, written from an engine's answers, and what has been asked for.

Pure state, one thread: events are handed to `apply`, whoever received them. The interface and the headless
commands both sit on it. Several sessions may share an engine; each ignores the others' jobs.
"""

from __future__ import annotations

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.pairs import Pairing
from intruder_tui.definition import Definition
from intruder_tui.engine.desk import Desk
from intruder_tui.engine.jobs import Depth, Job
from intruder_tui.engine.protocol import Broken, Dropped, Engine, Event, Failed, Finished, Ready, Stage
from intruder_tui.findings.ledger import PENDING, Ledger, State
from intruder_tui.results import MatrixResult, Summary, Tier

VANISHED = "its result vanished from the cache, or was damaged there; ask for it again"
_AT_REST = frozenset({State.IDLE, State.SKIPPED})


class Session(Ledger):
    """Drives an engine over one pairing and remembers the answers."""

    def __init__(
        self,
        pairing: Pairing,
        engine: Engine,
        cache: Cache,
        definition: Definition | None = None,
        depth: Depth = Depth.VERDICT,
    ) -> None:
        super().__init__(pairing)
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
        self._asked: dict[str, Job] = {}
        self._several = False
        self._loaded: tuple[str, MatrixResult] | None = None
        self._unprimed = [row.name for row in reversed(pairing.rows) if self._computable(row.name)]

    # Whole results -------------------------------------------------------------------------------

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

    # What is asked for ---------------------------------------------------------------------------

    @property
    def definition(self) -> Definition:
        """What verdicts have to decide. Setting it asks for the exact rows of those it leaves undecided."""
        return self._definition

    @definition.setter
    def definition(self, definition: Definition) -> None:
        self._definition = definition
        for name in self._summaries:
            self._refine_if_undecided(name)

    def pending(self) -> list[Job]:
        """What has been asked for and has not come."""
        states = self._states
        queued = [job for name, job in self._asked.items() if states[name] in PENDING]
        return queued + [self._job(name).exactly for name in self._refining]

    @property
    def scanning(self) -> bool:
        """Whether something has not come of several things asked for, each before all others had come."""
        return self._several and self._under_way()

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
            self._several = self._under_way()
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
        if name not in self._refining:
            self._several = self._under_way()
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

    def _under_way(self) -> bool:
        """Whether anything is pending; the last asked for is looked at first, as it comes last in a scan."""
        return bool(self._refining) or any(self._states[name] in PENDING for name in reversed(self._asked))

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
        self._enter(name, key, summary)
        return True
