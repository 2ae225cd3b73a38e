"""What a torch file's pickle describes, without unpickling it: opcodes are read, nothing is ever called.

`torch.save` writes a small language of about forty opcodes. They are replayed here over plain containers; a
tensor becomes a `Described`, everything else a stranger put in becomes an inert `Unknown`. No import, no
attribute, no call of anything the file names.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any

from intruder_tui.checkpoint.torch_tensors import Global, PickleError, Unknown, called, key_of, storage_of

MOST_OPCODES = 2_500_000
"""torch.save writes 32 a tensor: 78,000 tensors in one file. Published .bin files hold under 2,000 each."""
_A_TENSOR = 32
DEEPEST_STACK = 100_000
"""torch.save writes a dictionary a thousand entries at a time."""
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
                raise PickleError(
                    f"over {MOST_OPCODES} pickle opcodes, as of {MOST_OPCODES // _A_TENSOR} tensors in one "
                    "file: save it as safetensors, or in shards"
                )
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
        self._stack.append(dict(zip(map(key_of, items[::2]), items[1::2], strict=True)))

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
            self._stack[-1].update(zip(map(key_of, items[::2]), items[1::2], strict=True))

    def add_items(self, _: Any) -> None:
        self.marked()

    def global_(self, argument: str) -> None:
        self._stack.append(Global(argument.replace(" ", ".", 1)))

    def stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self._stack.append(Global(f"{module}.{name}"[:200]))

    def reduce(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        self._stack.append(called(function, arguments))

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
        self._stack.append(storage_of(self.pop()))


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
