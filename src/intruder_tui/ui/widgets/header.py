"""The header line: which checkpoints, the definition in force, the device, progress of a scan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text
from textual import events

from intruder_tui.definition import Definition
from intruder_tui.findings.tally import Totals
from intruder_tui.ui.look import Look
from intruder_tui.ui.studying import UnderWay
from intruder_tui.ui.widgets.line import Line
from intruder_tui.views import numbers
from intruder_tui.views.naming import fitted

BAR = 12
LABEL, SHORT_LABEL = 24, 10
"""Cells of another checkpoint's label, where there is room and where there is little."""


@dataclass(frozen=True, slots=True)
class HeaderState:
    """What the header tells; `position` is (this one, of how many) tuned ones, `left` seconds to go.

    `paused` says that only what a person looks at is computed; `study` is what was asked for beside that.
    `elsewhere` is another tuned checkpoint that is being scanned, with its sums. `scanning` says that what is
    pending is of several matrices: one alone has no bar.
    """

    base: str
    tuned: str
    position: tuple[int, int]
    definition: Definition
    device: str
    totals: Totals
    left: float | None
    paused: bool = False
    study: UnderWay | None = None
    elsewhere: tuple[str, Totals] | None = None
    scanning: bool = False


def header_text(state: HeaderState, look: Look, width: int) -> Text:
    """The line, fitted: the device goes first, then the progress bar, words on a study, ends of the names."""
    glyphs, tones = look.glyphs, look.tones
    definition = state.definition
    which = f" ({state.position[0]}/{state.position[1]})" if state.position[1] > 1 else ""
    names = f"{state.base} {glyphs.arrow} {state.tuned}{which}"
    settings = f"side {definition.side.value}   k {definition.k}   {glyphs.eps} {definition.eps:.2f}".replace(
        "   ", "  " if width < 90 else "   "
    )
    device = state.device.replace("NVIDIA ", "")
    least = min(cell_len(names), 24 if state.study is None else 16)
    for parts in _choices(settings, device, *_progress(state, look), state.study):
        right = "   ".join(part for part in parts if part)
        room = width - cell_len(right) - 3
        if room >= least:
            break
    left = Text(names, tones.strong)
    left.truncate(max(room, 8), overflow="ellipsis")
    gap = max(2, width - cell_len(left.plain) - cell_len(right))
    rest = right.removeprefix(settings)
    return Text.assemble(left, " " * gap, (settings, tones.text), (rest, tones.muted), no_wrap=True)


def _choices(
    settings: str, device: str, bar: str, count: str, study: UnderWay | None
) -> list[tuple[str, ...]]:
    if study is None:
        return [(settings, device, bar), (settings, device, count), (settings, count), (settings,)]
    whole, *shorter, shortest = study.variants()
    return [
        (settings, device, bar, whole),
        (settings, bar, whole),
        *((settings, count, one) for one in shorter),
        (settings, count, shortest),
        (settings, shortest),
        (settings,),
    ]


def _progress(state: HeaderState, look: Look) -> tuple[str, str]:
    totals = state.totals
    if not totals.pending or not (state.scanning or state.paused):
        if state.elsewhere is not None:
            return _elsewhere(*state.elsewhere, look, paused=state.paused)
        return ("paused", "paused") if state.paused else ("", "")
    done, matrices = _done(totals)
    count = f"{done}/{matrices}"
    left = "" if state.left is None else f" {numbers.duration(state.left)}"
    if state.paused:
        left = " paused"
    full = round(BAR * done / matrices) if matrices else 0
    fill, ends = ("█", "▕▏") if look.glyphs.half else ("=", "[]")
    bar = f"{count} {ends[0]}{fill * full}{' ' * (BAR - full)}{ends[1]}{left}"
    return bar, count + left


def _done(totals: Totals) -> tuple[int, int]:
    """How many matrices are over and done with, of how many that differ from the base's."""
    analysed, matrices = totals.progress
    return analysed + totals.failed, matrices


def _elsewhere(label: str, totals: Totals, look: Look, *, paused: bool) -> tuple[str, str]:
    """How far another checkpoint's scan is, in full and short."""
    words = "paused" if paused else "scanning"
    count = "{}/{}".format(*_done(totals))
    name = fitted(label, LABEL, look.glyphs.ellipsis)
    return f"{words} {name}: {count}", f"{words} {fitted(label, SHORT_LABEL, look.glyphs.ellipsis)}: {count}"


class HeaderLine(Line):
    """Shows a `HeaderState`, fitted to its width."""

    def __init__(self, look: Look) -> None:
        super().__init__(id="header", ellipsis=look.glyphs.ellipsis)
        self._look = look
        self._state: HeaderState | None = None

    def tell(self, state: HeaderState) -> None:
        """Show another state."""
        self._state = state
        if self.size.width:
            self.show(header_text(state, self._look, self.size.width))

    def run_down(self, left: float | None, study: UnderWay | None) -> None:
        """Show how much time is left by now, and how far a study is."""
        if self._state is not None and (self._state.left, self._state.study) != (left, study):
            self.tell(replace(self._state, left=left, study=study))

    def on_resize(self, event: events.Resize) -> None:
        """Fit the line anew."""
        if self._state is not None:
            self.tell(self._state)
