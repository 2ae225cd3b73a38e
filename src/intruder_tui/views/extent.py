"""Which vectors a similarity map shows: a square window of ranks that zooms and pans."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALLEST = 4
"""Vectors along an edge of the closest zoom."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Base vectors top .. top + span - 1 by tuned vectors left .. left + span - 1."""

    top: int
    left: int
    span: int

    def within(self, size: int) -> Extent:
        """The same window, moved and shrunk as far as a size x size matrix makes it necessary."""
        span = max(1, min(self.span, size))
        return Extent(min(max(0, self.top), size - span), min(max(0, self.left), size - span), span)

    def holds(self, base: int, tuned: int) -> bool:
        """Whether a cosine lies in the window."""
        return base in range(self.top, self.top + self.span) and tuned in range(
            self.left, self.left + self.span
        )

    def reaching(self, base: int, tuned: int, size: int) -> Extent:
        """The window, moved where it has to be so that it holds a cosine.

        It moves by a quarter of its span at least: a window that follows a cursor step by step is written
        anew on every step.
        """
        return replace(self, top=self._moved(self.top, base), left=self._moved(self.left, tuned)).within(size)

    def _moved(self, start: int, wanted: int) -> int:
        leap = max(1, self.span // 4)
        if wanted < start:
            return min(wanted, start - leap)
        if wanted >= start + self.span:
            return max(wanted - self.span + 1, start + leap)
        return start

    def zoomed(self, step: int, cursor: tuple[int, int], k: int, size: int) -> Extent:
        """The next window out (`step` 1) or in (-1), the cursor (base, tuned) where it was within it.

        Spans are k times powers of two, and the whole matrix: zooming in and out meets k x k again.
        """
        spans = {size, min(k, size)}
        span = k
        while (span := span * 2) < size:
            spans.add(span)
        span = min(k, size)
        while (span := span // 2) >= SMALLEST:
            spans.add(span)
        ordered = sorted(spans)
        wider, closer = (
            next((one for one in ordered if one > self.span), self.span),
            next((one for one in reversed(ordered) if one < self.span), self.span),
        )
        new = wider if step > 0 else closer
        base, tuned = cursor
        down, right = (
            # Rounded up, so that a window at an edge of the matrix stays there.
            min(-(-offset * new // self.span), new - 1)
            for offset in (base - self.top, tuned - self.left)
        )
        return Extent(base - down, tuned - right, new).within(size)


def leading(k: int, size: int) -> Extent:
    """The window of the k highest-ranking vectors on both sides."""
    return Extent(0, 0, max(1, min(k, size)))
