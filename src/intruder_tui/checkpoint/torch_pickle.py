"""What a torch file's pickle describes, without unpickling it: opcodes are read, nothing is ever called.

`torch.save` writes a small language of about forty opcodes. They are replayed here over plain containers; a
tensor becomes a `Described`, everything else a stranger put in becomes an inert `Unknown`. No import, no
attribute, no call of anything the file names.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intruder_tui.checkpoint.errors import CheckpointError

MOST_OPCODES = 2_500_000
"""A checkpoint of 60,000 tensors takes about that many."""
DEEPEST_STACK = 100_000
"""torch.save writes a dictionary a thousand entries at a time."""
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


_MARK = object()


def describe_pickle(data: bytes) -> Any:
    """The object at a pickle's top: dicts, lists, tuples, scalars, `Described`, `Unknown`.

    Raises:
        PickleError: malformed, an opcode torch.save does not write, or a tensor of impossible layout.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > MOST_OPCODES:
                raise PickleError(f"over {MOST_OPCODES} pickle opcodes")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
            if machine.depth > DEEPEST_STACK:
                raise PickleError("a pickle that only piles up")
    except PickleError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise PickleError(f"not a pickle of torch.save ({type(error).__name__})") from None
    raise PickleError("a pickle without an end")


class _Machine:
    """The stack, the memo, and what each opcode does to them."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    @property
    def depth(self) -> int:
        """Values that wait on the stack."""
        return len(self._stack)

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise PickleError("a misplaced mark in its pickle")
        return value

    def step(self, name: str, argument: Any) -> None:
        if name in _PUSHES_ARGUMENT:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _MEMORISE:
            self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[int(argument)])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            length = int(name[-1])
            self._stack[-length:] = [tuple(self._stack[-length:])]
        elif name in _NOTHING:
            return
        else:
            handler: Callable[[_Machine, Any], None] | None = _HANDLERS.get(name)
            if handler is None:
                raise PickleError(f"its pickle uses {name}, which torch.save does not write")
            handler(self, argument)

    def marked(self) -> list[Any]:
        at = len(self._stack) - 1
        while self._stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise PickleError("a missing mark in its pickle")
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def tuple_(self, _: Any) -> None:
        self._stack.append(tuple(self.marked()))

    def list_(self, _: Any) -> None:
        self._stack.append(self.marked())

    def dict_(self, _: Any) -> None:
        items = self.marked()
        self._stack.append(dict(zip(map(_key, items[::2]), items[1::2], strict=True)))

    def append(self, _: Any) -> None:
        value = self.pop()
        self._extend([value])

    def appends(self, _: Any) -> None:
        self._extend(self.marked())

    def _extend(self, values: list[Any]) -> None:
        if isinstance(self._stack[-1], list):
            self._stack[-1].extend(values)

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._update([key, value])

    def set_items(self, _: Any) -> None:
        self._update(self.marked())

    def _update(self, items: list[Any]) -> None:
        if isinstance(self._stack[-1], dict):
            self._stack[-1].update(zip(map(_key, items[::2]), items[1::2], strict=True))

    def add_items(self, _: Any) -> None:
        self.marked()

    def global_(self, argument: str) -> None:
        self._stack.append(Global(argument.replace(" ", ".", 1)))

    def stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self._stack.append(Global(f"{module}.{name}"[:200]))

    def reduce(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self._stack.append(_called(function, arguments))

    def new_object(self, _: Any) -> None:
        _, what = self.pop(), self.pop()
        self._stack.append(Unknown(what.name if isinstance(what, Global) else "an object"))

    def new_object_ex(self, _: Any) -> None:
        self.pop()
        self.new_object(None)

    def build(self, _: Any) -> None:
        self.pop()

    def discard(self, _: Any) -> None:
        self.pop()

    def duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def persistent(self, _: Any) -> None:
        self._stack.append(_storage(self.pop()))


def _key(key: Any) -> Any:
    """Containers as keys would be hashed element by element, again and again; nobody's weights need them."""
    return key if isinstance(key, str | int) else Unknown("a key").what


def _storage(identity: Any) -> Any:
    match identity:
        case ("storage", Global(name), str(member), str(), int(elements)) if 0 <= elements < 2**60:
            module, _, kind = name.rpartition(".")
            if name == "torch.storage.UntypedStorage":
                return Storage(member, "", elements)
            if module == "torch" and kind in STORAGES:
                return Storage(member, STORAGES[kind], elements)
            return Unknown(name)
    raise PickleError("its pickle refers to something that is no storage")


def _called(function: Any, arguments: Any) -> Any:
    name = function.name if isinstance(function, Global) else ""
    match name, arguments:
        case "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict", ():
            return {}
        case "collections.OrderedDict", ([*pairs],):
            return {_key(pair[0]): pair[1] for pair in pairs if isinstance(pair, list | tuple)}
        case "collections.defaultdict", _:
            return {}
        case "torch._utils._rebuild_tensor_v2", (Storage() as storage, offset, shape, strides, *_):
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
            return _called(inner, inner_arguments)
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


_PUSHES_ARGUMENT = frozenset(
    {
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "FLOAT", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE"),
        *("BINSTRING", "SHORT_BINSTRING", "STRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    }
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Unknown("a set"),
    "MARK": lambda: _MARK,
}
_MEMORISE = frozenset({"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"})
_NOTHING = frozenset({"PROTO", "FRAME"})
_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE": _Machine.tuple_,
    "LIST": _Machine.list_,
    "DICT": _Machine.dict_,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.add_items,
    "GLOBAL": _Machine.global_,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new_object,
    "NEWOBJ_EX": _Machine.new_object_ex,
    "BUILD": _Machine.build,
    "POP": _Machine.discard,
    "DUP": _Machine.duplicate,
    "BINPERSID": _Machine.persistent,
}


_NESTED = ("state_dict", "model_state_dict", "model", "module", "model_state", "net", "ema")
"""Keys that trainers put a model's tensors under, in the order they are looked for."""


def state_dict_of(top: Any) -> tuple[dict[str, Described], str]:
    """The tensors by name of a state dict at the top or under a usual key, and that key (empty: the top).

    Raises:
        CheckpointError: there are none; the message says what is there instead.
    """
    if tensors := _tensors_in(top):
        return tensors, ""
    for key in _NESTED:
        found = top.get(key) if isinstance(top, dict) else None
        if tensors := _tensors_in(found):
            return tensors, key
        for inner in _NESTED:
            if isinstance(found, dict) and (tensors := _tensors_in(found.get(inner))):
                return tensors, f"{key}.{inner}"
    raise CheckpointError(_instead(top))


def _tensors_in(value: Any) -> dict[str, Described]:
    if not isinstance(value, dict):
        return {}
    return {name: one for name, one in value.items() if isinstance(one, Described) and isinstance(name, str)}


def _instead(top: Any) -> str:
    if isinstance(top, Unknown):
        return f"a pickled {top.what[:60]}, not a state dict: save model.state_dict() instead"
    if isinstance(top, Described):
        return "a single tensor, not a state dict: save a dict of names and tensors"
    kind = type(top).__name__ if isinstance(top, dict | list | tuple) else "object"
    return f"a pickled {kind} without a state dict in it: save model.state_dict() instead"
