"""Driving an engine without a screen: submit, wait, show progress on stderr."""

from __future__ import annotations

import contextlib
import queue
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from intruder_tui.cli.options import fail
from intruder_tui.engine.pace import Pace
from intruder_tui.engine.protocol import Engine, Event, Finished
from intruder_tui.engine.session import Session

if TYPE_CHECKING:
    from intruder_tui.cache import Cache
    from intruder_tui.engine.process import ProcessEngine

INTERRUPTED = 130
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_QUESTIONS = 1.0


@contextlib.contextmanager
def engine_for(
    cache: Cache, device: str, log: Path | None = None, *, niceness: int = 0
) -> Iterator[ProcessEngine]:
    """A worker process for the length of a command; what goes wrong meanwhile is in its log."""
    from intruder_tui.engine.log import note_trace
    from intruder_tui.engine.process import ProcessEngine

    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", device):
        fail(f"--device is {device!r}; it is auto, cpu, cuda or cuda:N")
    try:
        engine = ProcessEngine(cache, device, log, niceness=niceness)
    except OSError as error:
        fail(f"the cache directory {cache.root} can't be written: {error.strerror}")
    try:
        yield engine
    except Exception as error:
        if not isinstance(error, typer.Exit):
            note_trace(engine.log_path, "the command failed", error)
            error.add_note(f"the trace is in {engine.log_path}")
        raise
    finally:
        engine.close()


class Pump:
    """Hands an engine's events to sessions, on the calling thread; `heard` gets each before them."""

    def __init__(
        self, engine: Engine, sessions: list[Session], heard: Callable[[Event], None] | None = None
    ) -> None:
        self._heard = heard
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._sessions = sessions
        engine.start(self._events.put)

    def wait(self, timeout: float = 0.5) -> list[tuple[Session, str]]:
        """Apply the next event, if one comes in time; the rows that changed."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return []
        if self._heard is not None:
            self._heard(event)
        return [(session, name) for session in self._sessions for name in session.apply(event)]


def answer(session: Session, engine: ProcessEngine, name: str) -> None:
    """Compute one row and wait for it."""
    session.request(name)
    pump = Pump(engine, [session])
    while session.waiting(name):
        pump.wait()


def answer_all(sessions: list[Session], engine: Engine) -> None:
    """Compute every default matrix of every session, with progress and the time left on stderr.

    Raises:
        KeyboardInterrupt: what is done is in the cache.
    """
    for session in sessions:
        session.scan()
    waiting = {
        (index, name)
        for index, session in enumerate(sessions)
        for name in session.default_names
        if session.waiting(name)
    }
    total = len(waiting)
    if not total:
        return
    pace = Pace()

    def heard(event: Event) -> None:
        if isinstance(event, Finished):
            pace.finished(event.job, event.seconds)

    def left() -> float | None:
        pace.expect([job for session in sessions for job in session.pending()])
        return pace.left()

    pump = Pump(engine, sessions, heard)
    with _progress(total, left) as show:
        while waiting:
            for session, name in pump.wait():
                entry = (sessions.index(session), name)
                if session.waiting(name):
                    waiting.add(entry)  # bounds came and did not decide: values are on their way
                else:
                    waiting.discard(entry)
            show(total - len(waiting))


@contextlib.contextmanager
def _progress(total: int, left: Callable[[], float | None]) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on a terminal; a line every ten seconds elsewhere. `left` is in seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    words = _Words(total, left)
    if not console.is_terminal:
        yield _line_printer(words)
        return
    with Progress(BarColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        task = progress.add_task(words(0), total=total)
        yield lambda done: progress.update(task, completed=done, description=words(done))


class _Words:
    """How far a scan is, in words; the time left is asked for once a second, since that takes a while."""

    def __init__(self, total: int, left: Callable[[], float | None]) -> None:
        self._total = total
        self._left = left
        self._asked = 0.0
        self._known: float | None = None

    def __call__(self, done: int) -> str:
        from intruder_tui.views.numbers import duration

        now = time.monotonic()
        if now - self._asked > _SECONDS_BETWEEN_QUESTIONS:
            self._asked, self._known = now, self._left()
        text = f"{done} of {self._total} matrices"
        return text if self._known is None else f"{text}, about {duration(self._known)} left"


def _line_printer(words: _Words) -> Callable[[int], None]:
    printed = time.monotonic()

    def show(done: int) -> None:
        nonlocal printed
        text = words(done)
        if done and time.monotonic() - printed > _SECONDS_BETWEEN_LINES:
            printed = time.monotonic()
            typer.echo(text, err=True)

    return show
