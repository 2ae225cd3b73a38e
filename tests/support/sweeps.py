"""What a sweep sums over, from a single result."""

from __future__ import annotations

from intruder_tui.findings.sweep import Examined
from intruder_tui.results import MatrixResult


def matrix_members(result: MatrixResult) -> list[Examined]:
    """One matrix; none where it is unchanged."""
    return [] if result.unchanged else [Examined(result.summary(), min(result.shape))]
