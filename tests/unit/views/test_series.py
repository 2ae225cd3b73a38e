"""A run's checkpoints: order, what is followed, what is said of it."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.support.engines import SilentEngine
from tests.support.llama import STRONG, llama_results, llama_session
from tests.support.results import analyse, base_weight, bounded, clean, plant, unchanged

from intruder_tui.definition import Definition
from intruder_tui.findings.series import Step, matrix_series, model_series, ordered, positions, step_of
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode
from intruder_tui.views.series import FOLLOWED, SeriesView


def growing(count: int = 4) -> list[Step]:
    base = base_weight(48, 48)
    results = [(100 * n, analyse(base, plant(base, [0.3 * n])) if n else clean(48, 48)) for n in range(count)]
    return [step_of(f"checkpoint-{step}", step, result, Definition()) for step, result in results]


def test_a_step_is_its_lowest_and_its_first_intruder() -> None:
    result = llama_results()[STRONG]
    one = step_of("a", 1, result, Definition())
    best = result.left.lower[:10]
    assert one.certain == one.possible == int((best < 0.5).sum())
    assert one.lowest is not None
    assert one.lowest.j == int(best.argmin())
    assert one.lowest.sigma == float(result.sigma_tuned[one.lowest.j])
    assert one.lowest.match == int(result.left.index[one.lowest.j])
    assert one.foremost is not None
    assert one.foremost.j == min(j for j in range(10) if best[j] < 0.5)


def test_bounds_and_unchanged_steps() -> None:
    loose = bounded(llama_results()[STRONG], 0.3)
    one = step_of("a", 1, loose, Definition())
    assert one.certain is not None
    assert one.possible == one.certain + len(loose.summary().undecided(Definition()))
    same = step_of("a", 1, unchanged(), Definition())
    assert (same.certain, same.lowest, same.foremost) == (0, None, None)
    assert step_of("a", 1, None, Definition()).certain is None


def test_order_and_positions() -> None:
    def at(*steps: int | None) -> list[Step]:
        return [Step(str(step), step, None, None, None, None, None) for step in steps]

    assert [one.step for one in ordered(at(900, 100, 1000))] == [100, 900, 1000]
    assert [one.step for one in ordered(at(900, None, 100))] == [900, None, 100]
    assert positions(at(100, 900)) == [100, 900]
    assert positions(at(100, 100)) == positions(at(100, None)) == [1, 2]


def test_a_series_from_sessions() -> None:
    sessions = [llama_session(SilentEngine(), ready=ready) for ready in (True, False)]
    for one in sessions:
        one.prime()
    steps = matrix_series([one.result(STRONG) for one in sessions], [20, 10], ["late", "early"], Definition())
    assert [one.label for one in steps] == ["early", "late"]
    assert steps[0].certain is None
    assert steps[1].certain == sessions[0].count(STRONG, Definition())
    whole = model_series(sessions, [20, 10], ["late", "early"], Definition())
    assert whole[1].certain == sessions[0].totals(Definition()).intruders
    strongest = sessions[0].strongest(Definition())
    assert strongest is not None
    assert whole[1].lowest is not None
    assert whole[1].lowest.j == strongest.j
    assert whole[0].certain is None


def shown(steps: list[Step], width: int, lines: int, glyphs: Glyphs = ASCII) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(SeriesView(steps, Definition(), ColourMode.NONE, glyphs, lines))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
@pytest.mark.parametrize(("width", "lines"), [(60, 12), (80, 24), (120, 40)])
def test_it_fits_and_says_what_a_line_does_not_mean(width: int, lines: int, glyphs: Glyphs) -> None:
    text = shown(growing(), width, lines, glyphs)
    assert max(len(line) for line in text) <= width
    assert " ".join(" ".join(text).split()).endswith(FOLLOWED)
    table = [line.split() for line in text]
    heads = ["step", "count", "lowest", "at", "j", glyphs.sigma, "first", "j", "update"]
    first = table.index(heads) + 1
    assert [row[0] for row in table[first : first + 4]] == ["0", "100", "200", "300"]
    assert "…" not in " ".join(text)


def test_points_stand_at_their_steps() -> None:
    text = shown(growing(), 80, 30)
    marks = {line.index("o", 8) for line in text[1:9] if "o" in line[8:]}
    assert marks <= {8, 32, 56, 79}
    assert "lowest best |cos| of the top 10" in text[0]


def test_one_step_has_a_table_and_no_plot() -> None:
    text = shown(growing(1), 80, 30)
    assert text[0].startswith("checkpoint")
