"""The loader against anything: it lists, or it refuses in one line; it never crashes, and never hangs.

All tests together run for about FUZZ_SECONDS (60 where it is not set), in rounds of other examples each.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import os
import pickle
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.support.rawfile import write_tensors
from tests.support.refusals import refusal
from tests.support.sparse import write_sparse

from intruder_tui.checkpoint import MatrixPair, Row, expand_series, open_pairing
from intruder_tui.checkpoint import pairing as pairing_module
from intruder_tui.checkpoint.weight_file import read_weight_header
from intruder_tui.engine.adapters import Against, LoraFactors
from intruder_tui.engine.assemble import ReadError, assemble

PATIENCE = 1.0
"""Seconds of work within which even a hostile checkpoint of a few kilobytes has its answer."""
READ = 3
"""Pairs of an example that are read too."""
CPU = torch.device("cpu")
SECONDS = float(os.environ.get("FUZZ_SECONDS", "60")) / 7
"""Of each of the seven tests."""
ROUND = 20
"""Examples; a test ends with the round in which its time is up."""
SHAPES = {"model.layers.0.q_proj.weight": (4, 3), "model.norm.weight": (3,), "lm_head.weight": (6, 3)}


Test = Callable[..., None]


def fuzzed(**strategies: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """`given`, again and again until the test's time is up; the seed of a round is its number."""

    def decorate(test: Test) -> Test:
        drawn = settings(
            max_examples=ROUND, suppress_health_check=list(HealthCheck), deadline=None, database=None
        )(given(**strategies)(test))

        @functools.wraps(drawn)
        def repeated(*args: Any, **fixtures: Any) -> None:
            until = time.monotonic() + SECONDS
            for number in itertools.count():
                seed(number)(drawn)(*args, **fixtures)
                if time.monotonic() > until:
                    return

        return repeated

    return decorate


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good checkpoint for the other side."""
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    write_sparse(path, SHAPES)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the fuzzed checkpoints lie; rewritten for every example."""
    return tmp_path_factory.mktemp("fuzzed")


def check(base: Path, tuned: Path) -> None:
    """Both ways round: one line or rows, soon; and what is paired is read, or one line says why not."""
    for sides in ((base, tuned), (tuned, base)):
        started = time.process_time()
        rows = opened(*sides)
        assert time.process_time() - started < PATIENCE
        for pair in [row.pair for row in rows if row.pair][:READ]:
            check_read(pair)


def opened(base: Path, tuned: Path) -> list[Row]:
    """The rows; none of what is refused."""
    rows: list[Row] = []
    refusal(lambda: rows.extend(open_pairing(str(base), str(tuned)).rows))
    return rows


def check_read(pair: MatrixPair) -> None:
    """Both sides have the row's shape, or it is said why they can't be had."""
    with contextlib.suppress(ReadError):
        base, _ = assemble(pair.base, CPU)
        assert isinstance(base, torch.Tensor)
        assert base.shape == pair.shape
        tuned, _ = assemble(pair.tuned, CPU, against=Against(pair.base, base))
        made = tuned.dense(torch.float32) if isinstance(tuned, LoraFactors) else tuned
        assert made.shape == pair.shape


NAMES = st.one_of(
    st.sampled_from(
        [
            *SHAPES,
            *("q.weight", "q.weight_scale", "q.weight_scale_inv", "q.SCB", "q.qweight", "q.weight_packed"),
            *("q.weight_shape", "q.weight.absmax", "q.weight.quant_map", "q.weight.nested_absmax"),
            *("q.weight.quant_state.bitsandbytes__nf4", "m.experts.gate_up_proj", "m.experts.down_proj"),
            *(
                "m.experts.gate_up_proj_blocks",
                "m.experts.gate_up_proj_scales",
                "m.experts.0.gate_proj.weight",
            ),
            *("a.qkv_proj.weight", "a.q_proj.weight", "a.k_proj.weight", "a.v_proj.weight", "q.bias"),
            *("m.block_sparse_moe.experts.0.w1.weight", "module.model.norm.weight", "__metadata__", ""),
        ]
    ),
    st.lists(
        st.sampled_from(["model", "layers", "0", "1", "q_proj", "weight", "[/0]", "\x1b[2J", "\u202e"])
    ).map(".".join),
    st.text(max_size=12),
)
SIZES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 6, 16, 32, 2**31, 2**62, -1]), max_size=4)
DTYPES = st.sampled_from(["F32", "BF16", "F8_E4M3", "I8", "U8", "I32", "I64", "F4", "BOOL", "F7", "", 3])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
ENTRY = (
    st.fixed_dictionaries(
        {
            "dtype": DTYPES,
            "shape": SIZES,
            "data_offsets": st.lists(st.integers(-1, 200), min_size=2, max_size=2),
        }
    )
    | JSON
)


@fuzzed(header=st.dictionaries(NAMES, ENTRY, max_size=6), extra=st.integers(0, 64), cut=st.integers(0, 12))
def test_any_header(base: Path, place: Path, header: dict[str, Any], extra: int, cut: int) -> None:
    encoded = json.dumps(header).encode()
    path = place / "x.safetensors"
    path.write_bytes((len(encoded).to_bytes(8, "little") + encoded + bytes(extra))[cut // 6 :])
    check(base, path)


@fuzzed(content=st.binary(max_size=300), length=st.integers(0, 2**64 - 1) | st.integers(0, 300))
def test_any_bytes(base: Path, place: Path, content: bytes, length: int) -> None:
    for name in ("x.safetensors", "x.pt", "x"):
        (place / name).write_bytes(length.to_bytes(8, "little") + content)
        check(base, place / name)


def layouts(shapes: st.SearchStrategy[list[int]]) -> st.SearchStrategy[tuple[str, tuple[int, ...]]]:
    dtypes = st.sampled_from(["F32", "BF16", "F8_E4M3", "I8", "U8", "I32", "I64"])
    return st.tuples(dtypes, shapes.map(tuple))


SMALL = st.lists(st.sampled_from([0, 1, 2, 3, 4, 6, 8, 16, 32]), max_size=4)
TORCH = {
    "F32": torch.float32,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "I8": torch.int8,
    "U8": torch.uint8,
    "I32": torch.int32,
    "I64": torch.int64,
}


@fuzzed(
    tensors=st.dictionaries(NAMES.filter(lambda n: n != "__metadata__"), layouts(SMALL), max_size=8),
    other=st.dictionaries(NAMES.filter(lambda n: n != "__metadata__"), layouts(SMALL), max_size=8),
    config=JSON | st.fixed_dictionaries({"model_type": st.sampled_from(["gpt2", "gpt_oss", "falcon"])}),
)
def test_any_two_files_that_are_well_formed(
    place: Path, tensors: dict[str, Any], other: dict[str, Any], config: Any
) -> None:
    (place / "config.json").write_text(json.dumps(config))
    for file, wanted in (("a.safetensors", tensors), ("b.safetensors", other)):
        write_tensors(
            place / file,
            {name: torch.zeros(shape, dtype=TORCH[dtype]) for name, (dtype, shape) in wanted.items()},
        )
    check(place / "a.safetensors", place / "b.safetensors")


@fuzzed(
    document=JSON
    | st.fixed_dictionaries(
        {
            "weight_map": st.dictionaries(
                NAMES,
                st.sampled_from(
                    [
                        "a.safetensors",
                        "b.safetensors",
                        "../a.safetensors",
                        "/etc/passwd",
                        "fifo.safetensors",
                        "",
                        3,
                    ]
                ),
                max_size=5,
            )
        }
    )
)
def test_any_index(base: Path, place: Path, document: Any) -> None:
    directory = place / "sharded"
    if not directory.exists():
        directory.mkdir()
        write_sparse(directory / "a.safetensors", SHAPES)
        os.mkfifo(directory / "fifo.safetensors")
    (directory / "model.safetensors.index.json").write_text(json.dumps(document))
    check(base, directory)


@fuzzed(
    fields=st.dictionaries(
        st.sampled_from(
            [
                *("peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora"),
                *("fan_in_fan_out", "init_lora_weights", "layer_replication", "target_parameters"),
                *(
                    "trainable_token_indices",
                    "modules_to_save",
                    "base_model_name_or_path",
                    "revision",
                    "bias",
                ),
            ]
        ),
        JSON
        | st.sampled_from(["LORA", "LOHA", "IA3", "pissa", "olora", [[0, 1]], {"(a+)+$": 2}, {"q": 1e9}]),
    ),
    keys=st.lists(
        st.sampled_from(
            [
                *(
                    "lora_A.weight",
                    "lora_B.weight",
                    "lora_embedding_A",
                    "lora_magnitude_vector",
                    "base_layer.weight",
                ),
                *("token_adapter.trainable_tokens_delta", "lora_A.default.weight", "hada_w1_a", "oft_r"),
            ]
        ),
        unique=True,
    ),
    shape=SMALL,
)
def test_any_adapter(
    base: Path, place: Path, fields: dict[str, Any], keys: list[str], shape: list[int]
) -> None:
    directory = place / "adapter"
    directory.mkdir(exist_ok=True)
    (directory / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **fields}))
    tensors = {f"base_model.model.model.layers.0.q_proj.{key}": torch.zeros(shape) for key in keys}
    write_tensors(directory / "adapter_model.safetensors", tensors)
    check(base, directory)


OPCODES = st.lists(
    st.sampled_from(
        [
            *(
                b"(",
                b")",
                b"]",
                b"}",
                b"l",
                b"d",
                b"t",
                b"\x85",
                b"\x86",
                b"\x87",
                b"R",
                b"Q",
                b"b",
                b"u",
                b"s",
            ),
            *(
                b"a",
                b"e",
                b"0",
                b"2",
                b"N",
                b"\x88",
                b"\x89",
                b"K\x01",
                b"K\x00",
                b"q\x00",
                b"h\x00",
                b"\x93",
            ),
            *(b"X\x01\x00\x00\x00a", b"X\x07\x00\x00\x00storage", b"X\x03\x00\x00\x00cpu", b"\x94"),
            *(
                b"ctorch\nFloatStorage\n",
                b"ctorch._utils\n_rebuild_tensor_v2\n",
                b"ccollections\nOrderedDict\n",
            ),
            *(b"cos\nsystem\n", b"ios\nsystem\n", b"\x81", b"\x92", b"o", b"r\xff\xff\xff\x7f", b"M\xff\xff"),
        ]
    ),
    max_size=40,
).map(b"".join)


@fuzzed(program=OPCODES)
def test_any_pickle(base: Path, place: Path, program: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02" + program + b".")
        archive.writestr("x/data/a", bytes(16))
    (place / "x.pt").write_bytes(buffer.getvalue())
    check(base, place / "x.pt")


@fuzzed(
    argument=st.text(max_size=30) | st.sampled_from(["hf://a/b", "a/b@c", "~nobody/x", "\0", "/", ".", "//"])
)
def test_any_argument(argument: str) -> None:
    started = time.process_time()
    if not Path(argument.replace("\0", "0") or "x").exists():
        refusal(lambda: open_pairing(argument, argument))
        refusal(lambda: expand_series(argument))
    assert time.process_time() - started < PATIENCE


def nested(depth: int) -> Iterator[Any]:
    value: Any = {"a": torch.zeros(2)}
    for _ in range(depth):
        value = {"state_dict": value}
        yield value


def test_deep_nesting_ends(place: Path) -> None:
    for value in nested(60):
        torch.save(value, place / "deep.pt")
        refusal(lambda: read_weight_header(place / "deep.pt"))
    (place / "deeper.pt").write_bytes(pickle.dumps([[]]))
    assert refusal(lambda: read_weight_header(place / "deeper.pt"))


@pytest.mark.parametrize(
    "error", [KeyError("x"), RecursionError(), MemoryError(), UnicodeDecodeError("a", b"", 0, 0, "")]
)
def test_an_exception_that_is_not_ours_fails_these_tests(
    base: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(pairing_module, "model_rows", broken)
    with pytest.raises(type(error)):
        check(base, base)


def test_an_answer_that_takes_too_long_fails_these_tests(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check.__globals__, "PATIENCE", 0.0)
    with pytest.raises(AssertionError):
        check(base, base)
