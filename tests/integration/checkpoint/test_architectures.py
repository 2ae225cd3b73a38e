"""The same weights named, fused or stored differently on the two sides, as transformers writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.support.writers import make_llama, make_mixtral

from intruder_tui.checkpoint import MatrixPair, Pairing, RowKind, open_pairing
from intruder_tui.engine.assemble import assemble

CPU = torch.device("cpu")


def matrix(pair: MatrixPair, side: str = "tuned") -> torch.Tensor:
    weight, _ = assemble(pair.tuned if side == "tuned" else pair.base, CPU)
    assert isinstance(weight, torch.Tensor)
    return weight


def on_disk_and_in_memory(model: Any, directory: Path) -> Pairing:
    """A model as save_pretrained writes it against its state dict in the names it has in memory."""
    model.save_pretrained(directory / "disk")
    torch.save(model.state_dict(), directory / "memory.pt")
    return open_pairing(str(directory / "disk"), str(directory / "memory.pt"))


def unpaired(pairing: Pairing) -> list[str]:
    return [row.name for row in pairing.rows if row.kind in (RowKind.UNPAIRED, RowKind.REFUSED)]


def check_equal(pairing: Pairing) -> None:
    for pair in pairing.pairs:
        assert torch.equal(matrix(pair, "base"), matrix(pair)), pair.name


def small_text(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": 64,
        **more,
    }


VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def make_llava() -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = CLIPVisionConfig(**VISION, image_size=8, patch_size=4, projection_dim=32)
    return LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=LlamaConfig(**small_text()), image_token_index=3)
    )


def make_gemma3() -> Any:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig

    vision = {**VISION, "image_size": 8, "patch_size": 4, "model_type": "siglip_vision_model"}
    return Gemma3ForConditionalGeneration(
        Gemma3Config(
            text_config=Gemma3TextConfig(**small_text()),
            vision_config=vision,
            mm_tokens_per_image=1,
            image_token_index=3,
            boi_token_index=4,
            eoi_token_index=5,
        )
    )


def make_qwen2_vl() -> Any:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    text = small_text(rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4})
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2}
    return Qwen2VLForConditionalGeneration(Qwen2VLConfig(text_config=text, vision_config=vision))


@pytest.mark.parametrize("make", [make_llava, make_gemma3, make_qwen2_vl])
def test_names_on_disk_pair_with_names_in_memory(make: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make()
    pairing = on_disk_and_in_memory(model, tmp_path)
    assert unpaired(pairing) == []
    assert len(pairing.pairs) >= 20
    assert len(pairing.rows) == len(load_file(tmp_path / "disk" / "model.safetensors"))
    check_equal(pairing)
    assert {pair.rule for pair in pairing.pairs} - {"exact"}


def test_experts_one_by_one_pair_with_a_stack_whichever_side_fuses(tmp_path: Path) -> None:
    model = make_mixtral()
    apart = {name: t.clone() for name, t in saved(model, tmp_path / "v4", True).items()}
    fused = saved(model, tmp_path / "v5", False)
    assert "model.layers.0.mlp.experts.gate_up_proj" in fused
    for first, second in (("v4", "v5"), ("v5", "v4")):
        pairing = open_pairing(str(tmp_path / first), str(tmp_path / second))
        assert unpaired(pairing) == []
        check_equal(pairing)
        experts = [pair for pair in pairing.pairs if ".experts." in pair.name]
        assert len(experts) == 3 * 3
        assert all(any("expert" in note for note in pair.notes) for pair in experts)
    by_name = {pair.name: pair for pair in open_pairing(str(tmp_path / "v4"), str(tmp_path / "v5")).pairs}
    name = "model.layers.0.block_sparse_moe.experts.2.w3.weight"
    assert torch.equal(matrix(by_name[name]), apart[name])


def saved(model: Any, directory: Path, original: bool) -> dict[str, torch.Tensor]:
    model.save_pretrained(directory, save_original_format=original)
    return load_file(directory / "model.safetensors")


def test_stacks_of_experts_become_a_row_an_expert_oriented_out_by_in(tmp_path: Path) -> None:
    from transformers import GptOssConfig, GptOssForCausalLM

    torch.manual_seed(0)
    model = GptOssForCausalLM(GptOssConfig(**small_text(num_local_experts=3, num_experts_per_tok=2)))
    model.save_pretrained(tmp_path)
    pairing = open_pairing(str(tmp_path), str(tmp_path))
    state = load_file(tmp_path / "model.safetensors")
    experts = {pair.name: pair for pair in pairing.pairs if ".experts." in pair.name}
    assert len(experts) == 2 * 2 * 3
    for leaf, shape in (("gate_up_proj", (96, 32)), ("down_proj", (32, 48))):
        stack = state[f"model.layers.1.mlp.experts.{leaf}"]
        pair = experts[f"model.layers.1.mlp.experts.{leaf}.2"]
        assert pair.shape == shape
        assert torch.equal(matrix(pair), stack[2].T)


def test_mxfp4_against_bfloat16_pairs_expert_by_expert(tmp_path: Path) -> None:
    from tests.support.rawfile import write_tensors
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    generator = torch.Generator().manual_seed(1)
    stacks: dict[str, torch.Tensor] = {}
    plain: dict[str, torch.Tensor] = {}
    for leaf, out, groups in (("gate_up_proj", 128, 1), ("down_proj", 32, 2)):
        name = f"model.layers.0.mlp.experts.{leaf}"
        blocks = torch.randint(0, 256, (3, out, groups, 16), generator=generator, dtype=torch.uint8)
        scales = torch.randint(118, 122, (3, out, groups), generator=generator, dtype=torch.uint8)
        stacks |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
        plain[name] = convert_moe_packed_tensors(blocks, scales)
    write_tensors(tmp_path / "packed.safetensors", stacks)
    save_file(plain, tmp_path / "plain.safetensors")
    pairing = open_pairing(str(tmp_path / "packed.safetensors"), str(tmp_path / "plain.safetensors"))
    assert unpaired(pairing) == []
    assert len(pairing.pairs) == 6
    for pair in pairing.pairs:
        assert torch.equal(matrix(pair, "base"), matrix(pair).float())
        assert "dequantised from MXFP4" in pair.notes[0]


def test_fused_qkv_and_gate_up_pair_with_their_parts(tmp_path: Path) -> None:
    state = make_llama().state_dict()
    fused = dict(state)
    for layer in (0, 1):
        attention, mlp = f"model.layers.{layer}.self_attn", f"model.layers.{layer}.mlp"
        q, k, v = (fused.pop(f"{attention}.{part}_proj.weight") for part in "qkv")
        fused[f"{attention}.qkv_proj.weight"] = torch.cat([q, k, v])
        gate, up = (fused.pop(f"{mlp}.{part}_proj.weight") for part in ("gate", "up"))
        fused[f"{mlp}.gate_up_proj.weight"] = torch.cat([gate, up])
    save_file(state, tmp_path / "apart.safetensors")
    save_file(fused, tmp_path / "fused.safetensors")
    for first, second in (("apart", "fused"), ("fused", "apart")):
        pairing = open_pairing(
            str(tmp_path / f"{first}.safetensors"), str(tmp_path / f"{second}.safetensors")
        )
        assert unpaired(pairing) == []
        assert len(pairing.pairs) == 14
        check_equal(pairing)
    rows = {pair.name: pair.notes for pair in pairing.pairs}
    assert rows["model.layers.0.self_attn.k_proj.weight"] == ("base: rows 32 to 47 of qkv_proj",)


def test_convolutions_are_seen_as_matrices_and_buffers_are_not_analysed(tmp_path: Path) -> None:
    from transformers import MambaConfig, MambaForCausalLM, ResNetConfig, ResNetForImageClassification

    torch.manual_seed(0)
    MambaForCausalLM(
        MambaConfig(hidden_size=32, num_hidden_layers=1, vocab_size=64, state_size=4)
    ).save_pretrained(tmp_path / "mamba")
    ResNetForImageClassification(
        ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    ).save_pretrained(tmp_path / "resnet")
    for name, leaf, shape in (
        ("mamba", "conv1d.weight", (64, 4)),
        ("resnet", "embedder.embedder.convolution.weight", (8, 3 * 49)),
    ):
        pairing = open_pairing(str(tmp_path / name), str(tmp_path / name))
        state = load_file(tmp_path / name / "model.safetensors")
        pair = next(pair for pair in pairing.pairs if pair.name.endswith(leaf))
        assert pair.shape == shape
        assert torch.equal(matrix(pair), state[pair.name].flatten(1))
        assert "a convolution" in pair.notes[-1]
        analysed = {pair.name for pair in pairing.pairs}
        assert not [n for n in analysed if "running_" in n or "num_batches" in n or state[n].ndim < 2]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda name: f"module.{name}",
        lambda name: f"_orig_mod.{name}",
        lambda name: f"_fsdp_wrapped_module.{name.replace('.mlp.', '._checkpoint_wrapped_module.mlp.')}",
        lambda name: f"net.backbone.{name}",
    ],
)
def test_what_trainers_wrap_around_a_model_is_seen_through(models: Path, wrap: Any, tmp_path: Path) -> None:
    state = {wrap(name): tensor for name, tensor in make_llama().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3, "hyper_parameters": {"lr": 1e-3}}, tmp_path / "last.ckpt")
    pairing = open_pairing(str(models / "llama"), str(tmp_path / "last.ckpt"))
    assert unpaired(pairing) == []
    assert len(pairing.pairs) == 14
    assert "read from its 'state_dict'" in pairing.tuned.notes
    assert all(pair.rule != "exact" for pair in pairing.pairs)
    check_equal(pairing)


def test_a_person_can_map_what_no_rule_knows(models: Path, tmp_path: Path) -> None:
    state = {
        name.replace("model.layers.", "blk/").replace("self_attn", "att"): tensor
        for name, tensor in make_llama().state_dict().items()
    }
    save_file(state, tmp_path / "odd.safetensors")
    base, tuned = str(models / "llama"), str(tmp_path / "odd.safetensors")
    assert len(open_pairing(base, tuned).pairs) == 0
    pairing = open_pairing(
        base, tuned, renames=[r"^blk/(\d)\.att=model.layers.\1.self_attn", "^blk/=model.layers."]
    )
    assert unpaired(pairing) == []
    assert {pair.rule for pair in pairing.pairs} == {
        r"--map ^blk/(\d)\.att=model.layers.\1.self_attn",
        "--map ^blk/=model.layers.",
    }


def test_a_head_of_its_own_pairs_with_the_embedding_it_was_tied_to(models: Path, tmp_path: Path) -> None:
    model = make_llama(tied=True)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(state, tmp_path / "untied.safetensors")
    pairing = open_pairing(str(models / "llama_tied"), str(tmp_path / "untied.safetensors"))
    assert unpaired(pairing) == []
    head = next(row.pair for row in pairing.rows if row.name == "lm_head.weight")
    assert head is not None
    assert head.notes == ("base: tied to model.embed_tokens.weight",)
    assert torch.equal(matrix(head, "base"), state["model.embed_tokens.weight"])


def test_tied_weights_of_a_torch_file_are_shown_once(models: Path, tmp_path: Path) -> None:
    torch.save(make_llama(tied=True).state_dict(), tmp_path / "tied.pt")
    pairing = open_pairing(str(models / "llama_tied"), str(tmp_path / "tied.pt"))
    assert len(pairing.rows) == 20
    assert unpaired(pairing) == []
    assert any(note.startswith("tied weights, shown once: lm_head.weight") for note in pairing.tuned.notes)


def test_quantised_and_plain_models_pair_as_transformers_saves_them(models: Path, tmp_path: Path) -> None:
    from bitsandbytes.nn import Linear4bit
    from transformers import BitsAndBytesConfig, LlamaForCausalLM

    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    model = LlamaForCausalLM.from_pretrained(models / "llama", quantization_config=config, device_map="cpu")
    layer = model.model.layers[0].mlp.up_proj
    assert isinstance(layer, Linear4bit)
    model.save_pretrained(tmp_path)
    pairing = open_pairing(str(models / "llama"), str(tmp_path))
    assert unpaired(pairing) == []
    assert len(pairing.pairs) == 14
    pair = next(pair for pair in pairing.pairs if pair.name == "model.layers.0.mlp.up_proj.weight")
    assert pair.dtypes == ("F32", "nf4 (bitsandbytes)")
    oracle = layer(torch.eye(32)).T
    torch.testing.assert_close(matrix(pair), oracle.float(), rtol=1e-2, atol=1e-3)
