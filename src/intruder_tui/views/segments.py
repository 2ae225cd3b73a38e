"""A line of segments, as few as it needs."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment


def merged(segments: Iterable[Segment]) -> list[Segment]:
    """Neighbours of one style joined: fewer segments are fewer bytes on a slow line."""
    joined: list[Segment] = []
    for segment in segments:
        if not segment.text:
            continue
        if joined and joined[-1].style == segment.style:
            joined[-1] = Segment(joined[-1].text + segment.text, segment.style)
        else:
            joined.append(segment)
    return joined
