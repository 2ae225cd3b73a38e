"""Names in the hub cache: resolved by references, tags, commits and their beginnings; never by network."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from tests.support.sparse import write_model

from intruder_tui.checkpoint import CheckpointError, open_pairing
from intruder_tui.checkpoint.hub import HubName, cache_directory, download, hub_name, needed_files
from intruder_tui.checkpoint.locate import locate, located_directory

SHAPES = {"layers.0.up_proj.weight": (4, 3), "layers.1.up_proj.weight": (4, 3)}
MAIN, OLD = "a1" * 20, "b2" * 20


def cached(root: Path, repository: str, commit: str, *references: str, shards: int = 1) -> Path:
    """A repository as the hub's client lays it out: snapshots of links to blobs."""
    entry = root / ("models--" + repository.replace("/", "--"))
    snapshot = entry / "snapshots" / commit
    model = write_model(root / "written" / repository / commit, SHAPES, shards)
    (entry / "blobs").mkdir(parents=True, exist_ok=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(model.iterdir())):
        blob = f"{commit[:4]}{number}"
        file.rename(entry / "blobs" / blob)
        (snapshot / file.name).symlink_to(f"../../blobs/{blob}")
    for reference in references:
        (entry / "refs" / reference).parent.mkdir(parents=True, exist_ok=True)
        (entry / "refs" / reference).write_text(commit)
    return snapshot


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with org/name (main, a tag, a pull request, an older commit) and one with gpt2."""
    for variable in ("HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    root = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(root))
    cached(root, "org/name", MAIN, "main", "v1.0", "refs/pr/3")
    cached(root, "org/name", OLD)
    cached(root, "gpt2", OLD)
    monkeypatch.chdir(tmp_path)
    return root


@pytest.mark.parametrize(
    ("argument", "commit"),
    [
        ("org/name", MAIN),
        ("hf://org/name", MAIN),
        ("https://huggingface.co/org/name", MAIN),
        ("https://huggingface.co/org/name/tree/v1.0", MAIN),
        ("org/name@main", MAIN),
        ("org/name@v1.0", MAIN),
        ("org/name@refs/pr/3", MAIN),
        (f"org/name@{OLD}", OLD),
        ("org/name@b2b2b2", OLD),
        ("hf://org/name@b2b2b2", OLD),
        ("gpt2", OLD),
    ],
)
def test_names_are_resolved_offline(hub: Path, argument: str, commit: str) -> None:
    located = locate(argument)
    assert located.directory.name == commit
    assert located.label in ("org/name", "gpt2")
    assert len(open_pairing(argument, argument).pairs) == 2


@pytest.mark.parametrize("form", ["blob/v1.0/{}", "resolve/main/{}?download=true"])
def test_a_link_to_a_file_names_that_file(hub: Path, form: str) -> None:
    argument = "https://huggingface.co/org/name/" + form.format("model.safetensors")
    located = locate(argument)
    assert [file.name for file in located.files] == ["model.safetensors"]
    assert located.directory.name == MAIN
    assert len(open_pairing("org/name", argument).pairs) == 2
    assert located_directory(argument) is None


def test_the_only_snapshot_is_taken_with_a_word(hub: Path) -> None:
    assert any("no main revision" in note for note in locate("gpt2").notes)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("org/absent", "not in the hub cache .*--download fetches it"),
        ("org/name@v9", "revision v9 is not known in the hub cache; there are main, v1.0"),
        ("org/name@ffff", "not known"),
        ("org/name@../../../etc", "no such file"),
        ("org/name@refs/../../x", "no such file"),
        ("../org/name", "no such file"),
        (
            "https://huggingface.co/org/name/blob/main/x.safetensors",
            "x.safetensors is not in the hub cache at a1a1",
        ),
        ("https://huggingface.co/org/name/blob/main/../../x.safetensors", "no such file"),
        ("org/na me", "no such file"),
        ("hf://", "no such file"),
        ("a/b/c", "no such file"),
    ],
)
def test_what_is_not_there_is_one_line(hub: Path, argument: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        locate(argument)
    assert "\n" not in str(caught.value)


def test_references_that_lead_astray_are_not_followed(hub: Path) -> None:
    refs = hub / "models--org--name" / "refs"
    (refs / "evil").write_text("../../../../secret")
    (refs / "loop").symlink_to("loop")
    for revision in ("evil", "loop"):
        with pytest.raises(CheckpointError, match="not known in the hub cache"):
            locate(f"org/name@{revision}")


def test_an_existing_path_wins_over_a_name(hub: Path) -> None:
    write_model(hub.parent / "org" / "name@main", SHAPES)
    assert locate("org/name@main").directory == hub.parent / "org" / "name@main"


def test_a_snapshot_that_lacks_a_shard_names_it(hub: Path) -> None:
    snapshot = cached(hub, "org/big", MAIN, "main", shards=2)
    (snapshot / "model-00002-of-00002.safetensors").resolve().unlink()
    located = locate("org/big")
    assert located.missing == ("model-00002-of-00002.safetensors",)
    assert len(open_pairing("org/big", "org/big").pairs) == 1


def test_the_cache_is_where_the_clients_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {
        "XDG_CACHE_HOME": ("/x", "/x/huggingface/hub"),
        "HF_HOME": ("/h", "/h/hub"),
        "HUGGINGFACE_HUB_CACHE": ("/old", "/old"),
        "HF_HUB_CACHE": ("/new", "/new"),
    }
    for variable in order:
        monkeypatch.delenv(variable, raising=False)
    assert cache_directory() == Path.home() / ".cache/huggingface/hub"
    for variable, (value, expected) in order.items():
        monkeypatch.setenv(variable, value)
        assert cache_directory() == Path(expected)


def test_only_one_form_of_the_weights_is_fetched() -> None:
    files = [
        *("README.md", "config.json", "model.safetensors.index.json", "pytorch_model.bin", "onnx/model.onnx"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.fp16.safetensors"),
        *("training_args.bin", "modeling_x.py", "original/consolidated.00.pth"),
    ]
    assert set(needed_files(files)) == {
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    }
    assert needed_files(["pytorch_model.bin", "config.json"]) == ["config.json", "pytorch_model.bin"]
    assert needed_files(["adapter_config.json", "adapter_model.safetensors"]) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_downloading_goes_through_the_hubs_own_client(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Api:
        def list_repo_files(self, repository: str, revision: str | None) -> list[str]:
            asked.append((repository, revision))
            return ["config.json", "model.safetensors"]

    def snapshot_download(repository: str, **options: Any) -> str:
        asked.append((repository, options))
        return str(cached(hub, repository, MAIN, "main"))

    client = types.ModuleType("huggingface_hub")
    client.HfApi, client.snapshot_download = Api, snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    download(HubName("org/new", "main"))
    assert asked[0] == ("org/new", "main")
    assert asked[1][1] == {
        "revision": "main",
        "allow_patterns": ["config.json", "model.safetensors"],
        "cache_dir": hub,
    }
    assert len(open_pairing("org/new", "org/new").pairs) == 2
    asked.clear()
    download(HubName("org/one", "main", "weights/a.safetensors"))
    assert asked[1][1]["allow_patterns"] == ["config.json", "weights/a.safetensors"]
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CheckpointError, match=r"pip install 'intruder-tui\[hub\]'"):
        download(HubName("org/other"))


def test_which_arguments_can_be_names() -> None:
    assert hub_name("meta-llama/Llama-2-7b-hf") == HubName("meta-llama/Llama-2-7b-hf")
    assert hub_name("gpt2@refs/pr/1") == HubName("gpt2", "refs/pr/1")
    for argument in ("a/b/c", "/a", "a//b", "", "a b", "x--y/z", "a/..", "é", "a@b@c"):
        assert hub_name(argument) is None, argument


def test_a_hub_index_cannot_lead_out_of_its_snapshot(hub: Path) -> None:
    snapshot = cached(hub, "org/evil", MAIN, "main", shards=2)
    index = snapshot / "model.safetensors.index.json"
    index.unlink()
    index.write_text(json.dumps({"weight_map": {"a": "../../blobs/a1a10"}}))
    with pytest.raises(CheckpointError, match="plain name"):
        locate("org/evil")
