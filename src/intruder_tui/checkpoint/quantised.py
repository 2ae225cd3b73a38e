"""Packed weights found by the constants beside them: dequantised where the scheme is known, else refused.

An integer or 8-bit matrix is never taken for a weight: its codes decompose without complaint, into nonsense.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.bitsandbytes import four_bit, four_bit_names, row_wise_int8
from intruder_tui.checkpoint.names import printable, shape_text
from intruder_tui.checkpoint.packed import Packed
from intruder_tui.checkpoint.recipes import MxFp4, PackedIntegers, Scaled
from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.checkpoint.weight_file import small_bytes

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Dtypes whose stored values are the weights."""

_CODES = frozenset({"F8_E4M3", "F8_E5M2", "I8", "U8", "I32"})
_SCALES = FLOATS | {"U8", "F8_E8M0"}
_GIVE = "give a bfloat16 version of the model"
_DEFAULT_BLOCK = (128, 128)

_NOISE = {"F8_E4M3": 2.6, "F8_E5M2": 5.3, "I8": 1.0}
_PACKED_NOISE = {2: 50.0, 4: 10.0, 8: 0.6}
_MXFP4_NOISE = 12.0

Tensors = Mapping[str, StoredTensor]


@dataclass(frozen=True, slots=True)
class Folding:
    """Packed weights by the name the plain weight would have, and the stored names they account for."""

    weights: Mapping[str, Packed]
    folded: frozenset[str]


def why_not_plain(dtype: str) -> str:
    """Why stored values that no scheme claims are not a weight's own; empty when they are."""
    return "" if dtype in FLOATS else f"stored as {dtype}, which is no weight's own values: {_GIVE}"


def fold(tensors: Tensors, config: Mapping[str, object]) -> Folding:
    """Find the packed weights of a checkpoint; `config` is its config.json. Raises CheckpointError."""
    weights: dict[str, Packed] = {}
    folded: set[str] = set()
    four_bits = four_bit_names(tensors)
    codes = _PlainCodes(tensors, _blocks_of(config), _method(config))
    for name, tensor in tensors.items():
        # bitsandbytes may keep its codes in the bits of bfloat16 numbers.
        if (tensor.dtype in FLOATS and name not in four_bits) or name in folded:
            continue
        module, _, leaf = name.rpartition(".")
        reader = _READERS.get(leaf) or (_blocks if leaf.endswith("_blocks") else None)
        if name in four_bits:
            found: Found | None = (name, *four_bit(name, tensors))
        else:
            found = reader(name, tensors, config) if reader else codes.read(name)
        if found is not None:
            target, packed, used = found
            weights[target] = packed
            folded.update((name, *(one for one in used if one in tensors)))
        elif module and leaf in _ALWAYS_CONSTANTS:
            folded.add(name)
    return Folding(weights, frozenset(folded))


Found = tuple[str, Packed, tuple[str, ...]]
Config = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _PlainCodes:
    """Weights that keep their name and shape: float8 and int8 values beside their scales."""

    tensors: Tensors
    blocks: list[tuple[int, int]]
    method: str

    def read(self, name: str) -> Found | None:
        """A weight and its constants; None when the tensor is no weight."""
        tensor = self.tensors[name]
        module, _, leaf = name.rpartition(".")
        if (
            tensor.dtype not in _CODES
            or len(tensor.shape) < 2
            or not (leaf == "weight" or leaf.endswith("proj"))
        ):
            return None
        if f"{module}.SCB" in self.tensors:
            return (name, *row_wise_int8(name, self.tensors))
        named = (f"{module}.{one}" for one in _ACTIVATION_CONSTANTS)
        constants = tuple(one for one in named if one in self.tensors)
        for suffix in ("_scale_inv", "_scale"):
            scale = self.tensors.get(name + suffix)
            if scale is not None:
                return name, self._scaled(module, tensor, scale), (scale.name, *constants)
        if tensor.dtype.startswith("F8") and len(tensor.shape) == 2:
            scheme = f"{tensor.dtype} without scales"
            recipe = Scaled(tensor, None, (tensor.shape[0], tensor.shape[1]))
            return name, Packed(tensor, tensor.shape, scheme, (recipe,), _NOISE[tensor.dtype]), constants
        scheme = f"{printable(self.method, 40)} ({tensor.dtype})" if self.method else tensor.dtype
        return name, _refused(tensor, scheme), (f"{module}.weight_scales", *constants)

    def _scaled(self, module: str, values: StoredTensor, scale: StoredTensor) -> Packed:
        scheme = f"{values.dtype} with {scale.dtype} scales"
        if (values.dtype, scale.dtype) == ("U8", "F8_E4M3"):
            return _refused(values, "NVFP4")
        if len(values.shape) != 2 or values.dtype not in _NOISE or scale.dtype not in _SCALES:
            return _refused(values, scheme)
        if not values.dtype.startswith("F8") and f"{module}.weight_zero_point" in self.tensors:
            return _refused(values, f"{values.dtype} with zero points")
        rows, columns = values.shape
        block = _block_of(scale.shape, (rows, columns), self.blocks)
        if block is None:
            said = f"({shape_text(scale.shape)} of them for {shape_text(values.shape)} values)"
            return _refused(values, f"{scheme} {said}")
        return Packed(values, values.shape, scheme, (Scaled(values, scale, block),), _NOISE[values.dtype])


def _block_of(
    scale: tuple[int, ...], shape: tuple[int, int], blocks: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """The block that a scale belongs to: the whole weight, a row, or one that config.json names."""
    rows, columns = shape
    if math.prod(scale) == 1:
        return shape
    if scale in ((rows,), (rows, 1)):
        return 1, columns
    for block in blocks:
        if scale == (-(-rows // block[0]), -(-columns // block[1])):
            return block
    return None


def _blocks_of(config: Config) -> list[tuple[int, int]]:
    """The block sizes that config.json names; the usual one where it names none."""
    described = config.get("quantization_config")
    found = []
    if isinstance(described, dict):
        found.append(described.get("weight_block_size"))
        groups = described.get("config_groups")
        for group in groups.values() if isinstance(groups, dict) else ():
            weights = group.get("weights") if isinstance(group, dict) else None
            if isinstance(weights, dict):
                found.append(weights.get("block_structure"))
                found.append([1, weights.get("group_size")])
    blocks = [
        (one[0], one[1])
        for one in found
        if isinstance(one, list) and len(one) == 2 and all(type(n) is int and 0 < n < 2**31 for n in one)
    ]
    return blocks or [_DEFAULT_BLOCK]


def _packed_integers(name: str, tensors: Tensors, config: Config) -> Found:
    module = name.rpartition(".")[0]
    values, target = tensors[name], f"{module}.weight"
    scale, shape = tensors.get(f"{module}.weight_scale"), tensors.get(f"{module}.weight_shape")
    used = tuple(f"{module}.{one}" for one in _COMPRESSED_CONSTANTS)
    scheme = f"{_packed_kind(values, scale)} (compressed-tensors)"
    if f"{module}.weight_zero_point" in tensors or f"{module}.weight_g_idx" in tensors:
        return target, _refused(values, f"{scheme} with zero points or reordered groups"), used
    if scale is None or shape is None or scale.dtype not in FLOATS or len(values.shape) != 2:
        return target, _refused(values, scheme), used
    size = _stored_shape(shape)
    if values.dtype != "I32" or not size:
        return target, _refused(values, scheme), used
    said = _widths_of(config)
    fits = [
        bits for bits in said or _PACKED_NOISE if values.shape == (size[0], math.ceil(size[1] * bits / 32))
    ]
    if len(fits) != 1 or fits[0] not in _PACKED_NOISE:
        widths = f"num_bits {', '.join(map(str, said))}" if said else "no num_bits in config.json"
        stored = f"{shape_text(values.shape)} words for {shape_text(size)} values"
        return target, _refused(values, f"{scheme}, {widths}, {stored}"), used
    bits = fits[0]
    groups = scale.shape[1] if len(scale.shape) == 2 else 1
    if math.prod(scale.shape) == 1:
        block = size
    elif groups and scale.shape[0] == size[0] and size[1] % groups == 0:
        block = (1, size[1] // groups)
    else:
        return target, _refused(values, f"{scheme} with {shape_text(scale.shape)} scales"), used
    recipe = PackedIntegers(values, scale, size, bits, block)
    scheme = f"int{bits} (compressed-tensors)"
    return target, Packed(values, size, scheme, (recipe,), _PACKED_NOISE[bits]), used


def _packed_kind(values: StoredTensor, scale: StoredTensor | None) -> str:
    """What packed values are: four-bit floats lie in bytes, and their scales' dtype says which."""
    if values.dtype != "U8" or scale is None:
        return "packed integers"
    return {"F8_E4M3": "NVFP4", "F8_E8M0": "MXFP4", "U8": "MXFP4"}.get(scale.dtype, "packed bytes")


def _widths_of(config: Config) -> list[int]:
    """The bit widths that the groups of config.json give weights, each once; empty where none is said."""
    described = config.get("quantization_config") or config.get("compression_config")
    groups = described.get("config_groups") if isinstance(described, dict) else None
    widths: set[int] = set()
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        bits = weights.get("num_bits") if isinstance(weights, dict) else None
        if type(bits) is int and 0 < bits <= 32:
            widths.add(bits)
    return sorted(widths)


def _stored_shape(tensor: StoredTensor) -> tuple[int, int] | None:
    width = {"I64": 8, "I32": 4}.get(tensor.dtype)
    if width is None or tensor.shape != (2,):
        return None
    data = small_bytes(tensor)
    rows, columns = (int.from_bytes(data[at : at + width], "little") for at in (0, width))
    return (rows, columns) if 0 < rows < 2**31 and 0 < columns < 2**31 else None


def _blocks(name: str, tensors: Tensors, config: Config) -> Found | None:
    target = name.removesuffix("_blocks")
    blocks, scales = tensors[name], tensors.get(f"{target}_scales")
    if scales is None or blocks.dtype != "U8" or scales.dtype not in ("U8", "F8_E8M0"):
        return None
    shape = blocks.shape
    if len(shape) != 4 or shape[3] != 16 or scales.shape != shape[:3] or 0 in shape:
        return target, _refused(blocks, "MXFP4 blocks of an unusual shape"), (scales.name,)
    count, rows, groups, width = shape
    recipes = tuple(
        MxFp4(
            blocks.part(index * rows * groups * width, (rows, groups, width)),
            scales.part(index * rows * groups, (rows, groups)),
        )
        for index in range(count)
    )
    packed = Packed(blocks, (count, rows, groups * 32), "MXFP4", recipes, _MXFP4_NOISE)
    return target, packed, (scales.name,)


def _named(scheme: str, *constants: str) -> Callable[[str, Tensors, Config], Found]:
    def refuse(name: str, tensors: Tensors, config: Config) -> Found:
        module = name.rpartition(".")[0]
        said = _method(config)
        called = f"{scheme}, {printable(said, 40)}" if said and said.lower() not in scheme.lower() else scheme
        used = tuple(f"{module}.{constant}" for constant in constants)
        return f"{module}.weight", _refused(tensors[name], called), used

    return refuse


def _auto_or_gpt(name: str, tensors: Tensors, config: Config) -> Found:
    module = name.rpartition(".")[0]
    scheme = "GPTQ integers" if f"{module}.g_idx" in tensors else "AWQ integers"
    return _named(scheme, "qzeros", "scales", "g_idx")(name, tensors, config)


def _refused(values: StoredTensor, scheme: str) -> Packed:
    return Packed(
        values, values.shape, scheme, reason=f"stored as {scheme}, which is not dequantised: {_GIVE}"
    )


def _method(config: Config) -> str:
    described = config.get("quantization_config")
    method = described.get("quant_method") if isinstance(described, dict) else None
    return method if isinstance(method, str) else ""


_COMPRESSED_CONSTANTS = (
    *("weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx", "weight_global_scale"),
    *("input_scale", "input_zero_point", "input_global_scale"),
)
_ACTIVATION_CONSTANTS = ("input_scale", "weight_zero_point", "input_zero_point", "weight_scale_2")
_ALWAYS_CONSTANTS = frozenset({"weight_format", "g_idx", "qzeros", "weight_shape"})
_READERS: dict[str, Callable[[str, Tensors, Config], Found | None]] = {
    "weight_packed": _packed_integers,
    "qweight": _auto_or_gpt,
    "_weight_qdata": _named("torchao quantised data", "_weight_scale", "_weight_zero_point"),
    "W_q": _named("HQQ integers", "scale", "zero", "meta"),
    "codes": _named("AQLM codes", "codebooks", "scales"),
    "Qidxs": _named("QuIP codes", "SU", "SV", "Wscale"),
}
