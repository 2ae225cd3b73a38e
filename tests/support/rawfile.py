"""A safetensors file of any dtype, byte for byte: what the library's own writers will not write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch

NAMES = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int32: "I32",
    torch.int64: "I64",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.float8_e8m0fnu: "F8_E8M0",
}


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Write tensors in their own dtypes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header: dict[str, object] = {}
    data = b""
    for name, tensor in tensors.items():
        part = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        assert len(part) == math.prod(tensor.shape) * tensor.element_size()
        header[name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(part)],
        }
        data += part
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)
    return path
