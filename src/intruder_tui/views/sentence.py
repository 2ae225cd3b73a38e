"""What was found, in words: facts first, inferences marked as such and with their source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.definition import Definition, Verdict
from intruder_tui.findings.floors import floor_of
from intruder_tui.findings.intruders import MIXING
from intruder_tui.findings.kinship import UNRELATED_BELOW, Kinship, kinship
from intruder_tui.findings.tally import Strongest, Totals
from intruder_tui.results import MatrixResult, Similarity
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.update import warning

FORGETTING = (
    "More intruders went with more forgetting at equal accuracy: Spearman 0.97 on RoBERTa, 0.59 on "
    "Llama-2-7B (arXiv 2410.21228 v3)."
)


@dataclass(frozen=True, slots=True)
class Inference:
    """What a fact may mean for the model; `text` names its source."""

    text: str

    def __str__(self) -> str:
        return f"Inference: {self.text}"


def session_sentence(
    totals: Totals, strongest: Strongest | None, definition: Definition, glyphs: Glyphs = UNICODE
) -> str:
    """One line on a whole checkpoint: how many intruders, in how many matrices, the strongest.

    `strongest` goes by the name that is to be read.
    """
    if totals.matrices == 0:
        return "; ".join(["No weight matrix can be compared", *without_answer(totals)]) + "."
    left = totals.matrices - totals.answered - totals.failed
    if totals.answered == totals.unchanged and left:
        unknown = numbers.plural(totals.matrices - totals.unchanged, "matrix", "matrices")
        others = f", {totals.unchanged} unchanged" if totals.unchanged else ""
        parts = [f"{unknown}, none analysed yet{others}"]
    elif totals.answered == 0:
        parts = [f"{numbers.plural(totals.matrices, 'matrix', 'matrices')}, none analysed"]
    elif not totals.changed:
        matrices = numbers.plural(totals.answered, "matrix", "matrices")
        parts = [f"{matrices}{' analysed' if totals.failed else ''}, none of them changed: dW is zero"]
    else:
        matrices = numbers.plural(totals.answered, "matrix", "matrices")
        scope = matrices
        if left:
            analysed = numbers.plural(totals.answered - totals.unchanged, "matrix", "matrices")
            scope = f"{analysed} analysed so far"
        elif totals.failed:
            scope = f"{matrices} analysed"
        if totals.intruders == 0:
            parts = [f"No intruder dimension in the top {definition.k} of {scope}"]
        else:
            count = numbers.plural(totals.intruders, "intruder dimension")
            parts = [f"{count} in {totals.carriers} of {scope}"]
        if left and totals.unchanged:
            parts.append(f"{totals.unchanged} unchanged")
    if strongest is not None:
        best = numbers.cosine(strongest.lower, strongest.upper, eps=definition.eps, glyphs=glyphs)
        which = "strongest" if strongest.certain else "strongest known"
        parts.append(f"{which}: {strongest.name}, {glyphs.sigma} rank {strongest.j}, best match {best}")
    for number, verdict in (
        (totals.undecided, Verdict.UNDECIDED),
        (totals.borderline, Verdict.BORDERLINE),
        (totals.clustered, Verdict.CLUSTERED),
    ):
        if number:
            parts.append(f"{number} {verdict.value}")
    return "; ".join([*parts, *without_answer(totals)])


def without_answer(totals: Totals) -> list[str]:
    """How many rows failed, and how many can't be compared; nothing where all is well."""
    counted = ((totals.failed, "failed"), (totals.refused, "refused"))
    return [f"{number} {word}" for number, word in counted if number]


def base_doubt(totals: Totals) -> str:
    """The question whether this is the base at all, without a full stop; empty where nothing suggests it."""
    if not totals.base_doubtful:
        return ""
    return f"Is this the right base? Weights unrelated in {totals.unrelated} of {totals.changed}"


def outgrown(totals: Totals) -> str:
    """In how many matrices the update is larger than the weight, without a full stop; empty for none."""
    if not totals.outgrown:
        return ""
    return f"The update is larger than the weight in {totals.outgrown} of {totals.changed}"


def totals_remarks(totals: Totals) -> list[str]:
    """What the sizes of a whole checkpoint's weights and updates say, a sentence each."""
    remarks = []
    if doubt := base_doubt(totals):
        why = (
            f"cos(W0, W1) is below {UNRELATED_BELOW:.2f} there; a fine-tuned weight's is near 1, that of an "
            "unrelated, permuted or transposed one near 0"
        )
        remarks.append(f"{doubt} changed matrices: {why}.")
    if larger := outgrown(totals):
        remarks.append(f"{larger} changed matrices: dW is more than 100 % of W0 in norm there.")
    return remarks


def matrix_sentence(result: MatrixResult, definition: Definition, glyphs: Glyphs = UNICODE) -> str:
    """The finding on one matrix: which vectors match no base vector, or how well they all match."""
    if result.unchanged:
        return "Unchanged: the tuned weight equals the base weight."
    similarity = result.side(definition.side)
    verdicts = similarity.verdicts(definition)
    found = [j for j, v in enumerate(verdicts) if v is Verdict.INTRUDER]
    open_ones = any(v.open for v in verdicts)
    eps, side = f"{glyphs.eps} {definition.eps:.2f}", f"side {definition.side.value}"
    meaning = ""

    def best(j: int) -> str:
        lower, upper = float(similarity.lower[j]), float(similarity.upper[j])
        return numbers.cosine(lower, upper, eps=definition.eps, glyphs=glyphs)

    if found:
        few = found[:4]
        listed = _listed([str(j) for j in few], len(found) - len(few))
        bests = ", ".join(best(j) for j in few) + (", ..." if len(found) > len(few) else "")
        which = f"uned vector {listed} matches" if len(found) == 1 else f"uned vectors {listed} match"
        doubt, meaning = _meaning(similarity, found)
        # What turns the meaning round comes first: a narrow screen loses the end.
        sentence = f"{doubt}; t" if doubt else "T"
        sentence += f"{which} no base vector: best |cos| {bests} < {eps}, {side}"
    elif open_ones:
        sentence = f"None of the top {len(verdicts)} is certainly an intruder ({side}, {eps})"
    else:
        weakest = min(range(len(verdicts)), key=lambda j: float(similarity.lower[j]))
        sentence = f"All top {len(verdicts)} match a base vector; weakest {weakest}"
        sentence += f" at {best(weakest)} ({side}, {eps})"
    for verdict, why in (
        (Verdict.UNDECIDED, f"{glyphs.eps} lies within the bounds"),
        (Verdict.BORDERLINE, f"{glyphs.eps} lies within the numerical error"),
        (Verdict.CLUSTERED, "the span of tied base vectors matches, no single one does"),
    ):
        if count := verdicts.count(verdict):
            sentence += f"; {count} {verdict.value}: {why}"
    if len(verdicts) < definition.k:
        sentence += f"; {len(verdicts)} of k = {definition.k} are known"
    return f"{sentence}.{meaning}"


def _meaning(similarity: Similarity, found: Sequence[int]) -> tuple[str, str]:
    """What intruders are made of, as far as that is known: neighbours mixed (inferred), or new directions."""
    if similarity.traits is None:
        return "", ""
    shares = [float(similarity.traits.window_share[j]) for j in found]
    mixed = sum(share > MIXING for share in shares)
    if mixed:
        which = "Perhaps" if mixed == len(found) else f"{mixed} of {len(found)} perhaps"
        return f"{which} neighbours mixed, nothing new", ""
    return "", " A new direction." if len(found) == 1 else " New directions."


def remarks(result: MatrixResult, definition: Definition, *, built_on_base: bool = False) -> list[str]:
    """Further facts on a matrix, a sentence each, the most telling first.

    `built_on_base` where an adapter makes W1 from W0 itself.
    """
    if result.unchanged:
        return []
    floor = floor_of(result.shape, definition.side)
    update = result.update
    facts = []
    kin = kinship(result.weight_cosine, update.relative_norm, built_on_base=built_on_base)
    if kin is Kinship.UNRELATED:
        facts.append(
            f"The cosine of the two weights is {result.weight_cosine:.2f}; a fine-tuned one is near 1: these "
            "look unrelated, permuted or transposed."
        )
    size = f"dW is {numbers.percent(update.relative_norm)} of W0 in norm"
    if update.effective_rank is not None:
        size += f", effective rank {update.effective_rank:.1f}"
    if kin is Kinship.OUTGROWN:
        facts.append(f"The update is larger than the weight: {size}.")
    if doubt := warning(update):
        facts.append(doubt)
    if kin is not Kinship.OUTGROWN:
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
