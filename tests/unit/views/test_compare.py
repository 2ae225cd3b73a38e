"""Checkpoints beside each other: the counts, their order, what is said of what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, WEAK, llama_results, llama_session
from tests.support.results import bounded, clean, planted
from tests.support.sessions import matrix_row, session

from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed
from intruder_tui.engine.session import Session
from intruder_tui.findings.comparison import Count, comparison, labels
from intruder_tui.views.compare import comparison_view, count_text
from intruder_tui.views.glyphs import ASCII
from intruder_tui.views.naming import stems
from intruder_tui.views.palette import ColourMode


def two() -> list[Session]:
    full = llama_session(SilentEngine(), ready=True, tuned="lora")
    part = llama_session(SilentEngine(), ready=[WEAK], tuned="full")
    for one in (full, part):
        one.prime()
    return [full, part]


def shown(sessions: list[Session], width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None)
    view = comparison_view(
        comparison(sessions, Definition()), width=width, mode=ColourMode.NONE, glyphs=ASCII
    )
    with console.capture() as capture:
        console.print(view)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_counts_and_totals_are_the_sessions() -> None:
    sessions, definition = two(), Definition(k=8, eps=0.45)
    one = comparison(sessions, definition)
    for row in one.rows:
        for session_, count in zip(sessions, row.counts, strict=True):
            if row.name != REFUSED:
                assert count.certain == session_.count(row.name, definition)
    assert [count.certain for count in one.everything.counts] == [
        s.totals(definition).intruders for s in sessions
    ]
    assert one.everything.counts[0].lowest is not None
    lowest = min(r.left.lower[:8].min() for r in llama_results().values() if not r.unchanged)
    assert one.everything.counts[0].lowest[0] == pytest.approx(float(lowest))


def test_the_largest_difference_comes_first() -> None:
    names = [f"layers.{n}.w.weight" for n in range(3)]
    results = [
        dict(zip(names, (clean(), planted(64, 48, (1.2,)), planted(64, 48, (1.2, 0.4, 0.3))), strict=True)),
        dict(zip(names, (clean(), planted(64, 48, (1.2,)), clean()), strict=True)),
    ]
    sessions = [
        session([matrix_row(name) for name in names], SilentEngine(), one, names, tuned)
        for one, tuned in zip(results, ("a", "b"), strict=True)
    ]
    for one in sessions:
        one.prime()
    rows = comparison(sessions, Definition()).rows
    expected = [[s.count(row.name, Definition()) for s in sessions] for row in rows]
    differences = [abs((b or 0) - (a or 0)) for a, b in expected]
    assert differences == sorted(differences, reverse=True)
    assert rows[0].name == names[2]
    assert rows[0].difference == (expected[0][1] or 0) - (expected[0][0] or 0) < 0
    assert [row.name for row in rows[1:]] == [names[1], names[0]]
    three = comparison([*sessions, sessions[0]], Definition())
    assert three.rows[0].difference == -(rows[0].difference or 0)


def test_golden_text() -> None:
    assert shown(two()) == [
        "matrix                  lora           full  difference",
        "all matrices        3 (0.32)  >=1 (<= 0.33)           -",
        "1.self_attn.q_proj  2 (0.38)             ..           -",
        "3.mlp.down_proj     1 (0.32)       1 (0.32)           0",
        "",
        "1 matrix without an intruder in any; lora 1 refused; full 1 of 26 analysed, 1",
        "refused.",
    ]


def test_matrices_that_equal_the_base_are_no_part_of_a_sum() -> None:
    names = [f"layers.{n}.w.weight" for n in range(3)]
    rows = [matrix_row(name, untouched=name != names[0]) for name in names]
    one, other = (
        session(rows, SilentEngine(), {names[0]: planted(64, 48, (1.2,))}, ready, tuned)
        for ready, tuned in (([], "todo"), ([names[0]], "done"))
    )
    for each in (one, other):
        each.prime()
    compared = comparison([one, other], Definition())
    assert compared.everything.counts[0].certain is None
    assert compared.everything.counts[1].certain == other.count(names[0], Definition())
    assert not compared.everything.counts[1].partial
    assert compared.everything.difference is None
    assert "todo 0 of 1 analysed" in " ".join(shown([one, other]))


def test_long_labels_leave_out_what_they_share() -> None:
    runs = [llama_session(SilentEngine(), tuned=f"run/checkpoint-{step}") for step in (5, 20, 60)]
    assert shown(runs, 60)[0].split() == ["matrix", "5", "20", "60", "spread"]
    assert shown(runs, 120)[0].split()[1] == "run/checkpoint-5"
    assert stems(["lora-r8", "full"]) == ["lora-r8", "full"]
    assert stems(["run/checkpoint-2", "run/checkpoint-20"]) == ["2", "20"]
    assert stems(["run", "run/checkpoint-20"]) == ["run", "run/checkpoint-20"]


def test_where_columns_have_no_room_whole_ones_go_and_no_value_is_cut() -> None:
    runs = [llama_session(SilentEngine(), ready=True, tuned=f"run/checkpoint-{step}") for step in range(1, 5)]
    for one in runs:
        one.prime()
    for width, spread, cosines in ((80, True, True), (54, False, True), (40, False, False)):
        lines = shown(runs, width)
        assert ("spread" in lines[0]) == spread
        assert lines[1].count("(0.32)") == (4 if cosines else 0)
        assert lines[1].split().count("3") == 4
        assert all(len(line) <= width for line in lines)


def test_a_matrix_that_one_lacks_has_no_count() -> None:
    name = "only.0.here.weight"
    results = {name: planted(64, 48, (1.2,))}
    alone = session([matrix_row(name)], SilentEngine(), results, [name], "other")
    alone.prime()
    row = next(r for r in comparison([*two(), alone], Definition()).rows if r.name == name)
    assert [count.certain for count in row.counts] == [None, None, alone.count(name, Definition())]
    assert row.difference is None
    assert [count_text(count, ASCII) for count in row.counts[:2]] == ["-", "-"]


def test_signs() -> None:
    assert count_text(Count(None), ASCII) == ".."
    assert count_text(Count(None, failed=True), ASCII) == "!"
    assert count_text(Count(0, unchanged=True), ASCII) == "="
    assert count_text(Count(2, 1, (0.0, 0.3)), ASCII) == "2~ (<= 0.30)"
    assert count_text(Count(2, 0, (0.0, 0.4915)), ASCII, 0.5) == "2 (<= 0.492)"
    assert count_text(Count(None, absent=True)) == "–"
    same = next(r for r in comparison(two(), Definition()).rows if r.name == SAME)
    assert same.counts[0].unchanged


def test_bounds_leave_undecided_ones() -> None:
    name = "layers.0.w.weight"
    loose = bounded(planted(64, 48, (1.2,)), 0.2)
    one = session([matrix_row(name)], SilentEngine(), {name: loose}, [name])
    one.prime()
    count = comparison([one], Definition(k=20)).rows[0].counts[0]
    assert count.undecided == len(loose.summary().undecided(Definition(k=20)))


def test_what_failed_is_counted_apart_and_a_scan_is_left_to_the_header() -> None:
    names = [name for name in llama_results() if name != STRONG]
    full = llama_session(SilentEngine(), ready=names, tuned="lora")
    _, part = two()
    full.prime()
    failing = full.row(STRONG).pair
    assert failing is not None
    full.apply(Failed(Job(failing), "no memory"))
    part.scan()
    last = " ".join(shown([full, part])[-2:])
    assert f"lora {len(names) - 1} analysed, 1 failed, 1 refused; full is being analysed, 1 refused." in last


def test_labels_are_never_alike() -> None:
    def named(*names: str) -> list[Session]:
        return [llama_session(SilentEngine(), tuned=name) for name in names]

    assert labels(named("a", "b")) == ("a", "b")
    assert labels(named("a", "a")) == ("a (1)", "a (2)")


@pytest.mark.parametrize("width", [50, 80, 160])
def test_it_fits_and_keeps_the_ends_of_names(width: int) -> None:
    lines = shown(two(), width)
    assert max(len(line) for line in lines) <= width
    assert any("q_proj" in line for line in lines)


def test_a_doubtful_base_stands_on_a_line_before_the_table() -> None:
    names = [f"layers.{n}.w.weight" for n in range(3)]
    plain = planted(64, 48)
    strange = replace(plain, weight_cosine=0.01)
    sessions = [
        session([matrix_row(name) for name in names], SilentEngine(), dict.fromkeys(names, one), names, tuned)
        for one, tuned in ((plain, "good"), (strange, "other-seed"))
    ]
    for each in sessions:
        each.prime()
    lines = shown(sessions, 80)
    assert lines[0] == "Is this the right base? Unrelated: other-seed 3 of 3"
    assert lines[1].startswith("matrix")
    assert len(shown(sessions, 40)[0]) == 40
    assert not any("right base" in line for line in shown(sessions[:1] * 2))
