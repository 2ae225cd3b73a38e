"""Real answers, computed in this process: a session whose matrices are all known, or a single job's key."""

from __future__ import annotations

from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import open_pairing
from intruder_tui.engine.inline import InlineEngine
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Event, Finished
from intruder_tui.engine.session import Session


def solved(base: Path, tuned: Path, cache: Cache) -> Session:
    """A session over the pair with every default matrix computed."""
    engine = InlineEngine(cache)
    session = Session(open_pairing(str(base), str(tuned)), engine, cache)
    events: list[Event] = []
    engine.start(events.append)
    session.scan()
    for event in events:
        session.apply(event)
    return session


def computed(cache: Cache, job: Job) -> str:
    """The cache key of a job that was just done."""
    events: list[Event] = []
    engine = InlineEngine(cache)
    engine.start(events.append)
    engine.submit(job)
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1].key
