"""Base factors on disk: written once per base matrix, read back for every tuned checkpoint of it."""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from intruder_tui.cache import Cache
from intruder_tui.checkpoint.recipes import Recipe
from intruder_tui.spectral import BaseFactors

_FORMAT = "intruder-tui base factors 1"
_TENSORS = ("vectors", "fine", "sigma", "errors")


def load_factors(cache: Cache, base: Recipe, device: torch.device) -> BaseFactors | None:
    """The kept factors of a base matrix, on the device; None when there are none, or damaged ones."""
    key = cache.factors_key(base)
    path = cache.factors_path(key) if key is not None else None
    return None if path is None else _read(path, device)


def keep_factors(cache: Cache, base: Recipe, factors: BaseFactors) -> None:
    """Keep the factors of a base matrix within their budget; a full disk only means computing them again."""
    key = cache.factors_key(base)
    if key is None or not cache.factors_budget:
        return
    tensors = {name: getattr(factors, name).cpu().contiguous() for name in _TENSORS}
    metadata = {
        "format": _FORMAT,
        "spread": repr(factors.spread),
        **{f"crc32.{name}": str(_checksum(tensor)) for name, tensor in tensors.items()},
    }
    with contextlib.suppress(OSError):
        cache.store_factors(key, save(tensors, metadata))


def _read(path: Path, device: torch.device) -> BaseFactors | None:
    try:
        with safe_open(path, "pt", backend="pread") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                return None
            tensors = {name: file.get_tensor(name) for name in _TENSORS}
        if any(str(_checksum(tensor)) != metadata[f"crc32.{name}"] for name, tensor in tensors.items()):
            return None
        spread = float(metadata["spread"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return BaseFactors(**{name: tensor.to(device) for name, tensor in tensors.items()}, spread=spread)


def _checksum(tensor: torch.Tensor) -> int:
    return zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data) if tensor.numel() else 0
