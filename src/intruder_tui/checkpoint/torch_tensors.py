"""What the pickles of torch.save describe: storages, tensors over them, and the calls that make these."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

MOST_AXES = 16

STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e8m0fnu": "F8_E8M0",
}
"""torch's dtypes by their safetensors names."""
SIZES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
}
"""Bytes of an element."""


class PickleError(ValueError):
    """Not a pickle that torch.save writes; one line."""


@dataclass(frozen=True, slots=True)
class Global:
    """A name the pickle would import: "torch.FloatStorage". Only ever compared."""

    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage: the archive's member, its elements' dtype (empty: bytes), how many it is said to hold."""

    member: str
    dtype: str
    elements: int


@dataclass(frozen=True, slots=True)
class Described:
    """A tensor as the pickle describes it; offset and strides count elements."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def span(self) -> int:
        """Elements from the first to the last one it touches."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie in row-major order without gaps."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


@dataclass(slots=True)
class Unknown:
    """The result of a call that was not made."""

    what: str

    @property
    def called(self) -> str:
        """What it is, for people."""
        return next((kind for mark, kind in _KINDS.items() if mark in self.what), self.what[:60])


_KINDS = {
    "sparse": "a sparse tensor",
    "_rebuild_qtensor": "a quantised tensor",
    "_meta_tensor": "a tensor without data",
    "_neg_view": "a negated or conjugated view",
    "_rebuild_tensor": "a tensor of a dtype that is not read",
    "nested": "a nested tensor",
    "numpy": "a NumPy array",
}
"""What calls that are not made would give, by a part of their names."""


def key_of(key: Any) -> Any:
    """A dictionary's key. Containers would be hashed element by element again and again: they become text."""
    return key if isinstance(key, str | int) else Unknown("a key").what


def storage_of(identity: Any) -> Any:
    """What a persistent identity refers to: a `Storage`, or an `Unknown`. Raises PickleError."""
    match identity:
        case ("storage", Global(name), str(member), str(), int(elements)) if 0 <= elements < 2**60:
            module, _, kind = name.rpartition(".")
            if name == "torch.storage.UntypedStorage":
                return Storage(member, "", elements)
            if module == "torch" and kind in STORAGES:
                return Storage(member, STORAGES[kind], elements)
            return Unknown(name)
    raise PickleError("its pickle refers to something that is no storage")


def called(function: Any, arguments: Any) -> Any:
    """What a call that torch.save writes would give; an `Unknown` for any other. Raises PickleError."""
    name = function.name if isinstance(function, Global) else ""
    match name, arguments:
        case "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", ():
            return {}
        case "collections.OrderedDict", ([*pairs],):
            return {key_of(pair[0]): pair[1] for pair in pairs if isinstance(pair, list | tuple)}
        case "collections.defaultdict", _:
            return {}
        case "torch._utils._rebuild_tensor_v2", (Storage() as storage, offset, shape, strides, *rest):
            # Negation and conjugation are bits of the tensor; its bytes do not show them.
            if len(rest) > 2 and rest[2]:
                return Unknown("torch._neg_view")
            return _tensor(storage, storage.dtype, offset, shape, strides)
        case "torch._utils._rebuild_tensor_v3", (
            Storage() as storage,
            offset,
            shape,
            strides,
            _,
            _,
            Global(dtype),
            *_,
        ):
            named = DTYPES.get(dtype.removeprefix("torch."), "")
            return _tensor(storage, named, offset, shape, strides) if named else Unknown(dtype)
        case "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state", (
            Described() as data,
            *_,
        ):
            return data
        case "torch._tensor._rebuild_from_type_v2", (_, _, (Described() as data, *_), _):
            return data
        case "torch._tensor._rebuild_from_type_v2", (Global() as inner, _, tuple() as inner_arguments, _):
            return called(inner, inner_arguments)
    return Unknown(name or "a call")


def _tensor(storage: Storage, dtype: str, offset: Any, shape: Any, strides: Any) -> Described:
    if not isinstance(shape, tuple) or not isinstance(strides, tuple) or len(shape) != len(strides):
        raise PickleError("a tensor without a shape in its pickle")
    numbers = (offset, *shape, *strides)
    if len(shape) > MOST_AXES or not all(type(number) is int and 0 <= number < 2**60 for number in numbers):
        raise PickleError("a tensor of impossible layout in its pickle")
    tensor = Described(storage, dtype, offset, shape, strides)
    elements = storage.elements if storage.dtype else storage.elements // SIZES[dtype]
    if offset + tensor.span > elements:
        raise PickleError(
            f"a tensor that ends beyond its storage ({offset + tensor.span} of {elements} elements)"
        )
    if math.prod(shape) > tensor.span:
        raise PickleError(
            f"a tensor of {math.prod(shape)} elements that repeats the {tensor.span} it stores "
            "(an expanded view)"
        )
    return tensor
