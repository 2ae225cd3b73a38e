"""A ledger by itself: what a pairing says before anybody has asked for anything."""

from __future__ import annotations

import pytest
from tests.support.llama import REFUSED, SAME, STRONG, llama_rows
from tests.support.sessions import pairing

from intruder_tui.definition import Definition
from intruder_tui.findings.ledger import Ledger, State


def test_a_pairing_s_rows_are_at_rest() -> None:
    rows = llama_rows()
    ledger = Ledger(pairing(rows))
    states = {row.name: ledger.state(row.name) for row in rows}
    assert states[STRONG] is State.IDLE
    assert states[SAME] is State.UNCHANGED
    assert {states[row.name] for row in rows if row.pair is None} == {State.SKIPPED}
    assert "160 x 104" in ledger.reason(REFUSED)
    assert not any(ledger.waiting(row.name) or ledger.failed(row.name) for row in rows)
    assert ledger.strongest(Definition()) is None


def test_what_is_unchanged_is_answered_and_what_is_refused_is_counted_apart() -> None:
    ledger = Ledger(pairing(llama_rows()))
    totals = ledger.totals(Definition())
    assert (totals.matrices, totals.answered, totals.unchanged, totals.refused) == (27, 1, 1, 1)
    assert ledger.count(SAME, Definition()) == 0
    assert ledger.count(STRONG, Definition()) is None


def test_an_unknown_name_is_an_error_unless_it_is_asked_about() -> None:
    ledger = Ledger(pairing(llama_rows()))
    assert ledger.has(STRONG)
    assert not ledger.has("model.nowhere")
    for ask in (ledger.row, ledger.state, ledger.summary, ledger.reason):
        with pytest.raises(KeyError):
            ask("model.nowhere")
