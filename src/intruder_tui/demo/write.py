"""Writing the sample pair as transformers and PEFT do: a sharded base, a full fine-tune, a LoRA adapter."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from intruder_tui.demo import weights

VERSION = 1
"""Raised when the files change, so that an older copy in a cache is not opened."""

_MODEL_CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": weights.HIDDEN,
    "intermediate_size": weights.INTERMEDIATE,
    "num_hidden_layers": weights.LAYERS,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "vocab_size": weights.VOCABULARY,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
}


@dataclass(frozen=True, slots=True)
class DemoPaths:
    """Where the three checkpoints lie."""

    base: Path
    full: Path
    lora: Path


def write_demo(directory: Path) -> DemoPaths:
    """Write the sample pair into a directory, unless a whole one is there already.

    Raises:
        OSError: the directory can't be written.
    """
    paths = DemoPaths(directory / "base", directory / "full-fine-tune", directory / "lora-r8")
    if all(path.is_dir() for path in (paths.base, paths.full, paths.lora)):
        return paths
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".writing-") as temporary:
        made = Path(temporary)
        _write_checkpoints(made)
        for path in (paths.base, paths.full, paths.lora):
            if not path.exists():
                shutil.move(made / path.name, path)
    return paths


def _write_checkpoints(directory: Path) -> None:
    rng = np.random.default_rng(2410_21228)
    base: dict[str, weights.Matrix] = {
        "model.embed_tokens.weight": _small(rng, weights.VOCABULARY),
        "model.norm.weight": np.ones(weights.HIDDEN, np.float32),
        "lm_head.weight": _small(rng, weights.VOCABULARY),
    }
    full = {name: array.copy() for name, array in base.items()}
    lora: dict[str, weights.Matrix] = {}
    for layer in range(weights.LAYERS):
        prefix = f"model.layers.{layer}"
        for norm in ("input_layernorm", "post_attention_layernorm"):
            base[f"{prefix}.{norm}.weight"] = np.ones(weights.HIDDEN, np.float32)
            full[f"{prefix}.{norm}.weight"] = 1 + 0.01 * rng.standard_normal(weights.HIDDEN).astype(
                np.float32
            )
        for module, (out, inp) in weights.LINEAR.items():
            weight = weights.base_weight(rng, out, inp)
            base[f"{prefix}.{module}.weight"] = weight
            full[f"{prefix}.{module}.weight"] = weight + weights.full_update(rng, weight)
            if module.split(".")[-1] in weights.TARGETS:
                planted = weights.PLANTED.get(f"{layer}.{module}", ())
                a, b = weights.lora_factors(rng, weight, planted)
                lora[f"base_model.model.{prefix}.{module}.lora_A.weight"] = a
                lora[f"base_model.model.{prefix}.{module}.lora_B.weight"] = b
    _write_sharded(directory / "base", base, shards=2)
    _write_model(directory / "full-fine-tune", full)
    _write_adapter(directory / "lora-r8", lora)


def _small(rng: np.random.Generator, rows: int) -> weights.Matrix:
    return (0.02 * rng.standard_normal((rows, weights.HIDDEN))).astype(np.float32)


def _half(tensors: dict[str, weights.Matrix]) -> dict[str, np.ndarray[Any, np.dtype[np.float16]]]:
    return {name: tensor.astype(np.float16) for name, tensor in tensors.items()}


def _write_sharded(directory: Path, tensors: dict[str, weights.Matrix], shards: int) -> None:
    directory.mkdir()
    halves = _half(tensors)
    names = sorted(halves)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: halves[name] for name in names[shard::shards]}
        save_file(part, directory / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(part, file))
    total = sum(array.nbytes for array in halves.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    _write_json(directory / "model.safetensors.index.json", index)
    _write_json(directory / "config.json", _MODEL_CONFIG)


def _write_model(directory: Path, tensors: dict[str, weights.Matrix]) -> None:
    directory.mkdir()
    save_file(_half(tensors), directory / "model.safetensors", metadata={"format": "pt"})
    _write_json(directory / "config.json", _MODEL_CONFIG)


def _write_adapter(directory: Path, tensors: dict[str, weights.Matrix]) -> None:
    directory.mkdir()
    save_file(tensors, directory / "adapter_model.safetensors", metadata={"format": "pt"})
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": None,
        "r": weights.RANK,
        "lora_alpha": weights.ALPHA,
        "target_modules": list(weights.TARGETS),
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "bias": "none",
        "init_lora_weights": True,
        "rank_pattern": {},
        "alpha_pattern": {},
        "modules_to_save": None,
    }
    _write_json(directory / "adapter_config.json", config)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
