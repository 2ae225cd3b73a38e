"""A scan as values: which matrices it names, and how trouble of one kind is said once."""

from __future__ import annotations

from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, STRONG, WEAK, llama_results, llama_session

from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed
from intruder_tui.findings.scan import scanned


def test_carriers_are_the_matrices_with_intruders() -> None:
    session, definition = llama_session(SilentEngine(), ready=True), Definition()
    session.prime()
    scan = scanned(session, definition, session.result)
    assert [one.name for one in scan.carriers] == [STRONG, WEAK]
    assert scan.totals == session.totals(definition)
    for one in scan.carriers:
        result = llama_results()[one.name]
        best = result.left.lower[: definition.k]
        assert list(one.intruders) == [j for j, value in enumerate(best) if value < definition.eps]
        assert one.lowest == (best.min(), best.min())
        assert one.relative_norm == result.update.relative_norm
        assert not one.others


def test_trouble_of_one_kind_is_said_once() -> None:
    session = llama_session(SilentEngine())
    session.scan()
    for name in (STRONG, WEAK):
        pair = session.row(name).pair
        assert pair is not None
        session.apply(Failed(Job.verdict(pair, 10, 0.5), "no memory"))
    scan = scanned(session, Definition(), session.result)
    assert [(one.word, one.names) for one in scan.troubles] == [
        ("failed", (STRONG, WEAK)),
        ("refused", (REFUSED,)),
    ]
    assert scan.troubles[0].reason == "no memory"
    assert scan.carriers == ()


def test_a_result_that_is_gone_is_a_trouble() -> None:
    session = llama_session(SilentEngine(), ready=True)
    session.prime()
    session._cache.results.pop(STRONG)
    scan = scanned(session, Definition(), session.result)
    assert scan.carriers[0].name == STRONG
    assert scan.carriers[0].relative_norm is None
    assert [one.word for one in scan.troubles if STRONG in one.names] == ["failed"]
