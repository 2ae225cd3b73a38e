"""The engine that people use: a supervised worker process that owns the device.

A thread of the parent hands out jobs, small ones in batches, and passes events on. All state belongs to that
thread; the public methods only leave a command and wake it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from intruder_tui.cache import Cache
from intruder_tui.engine.batches import cores
from intruder_tui.engine.inhand import InHand
from intruder_tui.engine.jobs import Study, Work
from intruder_tui.engine.log import drop_if_empty, note, note_trace, private_log
from intruder_tui.engine.protocol import (
    Broken,
    Dropped,
    Event,
    Failed,
    Finished,
    Listener,
    Ready,
    Stage,
)
from intruder_tui.engine.queue import JobQueue
from intruder_tui.engine.spawned import GOODBYE, Spawned, make_ready, spawn

_STARTS = 3
"""Starts of a worker that may fail in a row."""
_AGAIN = 1.0
"""Seconds until a worker that the system did not let us start is tried again."""


class ProcessEngine:
    """Runs jobs in a spawned child, killed to cancel and replaced when it dies.

    The child is started by the constructor, before any interface takes over the standard streams. `log` is a
    file to append to; without one a private log is kept in the cache. A `niceness` above 0 lets the processes
    beside the child go first, the interface above all.

    Raises:
        OSError: the log directory in the cache can't be made.
    """

    def __init__(
        self, cache: Cache, device: str = "auto", log: Path | None = None, *, niceness: int = 0
    ) -> None:
        self._cache = cache
        self._niceness = niceness
        self._device = device
        self._log = private_log(cache.root / "logs") if log is None else log
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._queue = JobQueue(cores())
        self._in_hand = InHand()
        self._device_named = ""
        self._failed_starts = 0
        self._broken = ""
        self._listener: Listener = lambda event: None
        self._thread: threading.Thread | None = None
        self._closing = False
        make_ready()
        self._worker: Spawned | None = self._spawn()

    @property
    def log_path(self) -> Path:
        """Where the worker's stdout and stderr go, and why jobs failed."""
        return self._log

    @property
    def worker_pid(self) -> int | None:
        """The process that computes, for people who look at it with other tools."""
        worker = self._worker
        return worker.process.pid if worker else None

    def start(self, listener: Listener) -> None:
        """Begin to hand out jobs; `listener` is called from the supervising thread."""
        if self._thread is not None:
            raise RuntimeError("the engine was started before")
        self._listener = self._noting(listener)
        self._thread = threading.Thread(target=self._supervise, name="engine", daemon=True)
        self._thread.start()

    def submit(self, job: Work, *, urgent: bool = False) -> None:
        """Queue a job; a queued one submitted again as urgent moves to the front."""
        self._do(lambda: self._on_submit(job, urgent))

    def cancel(self, job: Work) -> None:
        """Forget a queued job, or kill the worker under a running one; its batch goes on without it."""
        self._do(lambda: self._on_cancel(job))

    def hold(self, held: bool) -> None:
        """Keep background jobs back, or let them go on; urgent ones run, and what runs is finished."""
        self._do(lambda: setattr(self._queue, "held", held))

    def close(self) -> None:
        """Kill the worker and end; idempotent."""
        if self._closing:
            return
        self._closing = True
        worker = self._worker
        if worker is not None:
            worker.process.kill()
        self._do(lambda: None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(GOODBYE)
        worker = self._worker
        if worker is not None:
            worker.process.kill()
            worker.process.join(GOODBYE)
        drop_if_empty(self._log)

    def _noting(self, listener: Listener) -> Listener:
        """`listener`, with every failure written to the log before."""

        def tell(event: Event) -> None:
            match event:
                case Failed(job, reason):
                    note(self._log, f"{job.name}: {reason}")
                case Broken(reason):
                    note(self._log, reason)
            listener(event)

        return tell

    # The supervising thread ----------------------------------------------------------------------

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well as one more byte
            os.write(self._wake_write, b"!")

    def _supervise(self) -> None:
        try:
            self._run()
        except Exception as error:
            if not self._closing:
                note_trace(self._log, "the engine failed", error)
                self._break(f"the engine failed: {type(error).__name__}: {error}")

    def _run(self) -> None:
        while not self._closing:
            worker = self._worker
            sources: list[int | Connection] = [self._wake_read]
            if worker is not None:
                sources += [worker.connection, worker.process.sentinel]
            ready = wait(sources, _AGAIN if worker is None and len(self._queue) else None)
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._commands.get_nowait()()
            if worker is not None and worker is self._worker:
                self._listen(worker, ready)
            self._hand_out()

    def _listen(self, worker: Spawned, ready: Sequence[object]) -> None:
        """Take the worker's messages in, and its death after its last message."""
        alive = True
        try:
            while worker.connection.poll():
                self._on_event(worker, worker.connection.recv())
        except (EOFError, OSError):
            alive = False
        if not alive or worker.process.sentinel in ready:
            worker.process.join(GOODBYE)
            if worker is self._worker:
                self._on_death(worker)

    def _on_event(self, worker: Spawned, event: Event) -> None:
        match event:
            case Ready(device):
                worker.ready = True
                self._device_named = device
                self._failed_starts = 0
            case Finished(job) | Failed(job):
                self._in_hand.over(job)
            case Broken(reason):
                self._break(reason)
                return
            case Stage() | Dropped():
                pass
        self._listener(event)

    def _on_submit(self, job: Work, urgent: bool) -> None:
        if job in self._in_hand:
            return
        if self._broken:
            self._listener(Failed(job, self._broken))
            return
        self._queue.put(job, urgent=urgent)
        if urgent:
            self._make_way(job)

    def _make_way(self, job: Work) -> None:
        """On a CPU the matrix in front does not wait for a long factorisation of less interest."""
        running = self._in_hand.interrupt(job) if self._device_named == "cpu" else None
        if running is None:
            return
        self._end_worker()
        # A person asked for a study: it does not wait for a scan to end.
        self._queue.put(running, urgent=isinstance(running, Study))
        self._listener(Stage(running, ""))

    def _on_cancel(self, job: Work) -> None:
        in_hand = job in self._in_hand
        if not in_hand and not self._queue.remove(job):
            return
        self._in_hand.over(job)
        self._listener(Dropped(job))
        if in_hand:
            self._end_worker()
            self._put_back(self._in_hand.drop())

    def _put_back(self, jobs: Sequence[Work], *, alone: bool = False) -> None:
        """What a batch has left, after its worker's end, runs next."""
        self._queue.put_back(jobs, alone=alone)
        for job in jobs:
            self._listener(Stage(job, ""))

    def _on_death(self, worker: Spawned) -> None:
        worker.connection.close()
        self._worker = None
        jobs = self._in_hand.drop()
        if len(jobs) > 1:  # nobody knows whose fault it was: the next time it dies of one alone
            self._put_back(jobs, alone=True)
        elif jobs:
            self._in_hand.over(jobs[0])
            self._listener(Failed(jobs[0], worker.epitaph()))
        elif not worker.ready and not self._broken:
            self._on_failed_start(f"the worker could not start: {worker.epitaph()}; see {self._log}")

    def _on_failed_start(self, reason: str) -> None:
        """A start may fail for once, of memory or by hand, and is tried again; a series of them ends it."""
        self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            self._break(reason)
        else:
            note(self._log, reason)

    def _break(self, reason: str) -> None:
        self._broken = reason
        self._in_hand.drop()
        self._queue.clear()
        self._listener(Broken(reason))

    def _hand_out(self) -> None:
        if self._closing or len(self._in_hand) or self._broken or not len(self._queue):
            return
        if self._worker is None:
            try:
                self._worker = self._spawn()
            except OSError as error:
                self._on_failed_start(f"the worker could not start: {error.strerror or error}")
                return
        if not self._worker.ready:
            return
        jobs = self._queue.take()
        if not jobs:
            return
        self._in_hand.begin(jobs)
        with contextlib.suppress(OSError):  # a worker that died just now is noticed by its sentinel
            self._worker.connection.send(jobs)

    def _spawn(self) -> Spawned:
        return spawn(self._device, self._cache, self._log, self._niceness)

    def _end_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
