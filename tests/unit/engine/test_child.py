"""What the terminal sends to the worker as well."""

from __future__ import annotations

import os
import queue
import signal

from intruder_tui.cache import Cache
from intruder_tui.engine.process import ProcessEngine
from intruder_tui.engine.protocol import Event, Ready


def test_the_worker_outlives_what_the_terminal_sends(cache: Cache) -> None:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    engine = ProcessEngine(cache, "cpu")
    try:
        worker = engine.worker_pid
        assert worker is not None
        for number in (signal.SIGHUP, signal.SIGINT):  # it has not even loaded its first module
            os.kill(worker, number)
        engine.start(events.put)
        assert isinstance(events.get(timeout=90), Ready)
        for number in (signal.SIGHUP, signal.SIGINT):
            os.kill(worker, number)
        assert engine.worker_pid == worker
        os.kill(worker, 0)
    finally:
        engine.close()
    assert signal.SIGHUP not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
