"""Snapshots on disk: whole, never over another, named safely."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.engines import SilentEngine
from tests.support.llama import REFUSED, STRONG, llama_results, llama_session

from intruder_tui.definition import Definition
from intruder_tui.export.matrix import matrix_document, update_document
from intruder_tui.export.snapshot import LONGEST_STEM, offline_svg, stem, write_snapshot

TEXT = st.text(max_size=200)


@given(TEXT, TEXT, TEXT)
def test_a_stem_is_one_safe_file_name(model: str, matrix: str, view: str) -> None:
    name = stem(model, matrix, view)
    assert 0 < len(name) <= LONGEST_STEM
    assert name.isascii()
    assert "/" not in name
    assert not name.startswith((".", "-"))
    assert Path(name).name == name


def test_a_stem_reads_like_what_it_holds() -> None:
    assert stem("tuned lora", "model.layers.1.q_proj.weight", "Heatmap") == (
        "tuned-lora_model.layers.1.q_proj.weight_heatmap"
    )


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    first = write_snapshot(tmp_path / "made" / "for it", "a", {"svg": "<svg/>"}, {"n": 1})
    second = write_snapshot(tmp_path / "made" / "for it", "a", {"svg": "<svg/>"}, {"n": 2})
    assert [path.name for path in (*first, *second)] == ["a.svg", "a.json", "a_2.svg", "a_2.json"]
    assert [json.loads(path.read_text())["n"] for path in (first[1], second[1])] == [1, 2]
    assert sorted(path.name for path in first[0].parent.iterdir()) == [
        "a.json",
        "a.svg",
        "a_2.json",
        "a_2.svg",
    ]


def test_a_file_of_that_name_from_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("theirs")
    paths = write_snapshot(tmp_path, "a", {"svg": "<svg/>"}, {})
    assert (tmp_path / "a.json").read_text() == "theirs"
    assert [path.name for path in paths] == ["a_2.svg", "a_2.json"]


def test_the_umask_is_kept(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        paths = write_snapshot(tmp_path, "a", {"svg": "<svg/>"}, {})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o640}


def test_a_directory_that_can_not_be_made_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_snapshot(tmp_path / "file" / "below", "a", {"svg": ""}, {})


def test_the_picture_asks_no_server_for_fonts() -> None:
    svg = '<style>@font-face {src: url("https://x/y.woff2");} .a {fill: red}</style>'
    assert offline_svg(svg) == "<style> .a {fill: red}</style>"


def test_the_document_holds_what_the_view_showed() -> None:
    session = llama_session(SilentEngine(), ready=True)
    session.prime()
    definition = Definition(k=5, eps=0.45)
    document = json.loads(
        json.dumps(matrix_document(session, STRONG, session.result(STRONG), definition), allow_nan=False)
    )
    result = llama_results()[STRONG]
    left = document["result"]["sides"]["U"]
    assert document["definition"]["eps"] == 0.45
    assert document["base"]["files"][0]["path"] == "/base/model.safetensors"
    assert document["matrix"]["shape"] == [96, 96]
    assert left["best_cosine"] == [float(value) for value in result.left.lower[:5]]
    assert [len(row) for row in left["cosines_base_by_tuned"]] == [5] * 5
    assert left["verdict"].count("intruder") == len(result.summary().intruders(definition))
    assert set(document["result"]["sides"]) == {"U", "V"}
    assert {"intruder-tui", "python", "numpy"} <= set(document["versions"])


def test_an_infinite_update_is_null() -> None:
    update = replace(llama_results()[STRONG].update, relative_norm=float("inf"))
    assert update_document(update)["relative_norm"] is None


def test_a_row_without_a_result_has_a_document_too() -> None:
    session = llama_session(SilentEngine())
    document = matrix_document(session, REFUSED, None, Definition())
    assert document["result"] is None
    assert document["matrix"]["state"] == "skipped"
    assert "160 x 104" in document["matrix"]["reason"]
