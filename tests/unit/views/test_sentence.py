"""The findings in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.results import bounded, clean, planted, unchanged

from intruder_tui.definition import Definition, Side
from intruder_tui.findings.tally import Strongest, Totals
from intruder_tui.results import MatrixResult, Traits
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.sentence import (
    inferences,
    matrix_sentence,
    remarks,
    session_sentence,
    totals_remarks,
)

PAPER = Definition()


def totals(**given: int) -> Totals:
    zero = {"intruders": 0, "carriers": 0, "undecided": 0, "answered": 0, "failed": 0, "pending": 0}
    return Totals(**{**zero, "matrices": 224, **given})


@pytest.mark.parametrize(
    ("sums", "text"),
    [
        (totals(matrices=0), "No weight matrix can be compared."),
        (totals(), "224 matrices, none analysed yet"),
        (totals(answered=3), "No intruder dimension in the top 10 of 3 matrices analysed so far"),
        (totals(answered=224), "No intruder dimension in the top 10 of 224 matrices"),
        (totals(answered=24, unchanged=24), "200 matrices, none analysed yet, 24 unchanged"),
        (
            totals(answered=25, unchanged=24),
            "No intruder dimension in the top 10 of 1 matrix analysed so far; 24 unchanged",
        ),
        (totals(answered=224, unchanged=224), "224 matrices, none of them changed: dW is zero"),
        (
            totals(answered=220, unchanged=220, failed=4, refused=2),
            "220 matrices analysed, none of them changed: dW is zero; 4 failed; 2 refused",
        ),
        (totals(answered=224, unchanged=223), "No intruder dimension in the top 10 of 224 matrices"),
        (
            totals(answered=223, failed=1),
            "No intruder dimension in the top 10 of 223 matrices analysed; 1 failed",
        ),
        (totals(failed=224), "224 matrices, none analysed; 224 failed"),
        (
            totals(answered=223, failed=1, refused=2),
            "No intruder dimension in the top 10 of 223 matrices analysed; 1 failed; 2 refused",
        ),
        (totals(matrices=0, refused=2), "No weight matrix can be compared; 2 refused."),
        (
            totals(answered=112, intruders=3, carriers=2),
            "3 intruder dimensions in 2 of 112 matrices analysed so far",
        ),
        (
            totals(answered=220, intruders=1, carriers=1, undecided=2, failed=4),
            "1 intruder dimension in 1 of 220 matrices analysed; 2 undecided; 4 failed",
        ),
    ],
)
def test_a_whole_checkpoint_in_a_line(sums: Totals, text: str) -> None:
    assert session_sentence(sums, None, PAPER) == text


def test_the_strongest_is_named() -> None:
    strongest = Strongest("layers.3 q_proj", 0, 0.083, 0.083)
    text = session_sentence(totals(answered=224, intruders=1, carriers=1), strongest, PAPER)
    assert text.endswith("; strongest: layers.3 q_proj, σ rank 0, best match 0.08")
    rivalled = session_sentence(
        totals(answered=224, intruders=1, carriers=1), replace(strongest, certain=False), PAPER
    )
    assert "; strongest known: layers.3" in rivalled
    bound = replace(strongest, lower=0.0, upper=0.31)
    ascii_text = session_sentence(totals(answered=1, intruders=1, carriers=1), bound, PAPER, ASCII)
    assert ascii_text.endswith("sigma rank 0, best match <= 0.31")
    assert ascii_text.isascii()


def test_intruders_are_listed_with_their_best() -> None:
    assert (
        matrix_sentence(planted(96, 96, (1.2, 0.3)), PAPER)
        == "Tuned vectors 0 and 6 match no base vector: best |cos| 0.46, 0.38 < ε 0.50, side U."
    )


def test_what_an_intruder_is_made_of_is_said_where_it_is_known() -> None:
    plain = planted(96, 96, (1.2, 0.3))

    def made_of(share: float) -> MatrixResult:
        shares = np.full(len(plain.left.lower), 0.1, np.float32)
        shares[0] = share
        ones = np.ones(len(shares), np.int32)
        return replace(plain, left=replace(plain.left, traits=Traits(shares, shares, shares, ones, ones, 3)))

    result, mixed = made_of(0.1), made_of(0.8)
    assert matrix_sentence(result, PAPER).endswith(" New directions.")
    assert matrix_sentence(mixed, PAPER).startswith(
        "1 of 2 perhaps neighbours mixed, nothing new; tuned vectors 0 and 6 match no base vector: best "
    )
    one = replace(PAPER, k=1)
    assert matrix_sentence(mixed, one) == (
        "Perhaps neighbours mixed, nothing new; tuned vector 0 matches no base vector: best |cos| 0.46 "
        "< ε 0.50, side U."
    )
    assert matrix_sentence(result, one).endswith(" A new direction.")
    assert matrix_sentence(plain, one).endswith(", side U.")  # nothing is known of what it is made of


def test_many_intruders_are_counted() -> None:
    text = matrix_sentence(planted(96, 96, (1.2, 1.1, 1.0, 0.9, 0.8, 0.7)), PAPER)
    assert " and 2 more match no base vector: best |cos| " in text


def test_a_clean_matrix_names_its_weakest_match() -> None:
    text = matrix_sentence(clean(), replace(PAPER, side=Side.RIGHT))
    assert text.startswith("All top 10 match a base vector; weakest ")
    assert "side V" in text


def test_bounds_that_straddle_eps_are_undecided() -> None:
    result = bounded(planted(96, 96, (1.2, 0.3)))
    upper = float(result.left.upper[0])
    text = matrix_sentence(result, replace(PAPER, eps=upper - 0.01))
    assert "undecided: ε lies within the bounds" in text


def test_fewer_vectors_than_k_are_said_so() -> None:
    assert "12 of k = 40 are known" in matrix_sentence(planted(limit=12), replace(PAPER, k=40))


def test_unchanged_is_said_in_words() -> None:
    assert matrix_sentence(unchanged(), PAPER) == "Unchanged: the tuned weight equals the base weight."
    assert remarks(unchanged(), PAPER) == []


def test_remarks_hold_the_floor_the_size_and_the_notes() -> None:
    result = replace(planted(64, 48), notes=("Shapes were voted.",))
    text = " ".join(remarks(result, PAPER))
    assert "of W0 in norm" in text
    assert "random direction" in text
    assert "do not span the output space" in text
    assert "Shapes were voted." in text
    assert "span" not in " ".join(remarks(result, replace(PAPER, side=Side.RIGHT)))


def test_weights_that_are_hardly_versions_of_each_other_are_doubted_first() -> None:
    for cosine, doubted in ((0.05, True), (-0.4, True), (0.31, False), (None, False)):
        first = remarks(replace(planted(), weight_cosine=cosine), PAPER)[0]
        assert ("look unrelated, permuted or transposed" in first) is doubted
    assert "is 0.05; a fine-tuned one is near 1" in remarks(replace(planted(), weight_cosine=0.05), PAPER)[0]


def test_an_adapter_that_outgrows_its_base_is_not_called_unrelated() -> None:
    plain = planted()
    large = replace(plain, weight_cosine=0.15, update=replace(plain.update, relative_norm=6.74))
    facts = remarks(large, PAPER, built_on_base=True)
    assert facts[0].startswith("The update is larger than the weight: dW is 674 % of W0 in norm, effective")
    assert "unrelated" not in " ".join(facts)
    assert " ".join(facts).count("674 %") == 1


def test_a_wrong_base_is_asked_about_and_a_large_update_told() -> None:
    assert totals_remarks(totals(answered=224, unrelated=112)) == []
    (question,) = totals_remarks(totals(answered=224, unchanged=4, unrelated=111))
    assert question.startswith("Is this the right base? Weights unrelated in 111 of 220 changed matrices: ")
    (large,) = totals_remarks(totals(answered=21, outgrown=9))
    assert large.startswith("The update is larger than the weight in 9 of 21 changed matrices: ")


def test_inferences_are_marked_and_sourced() -> None:
    assert inferences(0) == []
    (one,) = inferences(2)
    assert str(one).startswith("Inference: ")
    assert "arXiv 2410.21228" in str(one)


def test_what_is_near_the_threshold_or_among_ties_is_named_and_not_counted() -> None:
    result = planted()
    side = result.left
    low = np.array([0.2, 0.499, 0.3, *side.lower[3:]], np.float32)
    doubtful = replace(
        side,
        lower=low,
        upper=low,
        least=low - np.float32(0.01),
        most=np.array([0.21, 0.509, 0.95, *(low[3:] + np.float32(0.01))], np.float32),
        overlap=np.array([0.2, 0.499, 0.94, *low[3:]], np.float32),
    )
    text = matrix_sentence(replace(result, left=doubtful), Definition(k=3))
    assert text == (
        "Tuned vector 0 matches no base vector: best |cos| 0.20 < ε 0.50, side U"
        "; 1 borderline: ε lies within the numerical error"
        "; 1 clustered: the span of tied base vectors matches, no single one does."
    )


def test_totals_name_what_they_do_not_count() -> None:
    both = totals(answered=224, borderline=1, clustered=2)
    text = session_sentence(both, None, Definition())
    assert text == "No intruder dimension in the top 10 of 224 matrices; 1 borderline; 2 clustered"
