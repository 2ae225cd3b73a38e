"""Followed intruders drawn: rank, singular value and best cosine over the steps of a run (Fig. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.table import Table
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.findings.tracks import LINK, FollowedStep, Track, tracks
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import Curve, Plot, beside

DRAWN = 6
"""Tracks that are plotted and listed; the strongest intruders first."""
GAP = 2
"""Columns between the plots."""
MARGIN = 0.1
"""Share of the singular values' range that stays free above and below them."""
NARROW = 84
"""Columns below which the two plots stand one above the other."""


@dataclass(frozen=True, eq=False)
class TracksView:
    """A rich renderable: singular value and best cosine over the steps, and a table with the ranks.

    Attributes:
        steps: in order.
        lines: for the plots.
    """

    steps: Sequence[FollowedStep]
    definition: Definition
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 14

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Plots, table, what is missing, what a track is."""
        tone = tones(self.mode)
        found = tracks(self.steps, self.definition)
        shown = found[:DRAWN]
        if shown and sum(step.vectors is not None for step in self.steps) > 1:
            plots = [self._sigmas(shown), self._cosines(shown)]
            names = [f"singular value {self.glyphs.sigma}", "best |cos|"]
            if options.max_width >= NARROW:
                half = (options.max_width - GAP) // 2 + GAP
                yield Text(f"{names[0]:<{half}}{names[1]}", tone.strong, no_wrap=True)
                yield from beside(console, options, plots, GAP)
            else:
                for name, plot in zip(names, plots, strict=True):
                    yield Text(name, tone.strong)
                    yield plot
            yield Text()
        if shown:
            yield self._table(shown, options.max_width)
        if len(found) > DRAWN:
            yield Text(f"{len(found) - DRAWN} more", tone.muted)
        yield Text(self._words(found), tone.muted)

    def _words(self, found: Sequence[Track]) -> str:
        known = sum(step.vectors is not None for step in self.steps)
        parts = []
        if known and not found:
            analysed = sum(step.similarity is not None for step in self.steps)
            parts.append(
                f"No intruder in the top {self.definition.k} of {self._counted(analysed)} analysed, side "
                f"{self.definition.side}."
            )
        missing = [step for step in self.steps if step.vectors is None]
        if missing:
            notes = list(dict.fromkeys(step.note for step in missing if step.note))
            parts.append(
                f"The vectors of {known} of {self._counted(len(self.steps))} are known"
                + "".join(f"; {printable(note, 120)}" for note in notes[:2])
                + "."
            )
        parts.append(
            f"A track joins vectors of neighbouring {self._noun}s that lie nearest to each other; link is "
            f"their |cos|, {LINK:.2f} or more."
        )
        return " ".join(parts)

    @property
    def _noun(self) -> str:
        return "step" if all(step.step is not None for step in self.steps) else "checkpoint"

    def _counted(self, count: int) -> str:
        return numbers.plural(count, self._noun)

    def _curves(self, shown: Sequence[Track], cosine: bool) -> list[Curve]:
        x = np.array(axis_of(self.steps)[1])
        curves = []
        for track in shown:
            values = [
                np.nan if p is None or (value := p.upper if cosine else p.sigma) is None else value
                for p in track.points
            ]
            curves.append(Curve(track_name(track), x, np.array(values), points=True))
        return curves

    def _sigmas(self, shown: Sequence[Track]) -> Plot:
        known = [point.sigma for track in shown for point in track.points if point is not None]
        low, high = min(known), max(known)
        margin = MARGIN * ((high - low) or high or 1.0)
        return Plot(
            self._curves(shown, False),
            axis_of(self.steps)[0],
            (max(0.0, low - margin), high + margin),
            whole_x=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=self.lines,
        )

    def _cosines(self, shown: Sequence[Track]) -> Plot:
        eps = self.definition.eps
        return Plot(
            self._curves(shown, True),
            axis_of(self.steps)[0],
            (0.0, 1.0),
            level=(eps, f"{self.glyphs.eps} {eps:.2f}"),
            whole_x=True,
            mode=self.mode,
            glyphs=self.glyphs,
            lines=self.lines,
        )

    def _table(self, shown: Sequence[Track], width: int) -> Table:
        tone, glyphs = tones(self.mode), self.glyphs
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=tone.muted)
        table.add_column("", no_wrap=True)
        places = _spread(len(self.steps), max(2, (width - 14) // 12))
        axis = axis_of(self.steps)[1]
        for place in places:
            table.add_column(f"{axis[place]:.0f}", justify="right", no_wrap=True)
        for number, track in enumerate(shown):
            sign = glyphs.curves[number % len(glyphs.curves)]
            rows: tuple[tuple[str, list[str]], ...] = (
                (f"{sign} rank j", [self._cell(track, place, "j") for place in places]),
                (f"  {glyphs.sigma}", [self._cell(track, place, "sigma") for place in places]),
                ("  best |cos|", [self._cell(track, place, "best") for place in places]),
                ("  link", [self._cell(track, place, "link") for place in places]),
            )
            for which, (name, cells) in enumerate(rows):
                styles = [self._style(track, place) if which < 3 else tone.muted for place in places]
                table.add_row(
                    Text(name, tone.strong if which == 0 else tone.muted),
                    *(Text(cell, style) for cell, style in zip(cells, styles, strict=True)),
                )
        return table

    def _style(self, track: Track, place: int) -> Style:
        tone, point = tones(self.mode), track.points[place]
        return tone.accent if point is not None and point.intruder else tone.text

    def _cell(self, track: Track, place: int, what: str) -> str:
        point, glyphs = track.points[place], self.glyphs
        if point is None:
            return glyphs.idle if self.steps[place].vectors is None else glyphs.dash
        match what:
            case "j":
                return str(point.j)
            case "sigma":
                return numbers.three_digits(point.sigma)
            case "link":
                first = all(p is None for p in track.points[:place])
                return glyphs.dash if first else f"{point.link:.2f}"
        if point.lower is None or point.upper is None:
            return glyphs.idle
        return numbers.cosine(point.lower, point.upper, eps=self.definition.eps, glyphs=glyphs)


def axis_of(steps: Sequence[FollowedStep]) -> tuple[str, list[float]]:
    """What x is and where every step stands: training steps, or places where one is unknown or two agree."""
    known = [step.step for step in steps if step.step is not None]
    if len(known) == len(steps) and len(set(known)) == len(known):
        return "step", [float(step) for step in known]
    return "place", [float(place) for place in range(1, len(steps) + 1)]


def track_name(track: Track) -> str:
    """The name of a track: the rank where it was seen last."""
    return f"j {track.last.j}" if track.points[-1] is not None else f"last at j {track.last.j}"


def _spread(count: int, most: int) -> list[int]:
    """At most `most` places out of `count`, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(n * (count - 1) / (most - 1)) for n in range(most)})
