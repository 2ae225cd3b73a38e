"""The log: begun only where it harms nothing, and appended to by everyone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intruder_tui.engine.log import SIGN, LogError, drop_if_empty, note, note_trace, open_log, private_log


def test_a_log_is_begun_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    for _ in range(2):
        assert open_log(path) == path
        note(path, "model.q_proj: out of memory")
    lines = path.read_text().splitlines()
    assert [line.startswith(SIGN) for line in lines] == [True, False, True, False]
    assert lines[1].endswith(" model.q_proj: out of memory")
    assert path.stat().st_mode & 0o077 == 0


def test_a_relative_log_stays_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_log(Path("x.log")) == tmp_path / "x.log"


def test_what_is_no_log_is_never_written_to(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(LogError, match="exists and is not a log of intruder-tui"):
        open_log(weights)
    assert weights.read_bytes() == b"\x10\0\0\0\0\0\0\0{}"
    with pytest.raises(LogError, match="is not a regular file"):
        open_log(tmp_path)
    with pytest.raises(LogError, match="can't be written: No such file or directory"):
        open_log(tmp_path / "no" / "x.log")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LogError, match="is not a regular file"):
        open_log(tmp_path / "pipe")


def test_a_trace_is_kept_whole(tmp_path: Path) -> None:
    path = private_log(tmp_path)
    try:
        raise ValueError("a name with \ud800")
    except ValueError as error:
        note_trace(path, "the interface failed", error)
    text = path.read_text()
    assert "the interface failed" in text
    assert "test_a_trace_is_kept_whole" in text
    assert "ValueError: a name with \\ud800" in text
    drop_if_empty(path)
    assert path.exists()


def test_a_log_that_can_not_be_written_costs_nothing(tmp_path: Path) -> None:
    note(tmp_path / "no" / "x.log", "words")
    note(None, "words")
    empty = private_log(tmp_path)
    drop_if_empty(empty)
    drop_if_empty(empty)
    assert not empty.exists()
