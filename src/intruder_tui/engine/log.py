"""The log: what the worker prints, why jobs failed, and the traces of what should never have happened.

One file, appended to by the interface and by the worker. Without `--log` it is a private one in the cache.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import traceback
from pathlib import Path

SIGN = "# intruder-tui log"
"""How a log that was asked for begins; a file that begins otherwise is never written to."""
_KEPT = 10
_DAY = 86400.0


class LogError(Exception):
    """The file can't be the log; the message says why."""


def open_log(path: Path) -> Path:
    """Begin a log, or go on with an earlier one, at a place that a person chose; the absolute path.

    Raises:
        LogError: it can't be written, or is something else than a log.
    """
    path = path.expanduser().absolute()
    if path.exists() and not path.is_file():
        raise LogError(f"{path} is not a regular file")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            begin = file.read(len(SIGN))
            if begin not in (b"", SIGN.encode()):
                raise LogError(f"{path} exists and is not a log of intruder-tui")
            file.write(f"{SIGN} of process {os.getpid()}, {time.strftime('%Y-%m-%d %H:%M:%S')}\n".encode())
    except OSError as error:
        raise LogError(f"{path} can't be written: {error.strerror}") from error
    return path


def private_log(directory: Path) -> Path:
    """An empty log of our own; logs beyond the last few that nobody has written to for a day go.

    Raises:
        OSError: the directory can't be made or written.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    dated: list[tuple[float, Path]] = []
    for log in directory.glob("worker-*.log"):
        with contextlib.suppress(OSError):  # another instance tidies up as well
            dated.append((log.stat().st_mtime, log))
    for modified, log in sorted(dated)[:-_KEPT]:
        if time.time() - modified > _DAY:
            with contextlib.suppress(OSError):
                log.unlink()
    handle, name = tempfile.mkstemp(prefix=f"worker-{os.getpid()}-", suffix=".log", dir=directory)
    os.close(handle)
    return Path(name)


def note(log: Path | None, words: str) -> None:
    """Append lines under the time of day; a log that can't be written costs nobody anything."""
    if log is None:
        return
    with contextlib.suppress(OSError), log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{time.strftime('%H:%M:%S')} {words.rstrip()}\n")


def note_trace(log: Path | None, where: str, error: BaseException) -> None:
    """Append an exception with its trace; `where` says what failed."""
    note(log, f"{where}\n{''.join(traceback.format_exception(error))}")


def drop_if_empty(log: Path) -> None:
    """Remove a log that nothing was written to."""
    with contextlib.suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()
