"""The disk cache: identities, damage, eviction, two processes at once."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.support.inline import computed

from intruder_tui.cache import Cache, default_root
from intruder_tui.checkpoint import open_pairing
from intruder_tui.demo import DemoPaths
from intruder_tui.engine.inline import InlineEngine
from intruder_tui.engine.jobs import Job
from intruder_tui.engine.protocol import Event, Failed

LORA_MATRIX = "model.layers.2.self_attn.q_proj.weight"


def job_of(base: Path, tuned: Path, name: str = LORA_MATRIX) -> Job:
    pairing = open_pairing(str(base), str(tuned))
    return Job(next(pair for pair in pairing.pairs if pair.name == name))


def test_a_result_comes_back_as_it_went_in(cache: Cache, demo_pair: DemoPaths) -> None:
    job = job_of(demo_pair.base, demo_pair.lora)
    assert cache.find(job) is None
    key = computed(cache, job)
    again = Cache(cache.root)
    assert again.find(job) == key
    one, two = cache.load(key), again.load(key)
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.sigma_tuned, two.sigma_tuned)
    np.testing.assert_array_equal(one.left.block, two.left.block)
    assert one.update.effective_rank == two.update.effective_rank
    assert one.update.adapter_rank == two.update.adapter_rank == 8
    summary = again.summary(key)
    assert summary is not None
    np.testing.assert_array_equal(summary.left.lower, one.left.lower)
    assert summary.left.block.size == 0


def test_a_copied_checkpoint_is_recognised_by_its_content(
    cache: Cache, demo_pair: DemoPaths, tmp_path: Path
) -> None:
    key = computed(cache, job_of(demo_pair.base, demo_pair.lora))
    copy = tmp_path / "copy"
    shutil.copytree(demo_pair.base, copy)
    job = job_of(copy, demo_pair.lora)
    assert cache.find(job) is None  # other inodes: the bytes have to be read once
    assert computed(cache, job) == key


def test_a_rewritten_file_is_never_taken_for_the_old_one(
    cache: Cache, demo_pair: DemoPaths, tmp_path: Path
) -> None:
    tuned = tmp_path / "tuned"
    shutil.copytree(demo_pair.full, tuned)
    file = tuned / "model.safetensors"
    key = computed(cache, job_of(demo_pair.base, tuned))
    content = bytearray(file.read_bytes())
    content[-64:] = bytes(64)  # the last tensor of the file, an o_proj or v_proj: other bytes, same size
    before = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # a forged mtime does not help: ctime moved
    assert file.stat().st_size == before.st_size
    job = job_of(demo_pair.base, tuned)
    assert cache.find(job) is None
    assert computed(cache, job) == key  # this matrix's own bytes are the same


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other format"])
def test_a_damaged_entry_is_a_miss(cache: Cache, demo_pair: DemoPaths, damage: str) -> None:
    key = computed(cache, job_of(demo_pair.base, demo_pair.lora))
    (entry,) = (cache.root / "results").glob("??/*.safetensors")
    content = bytearray(entry.read_bytes())
    if damage == "truncate":
        content = content[: len(content) // 2]
    elif damage == "flip":
        # Every array carries a checksum: find the sigma_tuned bytes through a full read and flip one bit.
        content[-5] ^= 1
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray(b"\x08\0\0\0\0\0\0\0{}      ")
    entry.write_bytes(content)
    assert cache.load(key) is None


def test_the_least_recently_used_entries_go_first(cache: Cache, demo_pair: DemoPaths) -> None:
    pairing = open_pairing(str(demo_pair.base), str(demo_pair.lora))
    jobs = [Job(pair) for pair in pairing.pairs if not pair.untouched][:4]
    keys = [computed(cache, job) for job in jobs]
    paths = [next((cache.root / "results").glob(f"{key[:2]}/{key[2:]}*")) for key in keys]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (time.time() - 100 * age - 100,) * 2)
    cache.load(keys[0])  # the oldest is used again, now the second oldest is first in line
    size = sum(path.stat().st_size for path in paths)
    small = Cache(cache.root, budget=size * 3 // 4)
    assert small.evict() >= 1
    assert paths[0].exists()
    assert not paths[1].exists()


def test_clear_leaves_nothing_but_foreign_files(cache: Cache, demo_pair: DemoPaths) -> None:
    computed(cache, job_of(demo_pair.base, demo_pair.lora))
    foreign = cache.root / "notes.txt"
    foreign.write_text("mine")
    usage = cache.usage()
    assert usage.results == 1
    assert usage.hashes == 3  # base, lora_A, lora_B
    assert cache.clear() == 4
    assert cache.usage().results == 0
    assert foreign.read_text() == "mine"


def test_two_processes_may_write_the_same_entries(cache: Cache, demo_pair: DemoPaths) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from intruder_tui.cli import main\n"
        f"main(['scan', {str(demo_pair.base)!r}, {str(demo_pair.lora)!r}, '--json', sys.argv[1],"
        f" '--cache-dir', {str(cache.root)!r}])"
    )
    outputs = [cache.root.parent / f"{n}.json" for n in range(2)]
    running = [subprocess.Popen([sys.executable, "-c", program, str(output)]) for output in outputs]
    assert [process.wait(120) for process in running] == [0, 0]
    one, two = (output.read_text() for output in outputs)
    assert one == two
    assert not [path for path in cache.root.rglob(".*") if path.is_file()]


def test_the_environment_names_the_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTRUDER_TUI_CACHE", str(tmp_path))
    assert default_root() == tmp_path


def test_depth_and_content_are_part_of_the_key(cache: Cache, demo_pair: DemoPaths) -> None:
    job = job_of(demo_pair.base, demo_pair.lora)
    computed(cache, job)
    update = job.pair.tuned
    louder = dataclasses.replace(update, update=dataclasses.replace(update.update, scaling=3.0))
    assert cache.find(Job(dataclasses.replace(job.pair, tuned=louder))) is None


def test_an_unwritable_cache_fails_the_row_in_one_line(demo_pair: DemoPaths, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    events: list[Event] = []
    engine = InlineEngine(Cache(blocked / "below"))
    engine.start(events.append)
    engine.submit(job_of(demo_pair.base, demo_pair.lora))
    failure = events[-1]
    assert isinstance(failure, Failed)
    assert "can't be written" in failure.reason
    assert "\n" not in failure.reason
