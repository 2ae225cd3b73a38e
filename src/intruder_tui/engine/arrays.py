"""Tensors as the numpy arrays that travel to the interface."""

from __future__ import annotations

import numpy as np
import torch

from intruder_tui.results import Floats, Ints


def floats(tensor: torch.Tensor) -> Floats:
    """Any shape and device, in float32."""
    found: Floats = tensor.to("cpu", torch.float32).numpy()
    return found


def ints(tensor: torch.Tensor) -> Ints:
    """Any shape and device, in int32."""
    found: Ints = tensor.to("cpu", torch.int32).numpy()
    return found


def rounded_out(lower: torch.Tensor, upper: torch.Tensor) -> tuple[Floats, Floats]:
    """Float32 bounds that still enclose the float64 ones; equal where those are equal."""
    low64, high64 = lower.cpu().numpy(), upper.cpu().numpy()
    low, high = low64.astype(np.float32), high64.astype(np.float32)
    interval = low64 < high64
    low = np.where(interval & (low > low64), np.nextafter(low, np.float32(-1)), low)
    high = np.where(interval & (high < high64), np.nextafter(high, np.float32(2)), high)
    return low, high
