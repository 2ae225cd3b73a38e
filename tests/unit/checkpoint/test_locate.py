"""From an argument to files: precedence, indexes made to escape, and every refusal by name."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.sparse import write_model, write_sparse

from intruder_tui.checkpoint import CheckpointError, RowKind, open_pairing
from intruder_tui.checkpoint.catalog import open_catalog
from intruder_tui.checkpoint.locate import Kind, locate

SHAPES = {f"layers.{n}.up_proj.weight": (4, 3) for n in range(6)}


def index(directory: Path, document: Any) -> Path:
    path = directory / "model.safetensors.index.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_catalog(locate(str(path)))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_each_layout_is_found(tmp_path: Path) -> None:
    write_model(tmp_path / "single", SHAPES)
    write_model(tmp_path / "sharded", SHAPES, shards=3)
    file = tmp_path / "weights.safetensors"
    write_sparse(file, SHAPES)
    assert locate(str(tmp_path / "single")).kind is Kind.MODEL
    sharded = locate(str(tmp_path / "sharded"))
    assert (sharded.kind, len(sharded.files)) == (Kind.SHARDED, 3)
    assert locate(str(tmp_path / "sharded" / "model.safetensors.index.json")).files == sharded.files
    assert locate(str(file)).kind is Kind.FILE
    assert all(path.is_absolute() for path in sharded.files)
    for argument in (tmp_path / "single", tmp_path / "sharded", file):
        assert set(open_catalog(locate(str(argument))).tensors) == set(SHAPES)


def test_two_dots_are_taken_out_where_that_leads_to_the_same_place(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "runs"
    elsewhere.mkdir(parents=True)
    for directory in (tmp_path / "x", elsewhere.parent / "x"):
        write_model(directory, SHAPES)
    (tmp_path / "plain").mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    (file,) = locate(f"{tmp_path}/plain/../x").files
    assert file == tmp_path / "x" / "model.safetensors"
    (other,) = locate(f"{tmp_path}/link/../x").files
    assert other.samefile(elsewhere.parent / "x" / "model.safetensors")
    assert locate(f"{tmp_path}/x/../plain/../x").label == "x"


def test_a_single_file_takes_precedence_and_the_index_is_mentioned(tmp_path: Path) -> None:
    write_model(tmp_path / "x", SHAPES, shards=2)
    write_sparse(tmp_path / "x" / "model.safetensors", {"only.weight": (2, 2)})
    located = locate(str(tmp_path / "x"))
    assert [file.name for file in located.files] == ["model.safetensors"]
    assert "model.safetensors.index.json is also there" in located.notes[0]


def test_a_shard_or_a_blob_can_be_given_alone(tmp_path: Path) -> None:
    write_model(tmp_path / "x", SHAPES, shards=3)
    shard = tmp_path / "x" / "model-00002-of-00003.safetensors"
    assert locate(str(shard)).notes == ("one shard of 3; give the directory to compare the whole model",)
    blob = shard.rename(tmp_path / "0123abcd")
    assert locate(str(blob)).kind is Kind.FILE


@pytest.mark.parametrize(
    "shard",
    [
        "../secret.safetensors",
        "/etc/passwd",
        "/elsewhere/x.safetensors",
        "sub/x.safetensors",
        "..",
        "",
        "x\0.safetensors",
        "x\x1b[2J.safetensors",
        "a\\b.safetensors",
        "training_args.bin",
        "x" * 300 + ".safetensors",
        7,
        None,
        ["x.safetensors"],
        {"a": 1},
        float("nan"),
    ],
)
def test_an_index_names_plain_files_only(tmp_path: Path, shard: Any) -> None:
    write_sparse(tmp_path / "secret.safetensors", SHAPES)
    directory = tmp_path / "model"
    directory.mkdir()
    index(directory, {"weight_map": {"a.weight": shard}})
    assert "not the plain name of a .safetensors file" in refusal(directory)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "not JSON"),
        ("[]", "a JSON list"),
        ("7", "a JSON int"),
        ("{}", "no weight_map"),
        ('{"weight_map": []}', "no weight_map"),
        ('{"weight_map": {}}', "no weight_map"),
        ('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}', "same key twice"),
        pytest.param("[" * 100_000, "nested too deeply|not JSON", id="deep list"),
        pytest.param('{"weight_map": {"a": ' * 30_000, "nested too deeply|not JSON", id="deep object"),
        pytest.param("[" + "[]," * 1_000_000 + "[]]", "JSON values", id="many values"),
        pytest.param('{"weight_map": ' + "9" * 5000 + "}", "not JSON", id="many digits"),
    ],
)
def test_a_malformed_index_is_one_line(tmp_path: Path, document: str, said: str) -> None:
    index(tmp_path, document)
    started = time.perf_counter()
    with pytest.raises(CheckpointError, match=said):
        locate(str(tmp_path))
    assert time.perf_counter() - started < 1


def test_an_oversized_index_is_not_read(tmp_path: Path) -> None:
    os.truncate(index(tmp_path, ""), 65_000_000)
    assert "65000000 bytes; at most" in refusal(tmp_path)


def test_shards_that_are_special_files_are_refused(tmp_path: Path) -> None:
    index(tmp_path, {"weight_map": {"a.weight": "x.safetensors"}})
    assert "none of the 1 shards" in refusal(tmp_path)
    os.mkfifo(tmp_path / "x.safetensors")
    assert "named pipe" in refusal(tmp_path)
    (tmp_path / "x.safetensors").unlink()
    (tmp_path / "x.safetensors").symlink_to("/dev/zero")
    assert "character device" in refusal(tmp_path)
    (tmp_path / "x.safetensors").unlink()
    (tmp_path / "x.safetensors").mkdir()
    assert "a directory" in refusal(tmp_path)
    (tmp_path / "x.safetensors").rmdir()
    (tmp_path / "x.safetensors").symlink_to("x.safetensors")
    assert "none of the 1 shards" in refusal(tmp_path)


def test_an_index_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").symlink_to("model.safetensors.index.json")
    assert "symbolic links" in refusal(tmp_path)


def test_missing_shards_are_counted_and_named_on_the_rows(tmp_path: Path) -> None:
    write_model(tmp_path / "base", SHAPES)
    write_model(tmp_path / "x", SHAPES, shards=3)
    lost = tmp_path / "x" / "model-00002-of-00003.safetensors"
    lost.unlink()
    pairing = open_pairing(str(tmp_path / "base"), str(tmp_path / "x"))
    assert pairing.tuned.notes == (f"1 of 3 shards is missing, {lost.name}; its tensors can't be compared",)
    reasons = {row.reason for row in pairing.rows if row.kind is RowKind.REFUSED}
    assert reasons == {f"the tuned checkpoint's shard {lost.name} is missing"}
    (tmp_path / "x" / "model-00003-of-00003.safetensors").unlink()
    assert locate(str(tmp_path / "x")).notes == (
        f"2 of 3 shards are missing, such as {lost.name}; their tensors can't be compared",
    )


def test_what_the_index_promises_and_the_shard_lacks_is_absent_with_a_reason(tmp_path: Path) -> None:
    write_model(tmp_path / "x", SHAPES, shards=2)
    path = tmp_path / "x" / "model.safetensors.index.json"
    document = json.loads(path.read_text())
    document["weight_map"]["ghost.weight"] = "model-00001-of-00002.safetensors"
    del document["weight_map"]["layers.5.up_proj.weight"]
    path.write_text(json.dumps(document))
    catalog = open_catalog(locate(str(tmp_path / "x")))
    assert catalog.absent == {"ghost.weight": "shard model-00001-of-00002.safetensors does not hold it"}
    assert "layers.5.up_proj.weight" in catalog.tensors
    assert "1 tensor lies in the shards but not in the index" in catalog.notes


def test_a_name_in_two_shards_belongs_to_the_one_the_index_says(tmp_path: Path) -> None:
    write_sparse(tmp_path / "a.safetensors", {"w": (2, 2)})
    write_sparse(tmp_path / "b.safetensors", {"w": (3, 3), "v": (1, 1)})
    index(tmp_path, {"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}})
    assert open_catalog(locate(str(tmp_path))).tensors["w"].shape == (2, 2)
    write_sparse(tmp_path / "a.safetensors", {"w": (2, 2), "x": (1, 1)})
    write_sparse(tmp_path / "b.safetensors", {"x": (3, 3), "v": (1, 1)})
    assert "x is in two shards and not in the index" in refusal(tmp_path)


def test_distributed_shards_are_never_taken_for_whole_tensors(tmp_path: Path) -> None:
    names = [f"shard-0000{rank}-model-00001-of-00001.safetensors" for rank in (0, 1)]
    for name in names:
        write_sparse(tmp_path / name, {"w": (2, 4)}, metadata={"DCP_SHARDING_INFO": "{}"})
    assert "a part of every tensor" in refusal(tmp_path)
    assert "a part of each tensor" in refusal(tmp_path / names[0])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ((), "it is empty"),
        (("README.md", "training_args.bin", "optimizer.pt"), "no model.safetensors, index or adapter"),
        (("pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin"), "not JSON"),
        (("model-00001-of-00002.safetensors",), "still being written"),
        (("adapter_model.safetensors",), "scaling can't be known"),
        (("adapter_config.json",), "incomplete"),
        (("adapter_config.json", "adapters.safetensors"), "MLX"),
        ((".metadata", "__0_0.distcp"), "accelerate merge-weights"),
        (("pytorch_model_fsdp_0/.metadata",), "accelerate merge-weights"),
        (("latest", "zero_to_fp32.py", "global_step5/mp_rank_00_model_states.pt"), "DeepSpeed"),
        (("latest_checkpointed_iteration.txt",), "Megatron"),
        (("common.pt", "metadata.json", ".metadata", "__0_0.distcp"), "Megatron"),
        (("saved_model.pb", "variables/variables.index"), "TensorFlow SavedModel"),
        (("rank0.engine",), "TensorRT"),
        (("consolidated.00.pth", "params.json"), "Meta's consolidated"),
        (("consolidated.safetensors",), "Mistral"),
        (("llama-7b.Q4_0.gguf",), "GGUF"),
        (("tf_model.h5",), "TensorFlow"),
        (("flax_model.msgpack",), "Flax"),
        (("model.onnx",), "ONNX"),
        (("weights.npz",), "MLX"),
        (("model_index.json", "transformer/config.json"), "diffusers pipeline"),
        (("checkpoint-10/x", "checkpoint-9/x", "checkpoint-x/x"), "checkpoint-9, checkpoint-10$"),
        (("good/adapter_config.json",), "give one of them: adapter good"),
        (
            ("a/model.safetensors", "b/pytorch_model.bin", "c/adapter_config.json", "d/notes.txt"),
            "give one of them: models a, b; adapter c$",
        ),
        (("refs/main", "snapshots/abc/model.safetensors"), "snapshots/abc"),
    ],
)
def test_directories_that_are_not_read_are_refused_by_name(
    tmp_path: Path, names: tuple[str, ...], said: str
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=said):
        locate(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("old.bin", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(60), "before 1.6.*torch.save"),
        ("training_args.bin", b"PK\x03\x04" + bytes(60), "a trainer's own file"),
        ("optimizer.pt", b"PK\x03\x04" + bytes(60), "a trainer's own file"),
        ("arrays.npz", b"PK\x03\x04" + bytes(60), "NumPy .npz"),
        ("model.gguf", b"GGUF" + bytes(60), "GGUF"),
        ("notes.txt", b"hello, this is text", "not a safetensors or PyTorch file"),
    ],
)
def test_files_that_are_not_read_are_refused_by_name(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        locate(str(tmp_path / name))


def test_arguments_that_lead_nowhere(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for argument, said in (
        (str(tmp_path / "absent"), "no such file or directory$"),
        ("meta-llama/Llama-2-7b-hf", "not in the hub cache .* --download fetches it"),
        ("hf://org/name", "not in the hub cache"),
        ("README", "no such file or directory, and not in the hub cache [^;]*$"),
        (str(tmp_path / "fifo"), "named pipe"),
        ("/dev/zero", "character device"),
        ("a\0b", "null"),
        ("\x1b[31m", r"^\\x1b"),
    ):
        with pytest.raises(CheckpointError, match=said):
            locate(argument)


def test_unreadable_config_is_a_note(tmp_path: Path) -> None:
    write_model(tmp_path / "x", SHAPES)
    (tmp_path / "x" / "config.json").write_text("{")
    pairing = open_pairing(str(tmp_path / "x"), str(tmp_path / "x"))
    assert len(pairing.pairs) == 6
    assert any(note.startswith("not used: ") for note in pairing.base.notes)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    document=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["weight_map", "a"]) | st.text(), inner)
        ),
        max_leaves=8,
    )
)
def test_any_index_opens_or_is_refused_in_one_line(tmp_path: Path, document: Any) -> None:
    index(tmp_path, document)
    assert refusal(tmp_path)
