"""What decides an answer, and so the key it is kept under: contents, how they are read, settings, algorithm.

Keys are hexadecimal digests of nothing but these: a copied or moved checkpoint finds its answers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from intruder_tui.checkpoint.pairs import MatrixPair
from intruder_tui.checkpoint.recipes import Recipe, describe, tensors
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.contents import Contents, digest
from intruder_tui.engine.jobs import Depth, Job, Study

ALGORITHM = 5
"""Raised whenever the same input would give another result: older entries are then never found."""

STUDY_ALGORITHM = 2
"""The same for studies."""


def result_key(job: Job, contents: Contents) -> str | None:
    """The key of a job's result; None while some tensor's content hash is unknown."""
    known = contents.of_all(_tensors(job.pair))
    return None if known is None else digest(result_inputs(job, known.__getitem__))


def result_inputs(job: Job, content: Callable[[StoredTensor], str]) -> dict[str, Any]:
    """All that decides a job's result, JSON-able; `content` gives a tensor's content hash."""
    decides = {"k": job.k, "eps": job.eps} if job.depth is Depth.VERDICT else {}
    return {
        "algorithm": ALGORITHM,
        "depth": job.depth,
        **decides,
        "base": describe(job.pair.base, content),
        "tuned": describe(job.pair.tuned, content),
    }


def factors_key(base: Recipe, contents: Contents) -> str | None:
    """The key of a base matrix's factors; None while some tensor's content hash is unknown."""
    known = contents.of_all(tensors(base))
    if known is None:
        return None
    return digest({"algorithm": ALGORITHM, "factors of": describe(base, known.__getitem__)})


def study_key(study: Study, contents: Contents) -> str | None:
    """The key of a study's answer; None while some tensor's content hash is unknown."""
    known = contents.of_all(_tensors(study.pair))
    if known is None:
        return None
    return digest(
        {
            "algorithm": STUDY_ALGORITHM,
            "study": study.kind,
            "side": study.side,
            "base": describe(study.pair.base, known.__getitem__),
            "tuned": describe(study.pair.tuned, known.__getitem__),
        }
    )


def _tensors(pair: MatrixPair) -> Iterator[StoredTensor]:
    yield from tensors(pair.base)
    yield from tensors(pair.tuned)
