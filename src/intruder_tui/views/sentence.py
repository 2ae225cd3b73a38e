"""What was found, in words: facts first, inferences marked as such and with their source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from intruder_tui.definition import Definition, Verdict
from intruder_tui.results import MatrixResult
from intruder_tui.views import numbers
from intruder_tui.views.floors import floor_of
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.update import warning

FORGETTING = (
    "More intruders went with more forgetting at equal accuracy: Spearman 0.97 on RoBERTa, 0.59 on "
    "Llama-2-7B (arXiv 2410.21228 v3)."
)


UNRELATED_BELOW = 0.3
"""Cosine of W0 and W1, as vectors, below which they are hardly versions of one weight."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What a fact may mean for the model; `text` names its source."""

    text: str

    def __str__(self) -> str:
        return f"Inference: {self.text}"


class Totals(Protocol):
    """The sums over a session that a sentence speaks of (see `engine.session.Totals`)."""

    @property
    def intruders(self) -> int: ...
    @property
    def carriers(self) -> int: ...
    @property
    def undecided(self) -> int: ...
    @property
    def borderline(self) -> int: ...
    @property
    def clustered(self) -> int: ...
    @property
    def answered(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def matrices(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Strongest:
    """The intruder with the smallest best(j): the matrix's short name, its rank, bounds of best(j)."""

    matrix: str
    j: int
    lower: float
    upper: float


def session_sentence(
    totals: Totals, strongest: Strongest | None, definition: Definition, glyphs: Glyphs = UNICODE
) -> str:
    """One line on a whole checkpoint: how many intruders, in how many matrices, the strongest."""
    if totals.matrices == 0:
        return "No weight matrix can be compared."
    if totals.answered == 0:
        parts = [f"{numbers.plural(totals.matrices, 'matrix', 'matrices')}, none analysed yet"]
    else:
        whole = totals.answered == totals.matrices
        matrices = numbers.plural(totals.answered, "matrix", "matrices")
        scope = matrices if whole else f"{matrices} analysed so far"
        if totals.intruders == 0:
            parts = [f"No intruder dimension in the top {definition.k} of {scope}"]
        else:
            count = numbers.plural(totals.intruders, "intruder dimension")
            parts = [f"{count} in {totals.carriers} of {scope}"]
    if strongest is not None:
        best = numbers.cosine(strongest.lower, strongest.upper, eps=definition.eps, glyphs=glyphs)
        parts.append(f"strongest: {strongest.matrix}, {glyphs.sigma} rank {strongest.j}, best match {best}")
    for number, verdict in (
        (totals.undecided, Verdict.UNDECIDED),
        (totals.borderline, Verdict.BORDERLINE),
        (totals.clustered, Verdict.CLUSTERED),
    ):
        if number:
            parts.append(f"{number} {verdict.value}")
    if totals.failed:
        parts.append(f"{totals.failed} failed")
    return "; ".join(parts)


def matrix_sentence(result: MatrixResult, definition: Definition, glyphs: Glyphs = UNICODE) -> str:
    """The finding on one matrix: which vectors match no base vector, or how well they all match."""
    if result.unchanged:
        return "Unchanged: the tuned weight equals the base weight."
    similarity = result.side(definition.side)
    verdicts = similarity.verdicts(definition)
    found = [j for j, v in enumerate(verdicts) if v is Verdict.INTRUDER]
    open_ones = any(v.open for v in verdicts)
    setting = f"{definition.side.value} side, {glyphs.eps} {definition.eps:.2f}"

    def best(j: int) -> str:
        lower, upper = float(similarity.lower[j]), float(similarity.upper[j])
        return numbers.cosine(lower, upper, eps=definition.eps, glyphs=glyphs)

    if found:
        few = found[:4]
        listed = _listed([str(j) for j in few], len(found) - len(few))
        bests = ", ".join(best(j) for j in few) + (", ..." if len(found) > len(few) else "")
        verb = "matches" if len(found) == 1 else "match"
        sentence = f"{listed} {verb} no base vector (best {bests}; {setting})"
    elif open_ones:
        sentence = f"None of the top {len(verdicts)} is certainly an intruder ({setting})"
    else:
        weakest = min(range(len(verdicts)), key=lambda j: float(similarity.lower[j]))
        sentence = f"All top {len(verdicts)} match a base vector; weakest {weakest}"
        sentence += f" at {best(weakest)} ({setting})"
    for verdict, why in (
        (Verdict.UNDECIDED, f"{glyphs.eps} lies within the bounds"),
        (Verdict.BORDERLINE, f"{glyphs.eps} lies within the numerical error"),
        (Verdict.CLUSTERED, "the span of tied base vectors matches, no single one does"),
    ):
        if count := verdicts.count(verdict):
            sentence += f"; {count} {verdict.value}: {why}"
    if len(verdicts) < definition.k:
        sentence += f"; {len(verdicts)} of k = {definition.k} are known"
    return sentence + "."


def remarks(result: MatrixResult, definition: Definition) -> list[str]:
    """Further facts on a matrix, a sentence each, the most telling first."""
    if result.unchanged:
        return []
    floor = floor_of(result.shape, definition.side)
    update = result.update
    facts = []
    if result.weight_cosine is not None and result.weight_cosine < UNRELATED_BELOW:
        facts.append(
            f"The cosine of the two weights is {result.weight_cosine:.2f}; a fine-tuned one is near 1: these "
            "look unrelated, permuted or transposed."
        )
    if doubt := warning(update):
        facts.append(doubt)
    size = f"dW is {numbers.percent(update.relative_norm)} of W0 in norm"
    if update.effective_rank is not None:
        size += f", effective rank {update.effective_rank:.1f}"
    facts.append(size + ".")
    facts.append(f"A random direction would reach about {floor:.2f}.")
    m, n = result.shape
    if (definition.side.value == "U") == (m > n) and m != n:
        space = "output" if m > n else "input"
        facts.append(f"The base's {min(m, n)} vectors do not span the {space} space: best(j) can reach 0.")
    facts.extend(result.notes)
    return facts


def inferences(count: int) -> list[Inference]:
    """What a count may mean; nothing where there is nothing to infer from."""
    return [Inference(FORGETTING)] if count else []


def _listed(names: list[str], more: int) -> str:
    if more:
        return ", ".join(names) + f" and {more} more"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
