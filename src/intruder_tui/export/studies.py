"""Studies as data: what another scaling leads to, and intruders followed over a run, for JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from intruder_tui.definition import Definition, Side
from intruder_tui.export.tables import csv_text
from intruder_tui.findings.tracks import FollowedStep, Point, tracks
from intruder_tui.studies.answers import Scalings
from intruder_tui.views.scalings import carried

SCALING_COLUMNS = (
    "matrix",
    "side",
    "k",
    "eps",
    "scaling",
    "multiple",
    "intruders",
    "intruders_possible",
    "j",
    "sigma_tuned",
    "best_cosine_lower",
    "best_cosine_upper",
    "best_index",
    "component",
    "component_share",
)


def scalings_document(scalings: Scalings, at: int, definition: Definition) -> dict[str, Any]:
    """The grid, cut to the definition's k, and the slider's place in it."""
    k = definition.k
    sides = {}
    for side in Side:
        spread = scalings.side(side)
        certain, possible = scalings.counts(Definition(side, k, definition.eps))
        sides[side.value] = {
            "intruders": certain.tolist(),
            "intruders_possible": possible.tolist(),
            "best_cosine_lower": spread.lower[:, :k].tolist(),
            "best_cosine_upper": spread.upper[:, :k].tolist(),
            "best_index": spread.index[:, :k].tolist(),
            "component_shares": spread.shares[:, :k].tolist(),
        }
    return {
        "scalings": scalings.scalings.tolist(),
        "multiples": scalings.multiples.tolist(),
        "own": scalings.own,
        "slider": at,
        "adapter_rank": scalings.adapter_rank,
        "sigma_tuned": scalings.sigma[:, :k].tolist(),
        "sigma_update_components": scalings.components.tolist(),
        "sides": sides,
    }


def scalings_csv(name: str, scalings: Scalings, definition: Definition) -> str:
    """A line for every scaling and examined vector; a cell without a value is empty."""
    certain, possible = scalings.counts(definition)
    return csv_text(
        SCALING_COLUMNS,
        (
            {
                "matrix": name,
                "side": str(definition.side),
                "k": definition.k,
                "eps": definition.eps,
                "scaling": float(value),
                "multiple": float(scalings.multiples[at]),
                "intruders": int(certain[at]),
                "intruders_possible": int(possible[at]),
                "j": row.j,
                "sigma_tuned": row.sigma,
                "best_cosine_lower": row.lower,
                "best_cosine_upper": row.upper,
                "best_index": "" if row.match is None else row.match,
                "component": row.parts[0][0] if row.parts else "",
                "component_share": row.parts[0][1] if row.parts else "",
            }
            for at, value in enumerate(scalings.scalings)
            for row in carried(scalings, at, definition, most=definition.k)
        ),
    )


def tracks_document(name: str, steps: Sequence[FollowedStep], definition: Definition) -> dict[str, Any]:
    """Every followed intruder: a point a step, null where it is not among the kept vectors."""
    return {
        "matrix": name,
        "steps": [
            {"label": step.label, "step": step.step, "vectors": step.vectors is not None} for step in steps
        ],
        "tracks": [
            [None if point is None else _point(point) for point in track.points]
            for track in tracks(steps, definition)
        ],
    }


def _point(point: Point) -> dict[str, Any]:
    known = point.lower is not None
    return {
        "j": point.j,
        "sigma_tuned": point.sigma,
        "link": point.link,
        "best_cosine_bounds": [point.lower, point.upper] if known else None,
        "intruder": point.intruder,
    }
