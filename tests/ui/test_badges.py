"""Badges: sums of groups follow their rows."""

from __future__ import annotations

from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_results, llama_rows, llama_session
from tests.support.results import bounded, clean, planted
from tests.support.sessions import finished, matrix_row, session

from intruder_tui.definition import Definition
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Failed
from intruder_tui.ui.badges import Badge, Badges, Tone
from intruder_tui.ui.outline import Branch, outline
from intruder_tui.views.glyphs import UNICODE


def group(top: Branch, *labels: str) -> Branch:
    branch = top
    for label in labels:
        branch = next(child for child in branch.children if child.label == label)
    return branch


def test_a_group_is_open_until_all_its_rows_are_known() -> None:
    one = llama_session(SilentEngine())
    top = outline(row.name for row in llama_rows())
    badges = Badges(one, Definition(), UNICODE)
    layer = group(top, "model.layers", "1", "self_attn")
    leaves = list(layer.leaves())
    assert badges.of(layer) == Badge("··")
    for leaf in leaves:
        assert leaf.row is not None
        one.request(leaf.row)
        one.apply(finished(one, leaf.row))
        badges.forget(leaf.row or "", leaf)
    assert badges.of(layer) == Badge("2", tone=Tone.ACCENT)
    assert badges.of(group(top, "model.layers")) == Badge("2!", tone=Tone.ACCENT)
    assert badges.of(group(top, "model.layers", "1", "mlp")) == Badge("··")


def test_a_group_of_which_nothing_has_changed_says_so() -> None:
    names = [f"layers.{layer}.mlp.{module}.weight" for layer in (0, 1) for module in ("up", "down")]
    rows = [matrix_row(name, untouched=name != names[0]) for name in names]
    one = session(rows, SilentEngine(), {names[0]: clean()}, names[:1])
    one.prime()
    top = outline(names)
    badges = Badges(one, Definition(), UNICODE)
    marks = [badges.of(branch).mark for branch in top.children[0].children]
    assert marks == [UNICODE.none, UNICODE.unchanged]
    assert badges.of(top.children[0]).mark == UNICODE.none


def test_groups_sum_to_the_session_s_total() -> None:
    one = llama_session(SilentEngine(), ready=True)
    one.prime()
    top = outline(row.name for row in llama_rows())
    for eps in (0.2, 0.35, 0.5, 0.99, 1.0):
        definition = Definition(eps=eps)
        badge = Badges(one, definition, UNICODE).of(group(top, "model.layers"))
        total = one.totals(definition).intruders
        assert badge.mark == (f"{total}!" if total else "!")


def test_a_failure_shows_on_its_groups() -> None:
    one = llama_session(SilentEngine(), ready=True)
    one.prime()
    top = outline(row.name for row in llama_rows())
    assert Badges(one, Definition(), UNICODE).of(group(top, "model.layers", "2")).tone is Tone.WARNING
    one = llama_session(SilentEngine())
    pair = one.row(STRONG).pair
    assert pair is not None
    one.request(STRONG)
    one.apply(Failed(Job(pair), "no memory"))
    leaf = next(leaf for leaf in top.leaves() if leaf.row == STRONG)
    assert Badges(one, Definition(), UNICODE).of(leaf) == Badge("!", tone=Tone.WARNING)


def test_more_than_four_intruders_have_four_dots_and_a_count() -> None:
    many = planted(96, 96, (1.4, 1.3, 1.2, 1.1, 1.0, 0.9))
    one = session(llama_rows(), SilentEngine(), {STRONG: many}, [STRONG])
    one.prime()
    leaf = next(leaf for leaf in outline(row.name for row in llama_rows()).leaves() if leaf.row == STRONG)
    badge = Badges(one, Definition(), UNICODE).of(leaf)
    assert int(badge.mark) > 4
    assert badge.dots == 4


def test_undecided_beside_intruders_and_alone() -> None:
    results = {**llama_results(), STRONG: bounded(llama_results()[STRONG])}
    one = session(llama_rows(), SilentEngine(), results, [STRONG])
    one.prime()
    leaf = next(leaf for leaf in outline(row.name for row in llama_rows()).leaves() if leaf.row == STRONG)
    uppers = sorted(float(results[STRONG].left.upper[j]) for j in (0, 6))
    both = Badges(one, Definition(eps=(uppers[0] + uppers[1]) / 2), UNICODE).of(leaf)
    assert both.mark == "1~"
    none = Badges(one, Definition(eps=uppers[0] - 0.01), UNICODE).of(leaf)
    assert none.mark == "~"


def test_a_group_without_matrices_has_no_badge() -> None:
    one = llama_session(SilentEngine(), ready=True)
    one.prime()
    branch = Branch("norms")
    branch.children = [Branch("norm", row="model.norm.weight", parent=branch, depth=1)]
    assert Badges(one, Definition(), UNICODE).of(branch) == Badge("")
