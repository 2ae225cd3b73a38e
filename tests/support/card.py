"""A stand-in for a CUDA device where there is none: tensors that say they lie on it and compute on the CPU.

What a real device refuses is refused here as well: an operation on tensors of two devices (numbers in tensors
without dimensions excepted, as in torch), a generator of the other device, numpy's view of device memory. How
often the host waited for the device, and which solvers ran on it, is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CARD = torch.device("cuda", 0)
_HOST = torch.device("cpu")
_aten = torch.ops.aten
_INDEXING = {_aten.index.Tensor, _aten.index_put_.default, _aten.index_put.default}
_WAITS = {_aten.nonzero.default, _aten.equal.default}
_NUMBERS = {"item", "tolist", "__float__", "__int__", "__bool__", "__index__"}
_SOLVERS = ("_linalg_eigh", "_linalg_svd", "linalg_qr", "linalg_cholesky")


class WrongDevice(RuntimeError):
    """What torch would have refused on a real device."""


class OnCard(Tensor):
    """A tensor that lies on the device as far as its user can tell."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCard:
        made: OnCard = Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype
        )
        made.held = held
        return made

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnCard({self.held!r})"

    @classmethod
    def __torch_dispatch__(
        cls,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        given = _tensors((args, kwargs))
        # Indices on the host are fine for what lies on the device, not the other way round.
        checked = _tensors((args[0], args[2:])) if func in _INDEXING and _on_card(args[0]) else given
        if func is not _aten.copy_.default and any(t.dim() and not _on_card(t) for t in checked):
            where = ", ".join(f"{CARD if _on_card(t) else _HOST} {tuple(t.shape)}" for t in given)
            raise WrongDevice(f"{func}: {where}")
        StandIn.current.note(func, given)
        result = func(*_each(_held, args), **_each(_held, kwargs))
        if "out" in kwargs:
            return kwargs["out"]
        if func._schema.name.endswith("_"):
            return args[0]
        return _each(_wrapped, result)


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """A value with every tensor in it changed; operations nest them in lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([_each(change, one) for one in value])
    if isinstance(value, dict):
        return {name: _each(change, one) for name, one in value.items()}
    return value


def _tensors(values: object) -> list[Tensor]:
    found: list[Tensor] = []
    _each(found.append, values)
    return found


def _on_card(value: object) -> bool:
    return isinstance(value, OnCard)


def _held(tensor: Tensor) -> Tensor:
    return tensor.held if isinstance(tensor, OnCard) else tensor


def _wrapped(tensor: Tensor) -> OnCard:
    return tensor if isinstance(tensor, OnCard) else OnCard(tensor)


class _Generator(torch.Generator):
    """A generator on either device."""

    def __new__(cls, device: torch.device | str = "cpu") -> _Generator:
        made = super().__new__(cls)
        made.place = torch.device(device)
        return made

    place: torch.device

    @property
    def device(self) -> torch.device:
        return self.place


class StandIn(TorchFunctionMode):
    """Sees every call of torch, and answers for the device.

    Attributes:
        waits: how often the host needed something from the device, by what.
        solved: name and shape of every decomposition that ran on the device.
    """

    current: StandIn

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.solved: list[tuple[str, tuple[int, ...]]] = []

    def note(self, func: Any, given: list[Tensor]) -> None:
        """Keep what an operation on the device tells."""
        name = func._schema.name.removeprefix("aten::")
        if func in _WAITS or (func in _INDEXING and any(t.dtype == torch.bool for t in given[1:])):
            self.waits[name] += 1
        if name.startswith(_SOLVERS):
            self.solved.append((name, tuple(given[0].shape)))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        first = args[0] if args else None
        if isinstance(first, OnCard):
            if func == Tensor.device.__get__:
                return CARD
            if name == "numpy":
                raise WrongDevice("numpy() of a tensor on the device")
            if name in _NUMBERS:
                self.waits[name] += 1
                return func(first.held, *args[1:], **kwargs)
        if name in ("to", "cpu", "cuda") and isinstance(first, Tensor):
            return self._moved(func, name, first, args[1:], kwargs)
        if "generator" in kwargs and kwargs["generator"] is not None:
            generator, target = kwargs["generator"], torch.device(kwargs.get("device") or _HOST)
            if generator.device.type != target.type:
                raise WrongDevice(f"{name}: generator on {generator.device}, tensor on {target}")
        if "driver" in kwargs:
            if kwargs["driver"] and not _on_card(first):
                raise WrongDevice(f"{name}: a driver for a tensor on the host")
            kwargs["driver"] = None
        if kwargs.pop("pin_memory", False):
            self.waits["pinned"] += 1
        if kwargs.get("device") is None:
            return func(*args, **kwargs)
        to_card = torch.device(kwargs["device"]).type == CARD.type
        kwargs["device"] = _HOST
        result = func(*_each(_held, args), **kwargs)
        return _each(_wrapped, result) if to_card else result

    def _moved(
        self, func: Callable[..., Any], name: str, tensor: Tensor, args: tuple[Any, ...], kwargs: Any
    ) -> Tensor:
        """`to`, `cpu` and `cuda`: a tensor that is there already, and of the dtype, stays what it is."""
        wanted = CARD if _on_card(tensor) else _HOST
        rest: list[Any] = []
        for value in args if name == "to" else ():
            if isinstance(value, Tensor):
                wanted = CARD if _on_card(value) else _HOST
                rest.append(value.dtype)
            elif isinstance(value, (torch.device, str)):
                wanted = torch.device(value)
            else:
                rest.append(value)
        if name != "to":
            wanted = CARD if name == "cuda" else _HOST
        elif kwargs.get("device") is not None:
            wanted = torch.device(kwargs["device"])
        kwargs.pop("device", None)
        to_card = wanted.type == CARD.type
        held = _held(tensor)
        result: Tensor = held.to(*rest, **kwargs) if rest or kwargs else held
        if to_card == _on_card(tensor):
            return tensor if result is held else (OnCard(result) if _on_card(tensor) else result)
        self.waits["copy to the device" if to_card else "copy to the host"] += 1
        result = result.clone() if result is held else result
        return OnCard(result) if to_card else result


def _nothing(*_args: object) -> int:
    return 0


def _no_stream(_stream: object) -> AbstractContextManager[None]:
    return nullcontext()


_RUNTIME: dict[str, Any] = {
    "get_device_name": lambda _device=None: "a stand-in",
    "stream": _no_stream,
    "Stream": _nothing,
    "synchronize": _nothing,
    "empty_cache": _nothing,
    "memory_allocated": _nothing,
    "max_memory_allocated": _nothing,
    "reset_peak_memory_stats": _nothing,
}
"""What programs ask of `torch.cuda` itself: no memory is held, and nothing is ever under way."""


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Within it tensors can be moved to `CARD`; what is noted can be read from what it gives."""
    card = StandIn()
    with (
        patch.object(torch, "Generator", _Generator),
        patch.object(StandIn, "current", card, create=True),
        patch.multiple(torch.cuda, **_RUNTIME),
        card,
    ):
        yield card
