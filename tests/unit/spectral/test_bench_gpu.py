"""The GPU benchmark at toy sizes: every section has rows, and nothing fails or disagrees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.benchmarks.bench_gpu import SECTIONS, main
from tests.support.card import stand_in


def check(rows: list[dict[str, object]]) -> None:
    sections = {str(row["section"]) for row in rows}
    assert sections == {
        "machine",
        "7B scan, verdicts on U and V",
        "base factors",
        "two SVDs, float32, default driver",
        "two SVDs over the scan",
        "small matrices",
        "tiers",
        "float32 error over norms",
        "memory beside the weights",
        "rates",
        "solvers",
    }
    assert not [row for row in rows if "failed" in row]
    assert not [row for row in rows if row.get("wrong") or row.get("missed")]
    errors = [row for row in rows if row["section"] == "float32 error over norms" and row["TF32"] == "off"]
    assert all(float(str(row["lanczos"])) < float(str(row["allowed"])) for row in errors)


def test_it_runs_whole_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = main(["--device", "cpu", "--tiny", "--json", str(tmp_path / "rows.json")])
    check(bench.rows)
    assert json.loads((tmp_path / "rows.json").read_text())[0]["device"] == "CPU"
    assert "extrapolated from one of each shape" in capsys.readouterr().out


@pytest.mark.usefixtures("capsys")
def test_it_runs_on_a_card() -> None:
    # What the other sections call of the library is tried on its own; the stand-in is slow.
    with stand_in():
        bench = main(["--device", "cuda", "--tiny", "--only", "naive", "precision", "rates", "solvers"])
    solvers = {row["solver"] for row in bench.rows if row["section"] == "solvers"}
    assert {"svd gesvd", "svd gesvdj", "svd gesvda"} <= solvers
    assert not [row for row in bench.rows if "failed" in row or row["section"] == "failed"]


def test_what_no_longer_fits_is_left_out_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    bench = main(["--device", "cpu", "--budget", "5"])
    assert [row["what"] for row in bench.rows if row["section"] == "left out"] == list(SECTIONS)
    assert "left out" in capsys.readouterr().out
