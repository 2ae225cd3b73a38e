"""Checkpoints of real size that take no room: real headers over sparse files. It also runs:

python -m tests.support.sparse DIRECTORY        # DIRECTORY/base and DIRECTORY/tuned, 27 GB apparent
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

Shapes = Mapping[str, tuple[int, ...]]

_BYTES = {
    "F64": 8,
    "F32": 4,
    "I32": 4,
    "F16": 2,
    "BF16": 2,
    "I8": 1,
    "U8": 1,
    "F8_E4M3": 1,
    "BOOL": 1,
    "I64": 8,
}


def llama(
    layers: int = 32, hidden: int = 4096, intermediate: int = 11008, vocabulary: int = 32000, kv: int = 4096
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama; the defaults are Llama-2-7B's 291 tensors."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}"
        shapes |= {
            f"{prefix}.input_layernorm.weight": (hidden,),
            f"{prefix}.self_attn.q_proj.weight": (hidden, hidden),
            f"{prefix}.self_attn.k_proj.weight": (kv, hidden),
            f"{prefix}.self_attn.v_proj.weight": (kv, hidden),
            f"{prefix}.self_attn.o_proj.weight": (hidden, hidden),
            f"{prefix}.post_attention_layernorm.weight": (hidden,),
            f"{prefix}.mlp.gate_proj.weight": (intermediate, hidden),
            f"{prefix}.mlp.up_proj.weight": (intermediate, hidden),
            f"{prefix}.mlp.down_proj.weight": (hidden, intermediate),
        }
    return shapes | {"model.norm.weight": (hidden,), "lm_head.weight": (vocabulary, hidden)}


def write_sparse(
    path: Path,
    shapes: Shapes,
    dtype: str | Mapping[str, str] = "BF16",
    metadata: Mapping[str, str] | None = None,
) -> int:
    """A safetensors file whose weights are a hole (zeros); returns its apparent bytes of weights."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        kind = dtype if isinstance(dtype, str) else dtype[name]
        size = _BYTES[kind]
        for axis in shape:
            size *= axis
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded)
    os.truncate(path, 8 + len(encoded) + end)
    return end


def write_model(
    directory: Path,
    shapes: Shapes,
    shards: int = 1,
    dtype: str | Mapping[str, str] = "BF16",
    model_type: str = "llama",
) -> Path:
    """A model directory as save_pretrained lays it out: config.json, and an index for several shards."""
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps({"model_type": model_type}))
    if shards == 1:
        write_sparse(directory / "model.safetensors", shapes, dtype)
        return directory
    names = list(shapes)
    weight_map: dict[str, str] = {}
    total = 0
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = names[len(names) * shard // shards : len(names) * (shard + 1) // shards]
        total += write_sparse(directory / file, {name: shapes[name] for name in part}, dtype)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def write_llama_7b_pair(directory: Path) -> tuple[Path, Path]:
    """A base of three and a tuned model of two shards, 13.5 GB apparent each."""
    return write_model(directory / "base", llama(), 3), write_model(directory / "tuned", llama(), 2)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.support.sparse DIRECTORY")
    for written in write_llama_7b_pair(Path(sys.argv[1])):
        print(written)
