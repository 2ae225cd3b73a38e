"""A device, its clock and its memory, and the rows that were measured with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

import torch
from rich.console import Console
from rich.table import Table

T = TypeVar("T")


@dataclass(frozen=True)
class Timed(Generic[T]):
    """One measured call: seconds, the device memory it held at most beyond what lay there, and its result."""

    seconds: float
    peak: float | None
    result: T

    def told(self) -> dict[str, object]:
        """The columns of a row."""
        return {"seconds": self.seconds} | ({} if self.peak is None else {"peak GB": self.peak})


class Bench:
    """A device, the seconds that are left, and the rows.

    Attributes:
        tiny: toy sizes, whose times are of no interest: nothing is left out for want of time.
    """

    def __init__(self, device: torch.device, budget: float, *, tiny: bool = False) -> None:
        self.device, self.tiny = device, tiny
        self.rows: list[dict[str, object]] = []
        self._console = Console(width=160)
        self._end = perf_counter() + budget

    @property
    def left(self) -> float:
        """Seconds of the budget that are left."""
        return self._end - perf_counter()

    def room(self, what: str, expected: float, reserve: float = 0.0) -> bool:
        """Whether a call of about `expected` seconds fits and leaves `reserve`; else a row says so."""
        if self.tiny or expected + reserve < self.left:
            return True
        self.record("left out", what=what, expected=expected, left=self.left)
        return False

    def timed(self, work: Callable[[], T], warm: int = 1) -> Timed[T]:
        """The last call, after `warm` calls that do not count."""
        for _ in range(warm):
            work()
        cuda = self.device.type == "cuda"
        self.wait()
        before = 0
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
            before = torch.cuda.memory_allocated(self.device)
        start = perf_counter()
        result = work()
        self.wait()
        seconds = perf_counter() - start
        peak = (torch.cuda.max_memory_allocated(self.device) - before) / 1e9 if cuda else None
        return Timed(seconds, peak, result)

    def wait(self) -> None:
        """Until the device has done all it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def record(self, section: str, **values: object) -> None:
        """Keep a row, and print it at once: a run that is cut short has said what it knew."""
        self.rows.append({"section": section, **values})
        self._console.print(
            f"[{section}] " + "  ".join(f"{name} {_text(value)}" for name, value in values.items()),
            markup=False,
        )

    def print_tables(self) -> None:
        """All rows, a table per section."""
        for section in dict.fromkeys(row["section"] for row in self.rows):
            rows = [row for row in self.rows if row["section"] == section]
            headings = [name for name in dict.fromkeys(n for row in rows for n in row) if name != "section"]
            table = Table(title=str(section))
            for heading in headings:
                table.add_column(heading, justify="right")
            for row in rows:
                table.add_row(*(_text(row[name]) if name in row else "" for name in headings))
            self._console.print(table)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
