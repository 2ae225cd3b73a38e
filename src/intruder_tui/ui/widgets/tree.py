"""The layer tree: a row a tensor, groups that open, a badge at the right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from intruder_tui.checkpoint.names import printable
from intruder_tui.checkpoint.pairs import RowKind
from intruder_tui.ui.badges import Badges, Tone
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import Branch
from intruder_tui.views.naming import fitted

MARK_WIDTH = 4
FIGURE_WIDTH = 6
MOST_OPENED = 400
"""A filter that leaves no more rows than this opens every group."""


class LayerTree(Tree[Branch]):
    """The rows of one session. Groups get their children when they are opened."""

    HELP_NAME = "tree"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", "Down", show=False, id="tree.down"),
        Binding("up,k", "cursor_up", "Up", show=False, id="tree.up"),
        Binding("left,h", "close", "Close the group, or go to it", show=False, id="tree.close"),
        Binding("right,l", "open", "Open the group", show=False, id="tree.open"),
        Binding("g,home", "scroll_home", "First row", show=False, id="tree.first"),
        Binding("G,end", "scroll_end", "Last row", show=False, id="tree.last"),
        Binding("enter", "select_cursor", "Analyse the matrix", show=False, id="tree.enter"),
    ]

    class Highlighted(Message):
        """The cursor is on the row `name`."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    class Chosen(Message):
        """Enter was pressed on the row `name`."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    def __init__(self, look: Look, marks: Collection[str]) -> None:
        super().__init__("", id="tree")
        self.show_root = False
        self.show_guides = False
        self.guide_depth = 2
        self.auto_expand = False
        self._look = look
        look.dress(self)
        self._marks = marks
        self._badges: Badges | None = None
        self._figure: Callable[[str], str] | None = None
        self._branches: dict[str, Branch] = {}
        self._drawn: dict[int, TreeNode[Branch]] = {}
        self._sought: Branch | None = None

    # Filling -------------------------------------------------------------------------------------

    def fill(
        self, top: Branch, badges: Badges, figure: Callable[[str], str] | None, *, narrowed: bool
    ) -> None:
        """Show the rows under `top`, each with what `figure` says of it; open few of a `narrowed` choice."""
        self._badges = badges
        badges.forget_groups()
        self._figure = figure
        self._branches = {leaf.row: leaf for leaf in top.leaves() if leaf.row is not None}
        self.clear()
        self._drawn, self._sought = {}, None
        self.root.data = top
        self._populate(self.root)
        self.root.expand()
        few = narrowed and len(self._branches) <= MOST_OPENED
        for node in list(self.root.children):
            if few:
                self._open_all(node)
            elif sum(child.row is None for child in top.children) == 1:
                node.expand()

    @property
    def row(self) -> str | None:
        """The row under the cursor; None on a group."""
        node = self.cursor_node
        return node.data.row if node is not None and node.data is not None else None

    def recount(self, badges: Badges, figure: Callable[[str], str] | None) -> None:
        """Another definition: repaint the badges that differ, or every row with a figure."""
        before, self._badges, self._figure = self._badges, badges, figure
        for node in self._drawn.values():
            branch = node.data
            if figure or before is None or branch is None or before.of(branch) != badges.of(branch):
                node.refresh()

    def changed(self, names: Iterable[str]) -> None:
        """Repaint these rows and their groups, where they are."""
        if self._badges is None:
            return
        for name in names:
            leaf = self._branches.get(name)
            self._badges.forget(name, leaf)
            if leaf is None:
                continue
            for branch in (leaf, *leaf.ancestors()):
                node = self._drawn.get(id(branch))
                if node is not None:
                    node.refresh()

    def _populate(self, node: TreeNode[Branch]) -> None:
        if node.data is None or node.children:
            return
        for branch in node.data.children:
            child = node.add(Text(printable(branch.label)), branch, allow_expand=branch.row is None)
            self._drawn[id(branch)] = child

    def _open_all(self, node: TreeNode[Branch]) -> None:
        stack = [node]
        while stack:
            one = stack.pop()
            if one.data is not None and one.data.row is None:
                self._populate(one)
                one.expand()
                stack.extend(one.children)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Branch]) -> None:
        """Make the children of a group that opens."""
        event.stop()
        self._populate(event.node)

    # The cursor ----------------------------------------------------------------------------------

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Branch]) -> None:
        """Tell which row is in front; a group is none, nor is what the cursor is about to leave."""
        event.stop()
        branch = event.node.data
        if self._sought is not None or event.node is not self.cursor_node:
            return
        if branch is not None and branch.row is not None:
            self.post_message(self.Highlighted(branch.row))

    def on_tree_node_selected(self, event: Tree.NodeSelected[Branch]) -> None:
        """Enter opens a group and chooses a row."""
        event.stop()
        branch = event.node.data
        if branch is None:
            return
        if branch.row is None:
            event.node.toggle()
        else:
            self.post_message(self.Chosen(branch.row))

    def reveal(self, name: str) -> bool:
        """Open the groups above a row and put the cursor on it; False when the filter hides it."""
        leaf = self._branches.get(name)
        if leaf is None:
            return False
        for branch in reversed(list(leaf.ancestors())):
            node = self._drawn[id(branch)]
            self._populate(node)
            node.expand()
        self._sought = leaf
        self.call_after_refresh(self._put_cursor, leaf)
        return True

    def _put_cursor(self, leaf: Branch) -> None:
        if self._sought is leaf:
            self._sought = None
        node = self._drawn.get(id(leaf))
        if node is not None:
            self.move_cursor(node)
            self.scroll_to_node(node, animate=False)

    def action_open(self) -> None:
        """Open a group; on an open one go to its first child."""
        node = self.cursor_node
        if node is None or not node.allow_expand:
            return
        if node.is_expanded and node.children:
            self.move_cursor(node.children[0])
        else:
            self._populate(node)
            node.expand()

    def action_close(self) -> None:
        """Close a group; on a row or a closed group go to the group above."""
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and node.is_expanded:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)
            self.scroll_to_node(node.parent, animate=False)

    # Painting ------------------------------------------------------------------------------------

    def get_label_width(self, node: TreeNode[Branch]) -> int:
        """Labels are cut to the width at hand: the tree never scrolls sideways."""
        return 1

    def render_label(self, node: TreeNode[Branch], base_style: Style, style: Style) -> Text:
        """Arrow, name, dots, mark; the badge stands right-aligned whatever the depth."""
        branch = node.data
        if branch is None or self._badges is None:
            return Text("")
        look, badge, name = self._look, self._badges.of(branch), branch.row
        width = self.size.width - self.guide_depth * max(branch.depth, 0) - 1
        lead = "  "
        if node.allow_expand:
            lead = look.glyphs.opened if node.is_expanded else look.glyphs.closed
        elif name in self._marks:
            lead = look.glyphs.marked
        figure = self._figure(name) if self._figure is not None and name is not None else ""
        mark = f"{figure:>{FIGURE_WIDTH}}" if figure else f"{badge.mark:>{MARK_WIDTH}}"
        room = width - cell_len(mark) - 2
        label = printable(branch.label)
        # Every row with intruders keeps one dot: one that only short names had would look like a finding.
        most = 1 if figure else max(1, room - cell_len(label) - 1)
        dots = look.glyphs.intruder * min(badge.dots, most)
        gap = len(dots) + 1 if dots or figure else 0
        label = fitted(label, room - gap, look.glyphs.ellipsis[:1])
        grey = name is not None and self._badges.session.row(name).kind is not RowKind.MATRIX
        tone = {
            Tone.QUIET: look.tones.muted,
            Tone.ACCENT: look.tones.accent,
            Tone.WARNING: look.tones.warning,
        }
        text = Text(no_wrap=True)
        text.append(lead, base_style + (look.tones.active if name in self._marks else look.tones.muted))
        text.append(label, style + look.tones.muted if grey else style)
        gap = max(0, room - cell_len(label) - len(dots))
        text.append(" " * gap + dots, style + tone[badge.tone])
        text.append(mark, style + tone[badge.tone])
        return text
