"""What opening and reading must not do: touch more than they need, write, or leave the machine."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants, snapshot_download
from safetensors.torch import load_file
from tests.support.adapters import write_adapter
from tests.support.inline import solved
from tests.support.writers import make_llama

from intruder_tui.cache import Cache
from intruder_tui.checkpoint import RowKind, expand_series, hub, open_pairing
from intruder_tui.checkpoint.locate import locate
from intruder_tui.definition import Definition
from intruder_tui.engine.assemble import assemble
from intruder_tui.views.update import warning

CPU = torch.device("cpu")


def test_a_matrix_opens_its_own_shard_alone(models: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(models / "llama_sharded", tmp_path / "sharded")
    pairing = open_pairing(str(models / "llama"), str(directory))
    pair = pairing.pairs[3]
    own = [path for path in directory.iterdir() if pair.name in shard_names(path)]
    assert len(own) == 1
    for path in directory.iterdir():
        if path not in own:
            path.unlink()
    weight, _ = assemble(pair.tuned, CPU)
    assert isinstance(weight, torch.Tensor)
    assert torch.equal(weight, make_llama().state_dict()[pair.name])


def shard_names(path: Path) -> set[str]:
    return set(load_file(path)) if path.suffix == ".safetensors" else set()


def test_a_tied_head_is_said_to_be_shown_once(models: Path) -> None:
    pairing = open_pairing(str(models / "llama_tied"), str(models / "llama_tied"))
    said = "tied weights, shown once: lm_head.weight with model.embed_tokens.weight"
    assert said in pairing.base.notes
    assert "lm_head.weight" not in {row.name for row in pairing.rows}


def test_bare_and_headed_models_have_every_tensor_paired(models: Path) -> None:
    for first, second in (("llama", "llama_bare"), ("llama_bare", "llama")):
        rows = open_pairing(str(models / first), str(models / second)).rows
        alone = [row.name for row in rows if row.kind is RowKind.UNPAIRED]
        assert alone == ["lm_head.weight"]
        assert len(rows) == 21


def listing(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    } | {str(path): (path.stat().st_mtime_ns, 0, b"") for path in directory.rglob("*") if path.is_dir()}


def test_nothing_is_written_beside_a_checkpoint_and_no_address_is_looked_up(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was asked")

    shutil.copytree(models / "llama", tmp_path / "pair" / "base")
    write_adapter(make_llama(), tmp_path / "pair" / "tuned", target_modules=["q_proj"])
    for name in ("modeling_llama.py", "zero_to_fp32.py", "__init__.py", "conftest.py"):
        (tmp_path / "pair" / "base" / name).write_text("raise SystemExit('code of a checkpoint was run')")
    before = listing(tmp_path / "pair")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with monkeypatch.context() as patched:
        for function in ("getaddrinfo", "create_connection"):
            patched.setattr(socket, function, called)
        patched.setattr(socket.socket, "connect", called)
        expand_series("org/name")
        with pytest.raises(Exception, match="not in the hub cache"):
            locate("org/name@main")
        session = solved(tmp_path / "pair" / "base", tmp_path / "pair" / "tuned", Cache(tmp_path / "cache"))
        counts = [session.count(name, Definition()) for name in session.default_names]
    assert None not in counts
    assert listing(tmp_path / "pair") == before


@pytest.mark.parametrize("strength", [0.0005, 0.1])
def test_a_merge_into_bfloat16_shows_its_rounding(tmp_path: Path, strength: float) -> None:
    model = make_llama().bfloat16()
    model.save_pretrained(tmp_path / "base")
    tuned = write_adapter(model, tmp_path / "adapter", target_modules=["q_proj"])
    exact: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for name, module in tuned.named_modules():
            if name.endswith("q_proj"):
                module.lora_A["default"].weight.normal_(std=strength)
                exact[f"{name.removeprefix('base_model.model.')}.weight"] = (
                    1.5 * module.lora_B["default"].weight.double() @ module.lora_A["default"].weight.double()
                )
    base = load_file(tmp_path / "base" / "model.safetensors")
    merged = tuned.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    after = load_file(tmp_path / "merged" / "model.safetensors")
    session = solved(tmp_path / "base", tmp_path / "merged", Cache(tmp_path / "cache"))
    assert len(exact) == 2
    for name, delta in exact.items():
        result = session.result(name)
        assert result is not None
        update, stored = result.update, after[name].double() - base[name].double()
        assert update.frobenius == pytest.approx(float(stored.norm()), rel=1e-4)
        assert update.rounding_floor is not None
        # PEFT rounds the product before it is added; of entries that did not change the floor counts nothing.
        assert update.rounding_floor == pytest.approx(float((stored - delta).norm()), rel=0.6)
        assert bool(warning(update)) == (strength < 0.01)
    untouched = session.result("model.layers.0.mlp.up_proj.weight")
    assert untouched is not None
    assert untouched.update.frobenius == 0
    assert not warning(untouched.update)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Path) -> str:
    """A cached repository with two commits, main on the second; gives the second's hash."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    entry = tmp_path / "hub" / "models--org--tiny"
    for commit, source in (("c" * 40, "llama_sharded"), ("d" * 40, "llama")):
        snapshot = entry / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (entry / "blobs").mkdir(exist_ok=True)
        for file in (models / source).iterdir():
            blob = entry / "blobs" / f"{commit[:6]}{file.name}"
            shutil.copy(file, blob)
            (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
    (entry / "refs" / "refs" / "pr").mkdir(parents=True)
    (entry / "refs" / "main").write_text("d" * 40)
    (entry / "refs" / "v1.0").write_text("c" * 40)
    (entry / "refs" / "refs" / "pr" / "3").write_text("c" * 40)
    return "d" * 40


@pytest.mark.parametrize("revision", ["", "main", "v1.0", "refs/pr/3", "c" * 40])
def test_the_hubs_own_client_resolves_names_alike(
    repository: str, tmp_path: Path, models: Path, revision: str
) -> None:
    theirs = snapshot_download(
        "org/tiny", revision=revision or None, local_files_only=True, cache_dir=tmp_path / "hub"
    )
    for scheme in ("", "hf://"):
        located = locate(f"{scheme}org/tiny{'@' + revision if revision else ''}")
        assert str(located.directory) == theirs
    pairing = open_pairing(f"org/tiny@{revision or 'main'}", str(models / "llama"))
    assert len(pairing.pairs) == 14


def test_the_hubs_own_client_keeps_its_cache_where_we_look(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert hub.cache_directory() == Path(constants.default_cache_path).expanduser()


@pytest.mark.parametrize("lone", [False, True])
def test_t5s_encoder_is_not_taken_for_its_decoder(tmp_path: Path, lone: bool) -> None:
    from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

    config = T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=64)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path / "whole")
    model = T5EncoderModel(config)
    model.save_pretrained(tmp_path / "encoder")
    state = {
        name.removeprefix("encoder."): one
        for name, one in model.state_dict().items()
        if name.startswith("encoder.block")
    }
    torch.save(state, tmp_path / "lone.pt")
    tuned = tmp_path / ("lone.pt" if lone else "encoder")
    for arguments in ((tmp_path / "whole", tuned), (tuned, tmp_path / "whole")):
        pairing = open_pairing(*map(str, arguments))
        if lone:
            assert pairing.pairs == []
            assert "names have more than one likely partner" in pairing.notes[0]
            assert "--map" in pairing.notes[0]
            assert any("ambiguous" in row.reason for row in pairing.rows)
        else:
            assert len(pairing.pairs) == 12
            assert all(pair.name.startswith("encoder.") for pair in pairing.pairs)


def test_whispers_convolutions_over_time(tmp_path: Path) -> None:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    size = {"encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    positions = {"num_mel_bins": 8, "max_source_positions": 10, "max_target_positions": 10}
    config = WhisperConfig(d_model=32, vocab_size=64, **size, **heads, **tokens, **positions)
    WhisperForConditionalGeneration(config).save_pretrained(tmp_path)
    pairing = open_pairing(str(tmp_path), str(tmp_path))
    state = load_file(tmp_path / "model.safetensors")
    convolutions = [pair for pair in pairing.pairs if ".conv" in pair.name]
    assert [pair.shape for pair in convolutions] == [(32, 8 * 3), (32, 32 * 3)]
    for pair in convolutions:
        weight, _ = assemble(pair.tuned, CPU)
        assert isinstance(weight, torch.Tensor)
        assert torch.equal(weight, state[pair.name].flatten(1))
    analysed = {pair.name for pair in pairing.pairs}
    assert not [name for name in analysed if "embed_positions" in name or state[name].ndim < 2]
