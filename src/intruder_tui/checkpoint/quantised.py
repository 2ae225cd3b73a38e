"""Weights that are not stored as plain floating point: named, never decomposed raw."""

from __future__ import annotations

from collections.abc import Container

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Dtypes whose stored values are the weights."""

_CONVERT = "dequantising is not covered yet; give a bfloat16 version of the model"


def why_not_plain(name: str, dtype: str, siblings: Container[str]) -> str:
    """Why a tensor's stored values are not its weights; empty when they are.

    `siblings` are the names in the same checkpoint: a format shows by the constants beside the weight.
    """
    if dtype in FLOATS:
        return ""
    return f"stored as {_format(name, dtype, siblings)}: {_CONVERT}"


def _format(name: str, dtype: str, siblings: Container[str]) -> str:
    module, _, leaf = name.rpartition(".")
    if leaf == "qweight":
        return "GPTQ integers" if f"{module}.g_idx" in siblings else "AWQ or GPTQ integers"
    if leaf == "weight_packed":
        return "packed integers (compressed-tensors)"
    if leaf.endswith("_blocks"):
        return "MXFP4 blocks"
    if leaf.startswith("_weight_qdata"):
        return "torchao quantised data"
    if f"{module}.SCB" in siblings:
        return "int8 (bitsandbytes)"
    if f"{name}.absmax" in siblings:
        for kind in ("nf4", "fp4"):
            if f"{name}.quant_state.bitsandbytes__{kind}" in siblings:
                return f"{kind} (bitsandbytes)"
        return "4 bits (bitsandbytes)"
    if dtype.startswith("F8"):
        if f"{name}_scale_inv" in siblings:
            return f"{dtype} with block scales (FP8)"
        if f"{name}_scale" in siblings:
            return f"{dtype} with scales (FP8)"
        return f"{dtype} without scales (FP8)"
    return dtype
