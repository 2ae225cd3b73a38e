"""The map: places from names, sums against counting, cells found again where they are drawn."""

from __future__ import annotations

import pytest
from rich.console import Console
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, SAME, STRONG, WEAK, llama_results, llama_session
from tests.support.results import bounded, clean, planted
from tests.support.sessions import matrix_row, session

from intruder_tui.definition import Definition, Side
from intruder_tui.engine.session import Session
from intruder_tui.findings.model_map import Measure, ModelMap, Place, measures_of, model_map, place
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs
from intruder_tui.views.map_picture import MapPicture
from intruder_tui.views.palette import ColourMode

EXPERTS = "model.layers.{}.block_sparse_moe.experts.{}.w1.weight"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.layers.3.self_attn.q_proj.weight", Place("model.layers", 3, "self_attn.q_proj")),
        ("transformer.h.11.attn.c_attn.weight", Place("transformer.h", 11, "attn.c_attn")),
        (EXPERTS.format(2, 7), Place("model.layers", 2, "block_sparse_moe.experts.*.w1")),
        ("model.layers.0.mlp.experts.gate_up_proj", Place("model.layers", 0, "mlp.experts.gate_up_proj")),
        (
            "encoder.block.1.layer.0.SelfAttention.q.weight",
            Place("encoder.block", 1, "layer.0.SelfAttention.q"),
        ),
        ("vision_model.encoder.layers.5.mlp.fc1.weight", Place("vision_model.encoder.layers", 5, "mlp.fc1")),
        ("lm_head.weight", Place("", None, "lm_head")),
        ("pooler.dense.weight", Place("", None, "pooler.dense")),
        ("weight", Place("", None, "weight")),
        ("0.weight", Place("", None, "0")),
        ("layers.3.weight", Place("", None, "layers.3")),
        ("a.99999999999999999999.b", Place("", None, "a.99999999999999999999.b")),
        ("", Place("", None, "")),
    ],
)
def test_places(name: str, expected: Place) -> None:
    assert place(name) == expected


def llama(*, ready: bool | list[str] = True) -> Session:
    one = llama_session(SilentEngine(), ready=ready)
    one.prime()
    return one


@pytest.mark.parametrize("definition", [Definition(), Definition(Side.RIGHT, 5, 0.45)])
def test_counts_and_margins_are_what_the_session_counts(definition: Definition) -> None:
    one, session = model_map(llama(), definition), llama()
    assert one.total.low == session.totals(definition).intruders
    for (row, column), cell in one.cells.items():
        (name,) = cell.names
        assert place(name) == Place("model.layers", one.layers[column][1], one.modules[row])
        assert cell.low == (None if name == REFUSED else session.count(name, definition))
    for row, cell in enumerate(one.by_module):
        assert cell.low == sum(c.low or 0 for (r, _), c in one.cells.items() if r == row)
    for column, cell in enumerate(one.by_layer):
        assert cell.low == sum(c.low or 0 for (_, k), c in one.cells.items() if k == column)
    assert one.by_module[0].names[0] == STRONG


def test_states() -> None:
    one = model_map(llama(ready=[STRONG]), Definition())
    cells = {cell.names[0]: cell for cell in one.cells.values()}
    assert cells[REFUSED].failed
    assert cells[SAME].unchanged
    assert cells[WEAK].low is None
    waiting = llama(ready=[])
    waiting.request(WEAK)
    assert next(c for c in model_map(waiting, Definition()).cells.values() if WEAK in c.names).waiting


def test_the_lowest_cosine_is_the_least_of_the_top_k() -> None:
    definition = Definition(k=6)
    one = model_map(llama(), definition, Measure.LOWEST)
    cells = {cell.names[0]: cell for cell in one.cells.values()}
    for name, result in llama_results().items():
        expected = None if result.unchanged else float(result.left.lower[:6].min())
        assert cells[name].low == expected
    assert one.total.low == min(c.low for c in cells.values() if c.low is not None)


def test_heavy_measures_fill_as_results_come_by() -> None:
    known = {STRONG: measures_of(llama_results()[STRONG])}
    one = model_map(llama(), Definition(), Measure.EFFECTIVE, known)
    valued = {name: cell.low for cell in one.cells.values() for name in cell.names if cell.low is not None}
    assert valued == {STRONG: llama_results()[STRONG].update.effective_rank}
    relative = model_map(llama(), Definition(), Measure.RELATIVE, known)
    assert relative.total.high == llama_results()[STRONG].update.relative_norm


def experts() -> ModelMap:
    names = [EXPERTS.format(layer, expert) for layer in range(2) for expert in range(3)]
    results = {name: clean(48, 48) for name in names}
    results[EXPERTS.format(1, 2)] = planted(48, 48, (1.2,))
    results["score.weight"] = planted(48, 48, (1.2,))
    rows = [matrix_row(name, (48, 48)) for name in results]
    one = session(rows, SilentEngine(), results, list(results))
    one.prime()
    return model_map(one, Definition())


def test_experts_share_a_cell_and_the_telling_one_comes_first() -> None:
    one = experts()
    assert one.modules == ("block_sparse_moe.experts.*.w1",)
    assert len(one.cells) == 2
    assert one.cells[0, 1].names[0] == EXPERTS.format(1, 2)
    assert len(one.cells[0, 1].names) == 3
    assert [name for name, _ in one.others] == ["score"]
    assert one.total.low == (one.by_module[0].low or 0) + (one.others[0][1].low or 0)


def test_stacks_are_told_apart_by_what_differs() -> None:
    names = [f"{stack}.block.{n}.layer.0.q.weight" for stack in ("encoder", "decoder") for n in range(2)]
    results = {name: clean(48, 48) for name in names}
    one = session([matrix_row(name, (48, 48)) for name in names], SilentEngine(), results, names)
    assert model_map(one, Definition()).layer_names() == ("encoder 0", "encoder 1", "decoder 0", "decoder 1")
    assert model_map(llama(), Definition()).layer_names() == ("0", "1", "2", "3")


def drawn(picture: MapPicture, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(picture)
    return capture.get().splitlines()


def test_golden_text() -> None:
    one = model_map(llama(ready=[STRONG, WEAK]), Definition())
    assert drawn(MapPicture(one, 60, None, ColourMode.NONE, ASCII), 60) == [
        "layer              0    1    2    3     sum",
        "self_attn.q_proj   ..   2    ..   ..      2",
        "self_attn.k_proj   ..   ..   ..   ..     ..",
        "self_attn.v_proj   =    ..   ..   ..     ..",
        "self_attn.o_proj   ..   ..   ..   ..     ..",
        "mlp.gate_proj      ..   ..   ..   ..     ..",
        "mlp.up_proj        ..   ..   !    ..      !",
        "mlp.down_proj      ..   ..   ..   1       1",
        "sum                ..   2    !    1      3!",
        "intruders in the top k; - none, ~ more undecided; ! failed",
        "or refused, left out of totals; 1 refused",
    ]


def test_totals_over_a_failure_say_that_they_lack_it() -> None:
    lines = drawn(MapPicture(model_map(llama(), Definition()), 80, None, ColourMode.NONE, ASCII), 80)
    by_name = {line.split()[0]: line.split()[1:] for line in lines[:-2]}
    assert by_name["mlp.up_proj"] == ["-", "-", "!", "-", "!"]
    assert by_name["sum"] == ["-", "2", "!", "1", "3!"]
    assert by_name["mlp.gate_proj"] == ["-"] * 5
    lowest = drawn(MapPicture(model_map(llama(), Definition(), Measure.LOWEST), 80, glyphs=ASCII), 80)
    assert next(line for line in lowest if line.startswith("least")).split()[-1].endswith("!")
    assert all(len(line) <= 80 for line in lines)
    sound = session([matrix_row(SAME, (48, 48))], SilentEngine(), {SAME: clean(48, 48)}, [SAME])
    assert "!" not in "".join(drawn(MapPicture(model_map(sound, Definition()), 80), 80))


@pytest.mark.parametrize("width", [30, 44, 80, 200])
@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_it_fits_and_every_matrix_is_found_again(width: int, measure: Measure, glyphs: Glyphs) -> None:
    known = {name: measures_of(result) for name, result in llama_results().items()}
    picture = MapPicture(model_map(llama(), Definition(), measure, known), width, glyphs=glyphs)
    assert max(len(line) for line in drawn(picture, 300)) <= width
    for name in llama_results():
        spot = picture.spot(name)
        assert spot is not None
        cell = picture.cell(*spot)
        assert cell is not None
        assert name in cell.names
        row, column = spot
        assert picture.at(picture.gutter + column * picture.size, row + 1) == spot
    assert picture.at(0, 1) is None
    assert picture.spot("nowhere") is None


def test_many_layers_share_columns() -> None:
    names = [f"layers.{n}.w.weight" for n in range(126)]
    results = {name: clean(16, 16) for name in names}
    results[names[77]] = planted(48, 48, (1.2,))
    one = session([matrix_row(name, (48, 48)) for name in names], SilentEngine(), results, names)
    one.prime()
    picture = MapPicture(model_map(one, Definition()), 60)
    spot = picture.spot(names[77])
    assert spot is not None
    cell = picture.cell(*spot)
    assert cell is not None
    assert cell.names[0] == names[77]
    assert max(len(line) for line in drawn(picture, 200)) <= 60
    assert any(line.startswith("6 layers a column") for line in drawn(picture, 200))


def test_others_can_be_reached_and_hostile_names_stay_text() -> None:
    picture = MapPicture(experts(), 80)
    assert picture.spot("score.weight") == (1, 0)
    assert picture.shape == (2, 2)
    hostile = "layers.0.\x1b[31m[red]\u202e.weight"
    one = session([matrix_row(hostile, (48, 48))], SilentEngine(), {hostile: clean(48, 48)}, [hostile])
    text = "\n".join(drawn(MapPicture(model_map(one, Definition()), 80), 80))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]" in text


def test_a_number_without_room_is_never_cut() -> None:
    names = [f"layers.{n}.experts.{e}.w.weight" for n in range(20) for e in range(12)]
    strong = planted(48, 48, (1.2,))
    one = session(
        [matrix_row(n, (48, 48)) for n in names], SilentEngine(), dict.fromkeys(names, strong), names
    )
    one.prime()
    each = len(strong.summary().intruders(Definition()))
    counts = MapPicture(model_map(one, Definition()), 60, None, ColourMode.NONE, ASCII)
    line = drawn(counts, 60)[1].split()
    assert each * 12 >= 10
    assert line == ["experts.*.w", *["+"] * 20, str(each * 240)]
    lowest = MapPicture(model_map(one, Definition(), Measure.LOWEST), 60, None, ColourMode.NONE, ASCII)
    tenth = int(10 * strong.left.lower[:10].min())
    assert drawn(lowest, 60)[1].split()[1:-1] == [str(tenth)] * 20
    assert any(line.startswith("in tenths: lowest best |cos|") for line in drawn(lowest, 60))


def test_a_narrow_cell_that_is_not_complete_is_no_count() -> None:
    names = [f"layers.{n}.w.weight" for n in range(40)]
    results = {name: clean(16, 16) for name in names}
    one = session([matrix_row(name, (48, 48)) for name in names], SilentEngine(), results, names[::2])
    one.prime()
    picture = MapPicture(model_map(one, Definition()), 60, None, ColourMode.NONE, ASCII)
    assert picture.size == 2
    assert set(drawn(picture, 60)[1].removeprefix("w").replace(" ", "")) == {"."}


@pytest.mark.parametrize("off", [0.011, 0.013, 0.016, 0.019])
def test_a_bound_is_never_shown_lower_than_it_is(off: float) -> None:
    name = "layers.0.q_proj.weight"
    one = session([matrix_row(name)], SilentEngine(), {name: bounded(planted(64, 48, (1.2,)), off)}, [name])
    one.prime()
    lowest = model_map(one, Definition(), Measure.LOWEST)
    high = lowest.cells[0, 0].high
    assert high is not None
    cell, margin = drawn(MapPicture(lowest, 60, glyphs=ASCII), 60)[1].split()[1:]
    assert cell == margin
    assert float(cell.removeprefix("~")) >= high
