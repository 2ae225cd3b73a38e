"""LoRA on stacks of expert matrices (PEFT's target_parameters): one row an expert, however they are stored.

A key names the module, not the parameter; wrappers are nested in the order in which the parameters were
registered. Which factors belong to which parameter is told by their shapes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from intruder_tui.checkpoint.adapter import Adapter, Change
from intruder_tui.checkpoint.adapter_config import AdapterConfig
from intruder_tui.checkpoint.adapter_updates import Unusable, problem_of, scaling_of
from intruder_tui.checkpoint.fused import taken_apart
from intruder_tui.checkpoint.layers import Layer, Role
from intruder_tui.checkpoint.names import shape_text
from intruder_tui.checkpoint.orientation import Orientation
from intruder_tui.checkpoint.pairs import Row, RowKind
from intruder_tui.checkpoint.recipes import Adapted, Expert, LoraUpdate, Recipe, Stored
from intruder_tui.checkpoint.rows import comparable_row
from intruder_tui.checkpoint.rules import Match, match_names
from intruder_tui.checkpoint.sides import Side
from intruder_tui.checkpoint.stacks import experts, stack_shape, stack_transposed
from intruder_tui.checkpoint.stored import StoredTensor

_GATED = {"gate_up_proj", "down_proj"}
_LINEAR = Layer(Role.LINEAR, "")


@dataclass(frozen=True, slots=True)
class _Stack:
    """The factors of one parameter of a module, for all its experts.

    `flipped` says that the product is [in, out]; None where shapes can't tell.
    """

    change: Change
    a: StoredTensor
    b: StoredTensor
    count: int
    rank: int
    scaling: float
    flipped: bool | None

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of each expert's update, when it is not flipped."""
        return self.b.shape[0], self.a.shape[1]

    def update(self, index: int, rows: tuple[int, int] | None, flipped: bool) -> LoraUpdate:
        """One expert's update."""
        columns = self.a.shape[1]
        a = self.a.part(index * self.rank * columns, (self.rank, columns))
        return LoraUpdate(a, self.b, self.scaling, flipped, Expert(index, self.count), rows=rows)


def is_stacked(change: Change, config: AdapterConfig) -> bool:
    """Whether a change is of a bare parameter that is no layer's matrix.

    A bare `weight` may be a matrix or a stack (GraniteMoe's): a stack's factors are of r times its experts.

    Raises:
        CheckpointError: the pattern keys can't be matched in time.
    """
    if change.wrapped or any(leaf != "weight" for leaf in _leaves(change.module, config)):
        return True
    a = change.parts.get("a")
    if not change.parameter or a is None or config.scaling is None or len(a.shape) != 2:
        return False
    rank = config.scaling.rank_of(change.key)
    return a.shape[0] > rank and a.shape[0] % rank == 0


def expert_rows(left: Side, changes: Sequence[Change], adapter: Adapter) -> tuple[list[Row], frozenset[str]]:
    """Rows of the experts that changes adapt, and the base names they account for.

    Raises:
        CheckpointError: the pattern keys can't be matched in time.
    """
    stacks, rows = _stacks(changes, adapter)
    tensors = {
        name: replace(stack.a, name=name, shape=(stack.count, *stack.shape)) for name, stack in stacks.items()
    }
    right = Side(tensors, {}, Orientation({}, ""), model_type=left.model_type)
    parts = taken_apart(left, right)[1]
    matching = match_names(left.names, parts.names)
    placed: set[str] = set()
    touched: set[str] = set()
    for match in matching.matches:
        if match.base not in left.tensors:
            continue
        name, found = match.tuned, stacks.get(match.tuned)
        try:
            if found is not None:
                rows += _whole(match, left, found)
            else:
                name, index, cut = _origin(parts.tensors[match.tuned], tensors)
                rows.append(_one(match, left, stacks[name], index, cut))
        except Unusable as unusable:
            shape = left.shape(match.base)
            dtype = left.dtype(match.base)
            rows.append(Row(match.base, RowKind.REFUSED, shape, dtype, reason=str(unusable)))
        placed.add(name)
        touched.add(match.base)
    rows += [_stray(name, matching.ambiguous_tuned.get(name, "")) for name in stacks if name not in placed]
    return rows, frozenset(touched)


def _whole(match: Match, left: Side, stack: _Stack) -> list[Row]:
    """The rows of a stack that the base stores as one tensor. Raises Unusable."""
    unreadable = left.why_unreadable(match.base)
    if unreadable:
        raise Unusable(f"base is {unreadable}")
    if len(left.shape(match.base)) != 3:
        raise Unusable(f"base is {shape_text(left.shape(match.base))}, not a stack of matrices")
    count, *shape = stack_shape(left, match.base)
    if stack.count != count:
        raise Unusable(f"base has {count} experts, the adapter {stack.count}")
    transposed = stack_transposed(left, match.base)
    flipped = _flipped(stack, (shape[0], shape[1]), transposed)
    return [
        _row(
            Match(f"{match.base}.{index}", f"{match.tuned}.{index}", match.rule),
            left,
            match.base,
            recipe,
            stack.update(index, None, flipped),
        )
        for index, recipe in enumerate(experts(left, match.base))
    ]


def _one(match: Match, left: Side, stack: _Stack, index: int, cut: tuple[int, int]) -> Row:
    """The row of an expert that the base stores by itself. Raises Unusable."""
    unreadable = left.why_unreadable(match.base)
    if unreadable:
        raise Unusable(f"base is {unreadable}")
    shape = left.shape(match.base)
    flipped = _flipped(stack, stack.shape, False)
    update = stack.update(index, None if cut == (0, stack.shape[0]) else cut, flipped)
    if update.shape != shape:
        raise Unusable(f"base is {shape_text(shape)}, the adapter's update is {shape_text(update.shape)}")
    packed = left.packed.get(match.base)
    base = packed.recipes[0] if packed else Stored(left.tensors[match.base])
    return _row(match, left, match.base, base, update)


def _flipped(stack: _Stack, shape: tuple[int, int], transposed: bool) -> bool:
    """Whether the product is the update's transpose, of a weight of that (out, in). Raises Unusable.

    Before it looked at how a stack is stored, PEFT took each for [experts, in, out].
    """
    if stack.shape not in (shape, shape[::-1]):
        raise Unusable(
            f"an expert of the base is {shape_text(shape)}, the adapter's update is {shape_text(stack.shape)}"
        )
    if shape[0] != shape[1]:
        return stack.shape != shape
    if transposed:
        return False
    if stack.flipped is None:
        raise Unusable(f"square experts ({shape_text(shape)}): which way their update lies can't be told")
    return stack.flipped


def _row(match: Match, left: Side, stored: str, base: Recipe, update: LoraUpdate) -> Row:
    dtype = left.dtype(stored)
    notes = (f"base: {left.packed[stored].note}",) if stored in left.packed else ()
    adapted = f"{dtype} + LoRA r {update.rank}"
    return comparable_row(match, _LINEAR, base, Adapted(base, update), (dtype, adapted), notes)


def _origin(part: StoredTensor, stacks: Mapping[str, StoredTensor]) -> tuple[str, int, tuple[int, int]]:
    """The stack that a part is of, its expert, and its rows in that expert."""
    _, rows, columns = stacks[part.name].shape
    index, rest = divmod((part.start or 0) // columns, rows)
    return part.name, index, (rest, rest + part.shape[0])


def _stacks(changes: Sequence[Change], adapter: Adapter) -> tuple[dict[str, _Stack], list[Row]]:
    """Stacks by the parameter's name, and rows of the changes that are none."""
    modules: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        modules[change.module].append(change)
    stacks: dict[str, _Stack] = {}
    refused: list[Row] = []
    for module, group in modules.items():
        try:
            for leaf, change, flipped in _assigned(module, group, adapter.config):
                name = f"{module}.{leaf}"
                stacks[name] = _stack(name, change, flipped, adapter.config)
        except Unusable as unusable:
            refused.append(_stray(module, str(unusable)))
    return stacks, refused


def _stack(name: str, change: Change, flipped: bool | None, config: AdapterConfig) -> _Stack:
    a, b = change.parts["a"], change.parts["b"]
    assert config.scaling is not None
    rank = config.scaling.rank_of(name)
    count = max(a.shape[0] // rank, 1)
    return _Stack(change, a, b, count, rank, scaling_of(name, a, b, config, count), flipped)


def _assigned(
    module: str, group: Sequence[Change], config: AdapterConfig
) -> list[tuple[str, Change, bool | None]]:
    """Which change is of which parameter, and whether its product is [in, out]. Raises Unusable."""
    for change in group:
        problem = problem_of(change, config)
        if problem:
            raise Unusable(problem)
        if not {"a", "b"} <= set(change.parts):
            raise Unusable(
                f"its parts are {', '.join(sorted(change.parts))}; lora_A and lora_B were expected"
            )
        if len(change.parts["a"].shape) != 2:
            raise Unusable(f"lora_A is {shape_text(change.parts['a'].shape)}, where a matrix was expected")
    if config.scaling is None:
        raise Unusable("factors of a stack of experts, without a LoRA configuration that says their rank")
    if config.init:
        raise Unusable(f"{config.init} on a stack of experts, which is not read")
    leaves = _leaves(module, config)
    if len(leaves) == len(group) == 1:
        return [(leaves[0], group[0], None)]
    if set(leaves) == _GATED and len(group) == 2:
        for up, down in (group, group[::-1]):
            for flipped in (False, True):
                made, taken = _features(up, flipped)
                if (made, taken) == (2 * _features(down, flipped)[1], _features(down, flipped)[0]):
                    return [("gate_up_proj", up, flipped), ("down_proj", down, flipped)]
    raise Unusable(
        f"{len(group)} pairs of factors for the parameters {', '.join(leaves) or 'of this module'}: "
        "which belongs to which can't be told"
    )


def _features(change: Change, flipped: bool) -> tuple[int, int]:
    """(outputs, inputs) of a change's product."""
    features = (change.parts["b"].shape[0], change.parts["a"].shape[1])
    return features[::-1] if flipped else features


def _leaves(module: str, config: AdapterConfig) -> list[str]:
    """The parameters of a module that the configuration names."""
    leaves = []
    for parameter in config.parameters:
        owner, _, leaf = parameter.rpartition(".")
        # A bare name could be any module's.
        owner = owner or "experts"
        if module == owner or module.endswith(f".{owner}"):
            leaves.append(leaf)
    return list(dict.fromkeys(leaves))


def _stray(name: str, reason: str) -> Row:
    why = f"only in the adapter; {reason}" if reason else "only in the adapter: the base has no such experts"
    return Row(name, RowKind.UNPAIRED, (), "LoRA", reason=why)
