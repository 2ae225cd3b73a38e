"""One tuned vector against the base's vectors (Fig. 2c): |cos| over the base's ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.floors import floor_of
from intruder_tui.results import Floats, MatrixResult
from intruder_tui.studies.cosines import Cosines
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.plot import MARGIN
from intruder_tui.views.ticks import label, ticks

SLACK = 1e-5
"""What float32 leaves uncertain of a sum of squares near 1."""


@dataclass(frozen=True, eq=False, slots=True)
class VectorProfile:
    """What is known of tuned vector j against the base.

    Attributes:
        j, sigma: its rank, and its singular value in W1.
        cosines: [b] float32, |cos| with base vectors i < b; empty where only bounds are known.
        q: how many base vectors there are; those of a numerically zero singular value are left out where the
            whole matrix is known.
        lower, upper: bounds of best(j) over all q of them.
        match: argbest(j); None where unknown.
        verdict: at the definition's eps.
        floor: best(j) of a random direction.
    """

    j: int
    sigma: float
    cosines: Floats
    q: int
    lower: float
    upper: float
    match: int | None
    verdict: Verdict
    floor: float

    @property
    def beyond(self) -> int:
        """How many base vectors have no single cosine here; best(j) covers them all the same."""
        return self.q - len(self.cosines)

    @property
    def energy(self) -> float:
        """The share of the vector that lies in the span of the base vectors shown, at most 1."""
        return min(1.0, float(np.square(self.cosines, dtype=np.float64).sum()))

    @property
    def most_beyond(self) -> float:
        """No base vector beyond those shown can have a larger |cos|.

        Squares of cosines with orthonormal vectors sum to at most 1, and best(j) bounds each of them.
        """
        return min(math.sqrt(max(0.0, 1 - self.energy) + SLACK), self.upper)


def profile(
    result: MatrixResult, j: int, definition: Definition, whole: Cosines | None = None
) -> VectorProfile:
    """The profile of tuned vector j; with the `whole` matrix of the side in force every cosine is in it.

    Raises:
        IndexError: j is beyond the vectors that the result holds.
    """
    side = result.side(definition.side)
    if not 0 <= j < len(side.lower):
        raise IndexError(f"tuned vector {j}: the result holds {len(side.lower)}")
    known = side.block[:, j] if j < len(side.block) else np.empty(0, np.float32)
    known = known[~np.isnan(known)]
    if whole is not None and j < whole.shape[1]:
        known = whole.window(0, whole.shape[0], j, j + 1)[:, 0]
    return VectorProfile(
        j,
        float(result.sigma_tuned[j]),
        known,
        min(result.shape) if whole is None else max(len(known), 1),
        float(side.lower[j]),
        float(side.upper[j]),
        int(side.index[j]) if side.index[j] >= 0 else None,
        side.verdict(j, definition.eps),
        floor_of(result.shape, definition.side),
    )


def vector_sentence(one: VectorProfile, eps: float, glyphs: Glyphs = UNICODE) -> str:
    """Its best match and verdict, then what the plot does not show."""
    best = numbers.cosine(one.lower, one.upper, decimals=3, eps=eps, glyphs=glyphs)
    at = "" if one.match is None else f" at base {one.match}"
    head = (
        f"Tuned vector {one.j}, {glyphs.sigma} {numbers.three_digits(one.sigma)}: best |cos| {best}{at} "
        f"over all {one.q} base vectors, {one.verdict.value} at {glyphs.eps} {eps:.2f}."
    )
    if not len(one.cosines):
        return f"{head} Single cosines are not known, only this bound."
    if not one.beyond:
        return head
    most = one.most_beyond
    return f"{head} {one.beyond} of them lie beyond the {len(one.cosines)} shown; best(j) covers them" + (
        f", and none exceeds {numbers.ceiling(most, 3)}." if most < one.upper else "."
    )


@dataclass(frozen=True, eq=False)
class VectorPlot:
    """A rich renderable: the sentence, then a bar per base vector; several to a column show the largest.

    The axis runs from 0 to 1 with eps and the random floor drawn across; the best match is marked.
    """

    profile: VectorProfile
    eps: float
    mode: ColourMode = ColourMode.TRUECOLOR
    glyphs: Glyphs = UNICODE
    lines: int = 16

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Sentence, plot, axis, legend."""
        tone = tones(self.mode)
        one, glyphs = self.profile, self.glyphs
        sentence = Text(vector_sentence(one, self.eps, glyphs))
        yield sentence
        cosines = one.cosines
        width = options.max_width - MARGIN
        height = self.lines - 2 - len(sentence.wrap(console, options.max_width))
        if not len(cosines) or width < 10 or height < 3:
            return
        size = max(1, min(6, width // len(cosines)))
        step = math.ceil(len(cosines) / width)
        bars = [float(cosines[at : at + step].max()) for at in range(0, len(cosines), step)]
        eps_line = self._line(self.eps, height)
        floor_line = self._line(one.floor, height)
        labels = {self._line(value, height): label(value) for value in ticks(0, 1, max(2, height // 2))}
        at_eps = f"{glyphs.eps} {self.eps:.2f}"
        labels[eps_line] = at_eps if len(at_eps) <= MARGIN - 2 else glyphs.eps
        steps = len(glyphs.heights) - 1
        match = None if one.match is None or one.match >= len(cosines) else one.match // step
        for line in range(height):
            yield Segment(f"{labels.get(line, ''):>{MARGIN - 2}} {glyphs.upright}", tone.muted)
            across = glyphs.across if line == eps_line else glyphs.floor if line == floor_line else " "
            for place, value in enumerate(bars):
                filled = value * height - (height - 1 - line)
                level = round(min(max(filled, 0), 1) * steps)
                if line == height - 1 and value > 0:
                    level = max(level, 1)
                style = tone.active if place == match else tone.text
                if level == 0:
                    yield Segment(across * size, tone.accent if line == eps_line else tone.muted)
                    continue
                body = max(1, size - 1) if size > 1 else 1
                yield Segment(glyphs.heights[level] * body, style)
                yield Segment(across * (size - body), tone.accent if line == eps_line else tone.muted)
            yield Segment.line()
        yield Segment(f"{'base i':>{MARGIN - 1}} {self._axis(len(cosines), step, size)}", tone.muted)
        yield Segment.line()
        yield from self._legend(step, match, options.max_width)
        yield Segment.line()

    def _line(self, value: float, height: int) -> int:
        return height - 1 - min(int(value * height), height - 1)

    def _axis(self, count: int, step: int, size: int) -> str:
        columns = math.ceil(count / step) * size
        cells = [" "] * columns
        end = -1
        for base in ticks(0, count - 1, max(2, columns // 8), whole=True):
            start, text = int(base) // step * size, label(base)
            if start > end and start + len(text) <= columns:
                cells[start : start + len(text)] = text
                end = start + len(text)
        return "".join(cells).rstrip()

    def _legend(self, step: int, match: int | None, width: int) -> list[Segment]:
        """The signs and what a bar stands for; a short line does without the margin, then the last."""
        tone, glyphs = tones(self.mode), self.glyphs
        entries = [
            [Segment(glyphs.across * 2, tone.accent), Segment(f" {glyphs.eps} {self.eps:.2f}", tone.muted)],
            [Segment(f"{glyphs.floor * 2} random {self.profile.floor:.2f}", tone.muted)],
        ]
        if step > 1:
            entries.append([Segment(f"a bar: max of {step}", tone.muted)])
        if match is not None:
            entries.append([Segment(glyphs.heights[-1], tone.active), Segment(" best match", tone.muted)])
        for kept, margin, gap in (
            (len(entries), MARGIN, 3),
            (len(entries), 0, 3),
            (len(entries), 0, 2),
            (len(entries) - 1, 0, 2),
        ):
            segments = [Segment(" " * margin, tone.muted)]
            for number, entry in enumerate(entries[:kept]):
                segments += [Segment(" " * gap if number else "", tone.muted), *entry]
            if Segment.get_line_length(segments) <= width:
                break
        return segments
