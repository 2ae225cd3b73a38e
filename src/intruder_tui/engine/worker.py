"""The worker's loop: torch is loaded here, jobs come in and events go out over a pipe."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection

import torch

from intruder_tui.cache import Cache
from intruder_tui.engine.assemble import ReadError
from intruder_tui.engine.compute import device_name, run_job
from intruder_tui.engine.jobs import Job, Work
from intruder_tui.engine.protocol import Broken, Failed, Finished, Listener, Ready, Stage
from intruder_tui.engine.together import run_together
from intruder_tui.spectral import SpectralError


class DeviceError(Exception):
    """The device asked for is not here."""


def choose_device(name: str) -> torch.device:
    """ "auto" (the first CUDA device, else the CPU), "cpu", "cuda" or "cuda:1".

    Raises:
        DeviceError: not such a name, or no such device.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r}: not one of auto, cpu, cuda, cuda:N") from error
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise DeviceError(f"device {name!r}: not one of auto, cpu, cuda, cuda:N")
    index = device.index or 0
    if index >= count:
        raise DeviceError(f"device {name!r}: {count} CUDA devices are visible to torch {torch.__version__}")
    return torch.device("cuda", index)


def serve(connection: Connection, device_argument: str, cache: Cache) -> None:
    """Answer jobs until the other end closes the pipe."""
    try:
        device = choose_device(device_argument)
        described = device_name(device)
    except (DeviceError, RuntimeError) as error:
        connection.send(Broken(one_line(error)))
        return
    connection.send(Ready(described))
    while True:
        try:
            jobs: tuple[Work, ...] = connection.recv()
        except EOFError:
            return
        answer_all(jobs, cache, device, connection.send)


def answer_all(jobs: Sequence[Work], cache: Cache, device: torch.device, listener: Listener) -> None:
    """Run a job, or small ones at once; what they leave is run alone, for its answer or its reason."""
    left = dict.fromkeys(jobs)
    if len(left) > 1:
        for event in _answers_together(jobs, cache, device, listener):
            del left[event.job]
            listener(event)
    for job in left:
        listener(answer(job, cache, device, listener))


def _answers_together(
    jobs: Sequence[Work], cache: Cache, device: torch.device, listener: Listener
) -> Iterator[Finished]:
    """The answers of a batch as far as it goes; why it goes no further is in the log."""
    small = [job for job in jobs if isinstance(job, Job)]
    try:
        for answered in run_together(small, cache, device, lambda job, stage: listener(Stage(job, stage))):
            yield Finished(*answered)
        return
    except ConnectionError:
        raise  # nobody listens any more
    except Exception:
        traceback.print_exc()
    # Not before the error, and with it what its frames hold, is gone.
    torch.cuda.empty_cache()


def answer(job: Work, cache: Cache, device: torch.device, listener: Listener) -> Finished | Failed:
    """Run one job; whatever goes wrong with it becomes its row's reason."""
    started = time.monotonic()
    try:
        key = _run(job, cache, device, lambda stage: listener(Stage(job, stage)))
    except (ReadError, SpectralError) as error:
        return Failed(job, one_line(error))
    except (torch.OutOfMemoryError, MemoryError) as error:
        torch.cuda.empty_cache()
        return Failed(job, f"out of memory on {device}: {one_line(error)}")
    except OSError as error:
        traceback.print_exc()
        return Failed(job, f"the cache in {cache.root} can't be written: {one_line(error)}")
    except Exception as error:
        traceback.print_exc()
        return Failed(job, f"{type(error).__name__}: {one_line(error)} (the log has the details)")
    return Finished(job, key, time.monotonic() - started)


def _run(job: Work, cache: Cache, device: torch.device, on_stage: Callable[[str], None]) -> str:
    """Work on the device, or on the CPU where the device's memory is too small."""
    try:
        return _run_on(device, job, cache, on_stage)
    except torch.OutOfMemoryError:
        if device.type == "cpu":
            raise
    # Not before the error, and with it what its frames hold, is gone.
    torch.cuda.empty_cache()
    on_stage(f"{device} is out of memory, starting again on the CPU")
    note = f"The memory of {device} was too small; this was computed on the CPU."
    return _run_on(torch.device("cpu"), job, cache, on_stage, (note,))


def _run_on(
    device: torch.device,
    job: Work,
    cache: Cache,
    on_stage: Callable[[str], None],
    notes: tuple[str, ...] = (),
) -> str:
    if isinstance(job, Job):
        return run_job(job, cache, device, on_stage, notes)
    from intruder_tui.engine.learn import run_study  # asked for seldom

    return run_study(job, cache, device, on_stage)


def one_line(error: BaseException) -> str:
    """The first line of an error's message, its type where it has none, at most 300 characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
