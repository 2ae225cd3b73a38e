"""The layer tree before it is drawn: names of tensors folded into branches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from intruder_tui.checkpoint.names import components
from intruder_tui.views.naming import trunk, within

WEIGHT = "weight"
MOST_TRUNKS = 3
"""Towers (encoder, decoder, pooler) that may stand on top side by side; more stay under their group."""


@dataclass(eq=False, slots=True)
class Branch:
    """A node: a group with children, or a leaf that stands for a row.

    Attributes:
        label: what it is called under its parent; not escaped.
        row: the row's name; None for a group.
        depth: 0 for the nodes on top.
    """

    label: str
    row: str | None = None
    parent: Branch | None = None
    depth: int = -1
    children: list[Branch] = field(default_factory=list)

    def leaves(self) -> Iterator[Branch]:
        """Every leaf under it, in order; itself when it is one."""
        stack = [self]
        while stack:
            branch = stack.pop()
            if branch.row is not None:
                yield branch
            stack.extend(reversed(branch.children))

    def ancestors(self) -> Iterator[Branch]:
        """Its parent, that one's parent, ... without the root."""
        branch = self.parent
        while branch is not None and branch.parent is not None:
            yield branch
            branch = branch.parent


def outline(names: Iterable[str]) -> Branch:
    """The root over `names`, in their order.

    A leaf is called after its module ("q_proj" for "...q_proj.weight", "q_proj.bias" for a bias). A group
    with a single group below it is joined with it, and the trunk of all layers ("model.layers") is one node.
    """
    root = Branch("")
    groups: dict[tuple[str, ...], Branch] = {(): root}
    for name in names:
        parts = components(name)
        path, last = parts[:-1], parts[-1]
        if path:
            path, label = path[:-1], path[-1] if last == WEIGHT else f"{path[-1]}.{last}"
        else:
            label = last
        _group(groups, path).children.append(Branch(label, row=name))
    _hoist(root)
    _join(root)
    _link(root)
    return root


def _group(groups: dict[tuple[str, ...], Branch], path: tuple[str, ...]) -> Branch:
    missing = []
    while path not in groups:
        missing.append(path)
        path = path[:-1]
    branch = groups[path]
    for longer in reversed(missing):
        child = Branch(longer[-1])
        branch.children.append(child)
        groups[longer] = branch = child
    return branch


def _hoist(root: Branch) -> None:
    """While one group holds everything that is not a leaf, its children move up under joined labels."""
    while True:
        trunks = [child for child in root.children if child.row is None]
        if len(trunks) != 1:
            return
        trunk = trunks[0]
        if sum(child.row is None for child in trunk.children) not in range(1, MOST_TRUNKS + 1):
            return
        for child in trunk.children:
            child.label = f"{trunk.label}.{child.label}"
        place = root.children.index(trunk)
        root.children[place : place + 1] = trunk.children


def _join(root: Branch) -> None:
    stack = [root]
    while stack:
        branch = stack.pop()
        while branch is not root and len(branch.children) == 1 and branch.children[0].row is None:
            only = branch.children[0]
            branch.label = f"{branch.label}.{only.label}"
            branch.children = only.children
        stack.extend(branch.children)


def _link(root: Branch) -> None:
    stack = [root]
    while stack:
        branch = stack.pop()
        for child in branch.children:
            child.parent = branch
            child.depth = branch.depth + 1
            stack.append(child)


def ranking(first: Sequence[str], others: Sequence[str]) -> Branch:
    """The root over rows in this order, one below the other, and over one group of the others in layers.

    A row is called by its whole name but for ".weight" and what all layers' names begin with.
    """
    root = Branch("")
    common = trunk(first)
    for name in first:
        root.children.append(Branch(within(name, common), row=name))
    if others:
        group = Branch(f"the other {len(others)}" if first else f"all {len(others)}")
        group.children = outline(others).children
        root.children.append(group)
    _link(root)
    return root


def short_name(name: str) -> str:
    """A matrix's name in few words: "layers.3 q_proj" for "model.layers.3.self_attn.q_proj.weight"."""
    parts = list(components(name))
    if len(parts) > 1 and parts[-1] == WEIGHT:
        parts.pop()
    words = [f"{parts[i - 1]}.{parts[i]}" for i in range(1, len(parts) - 1) if parts[i].isdigit()]
    return " ".join([*words, parts[-1]])
