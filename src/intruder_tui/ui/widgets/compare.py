"""Several tuned checkpoints beside each other, and, where they are steps of one run, the series."""

from __future__ import annotations

from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType

from intruder_tui.checkpoint.names import printable
from intruder_tui.engine.desk import Desk
from intruder_tui.findings.comparison import Comparison, comparison, telling_rows
from intruder_tui.findings.series import Step, matrix_series, model_series
from intruder_tui.findings.tracks import FollowedStep
from intruder_tui.studies.answers import StudyKind
from intruder_tui.ui.following import followed_steps
from intruder_tui.ui.look import Look
from intruder_tui.ui.messages import Jumped, StudiesAsked
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.scope import Scope, training_steps
from intruder_tui.ui.widgets.picture import Picture
from intruder_tui.views.compare import MOST_ROWS, base_doubts, comparison_view
from intruder_tui.views.series import SeriesView
from intruder_tui.views.tracks import TracksView

HEADS = 2
"""Lines over the first matrix: the heads, and the sums over all matrices; a doubted base has one more."""
SERIES = 24
"""Lines a series may take."""
FOLLOW = (
    "{} follows each intruder of this matrix from step to step: "
    "it computes the top vectors of {} checkpoints."
)
ALONE = (
    "One tuned checkpoint is open. To compare several of one base, name them all: "
    "intruder-tui BASE TUNED TUNED2. With --series a training directory opens every checkpoint-N in it."
)


class CompareView(Picture):
    """Counts per matrix; the cursor stands on a matrix."""

    HELP_NAME = "compare"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next matrix", show=False, id="compare.down"),
        Binding("up,k", "move(-1)", "Previous matrix", show=False, id="compare.up"),
        Binding("g,home", "corner(0)", "First matrix", show=False, id="compare.first"),
        Binding("G,end", "corner(-1)", "Last matrix", show=False, id="compare.last"),
        Binding("enter", "jump", "Go to the matrix", show=False, id="compare.enter"),
        Binding("f", "follow", "Follow its intruders over the checkpoints", show=False, id="compare.follow"),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="compare")
        self._scope: Scope | None = None
        self._steps: list[int | None] | None = None
        self._comparison: Comparison | None = None
        self._names: list[str] = []
        self._series: tuple[list[Step], list[Step]] = ([], [])
        self._followed: list[FollowedStep] = []
        self._tracks = range(0)
        self._awaited = ""
        self._cursor = 0

    @property
    def cursor(self) -> str | None:
        """The matrix under the cursor."""
        return self._names[self._cursor] if self._names else None

    @property
    def _heads(self) -> int:
        return HEADS + bool(self._comparison is not None and base_doubts(self._comparison))

    @property
    def row(self) -> str:
        """The line under the cursor."""
        at = self._cursor + self._heads
        return self._lines[at].text.strip() if self._names and at < len(self._lines) else ""

    def copied(self) -> str:
        """The line under the cursor; the whole picture where there is none."""
        return self.row or self.plain()

    def tell(self, scope: Scope) -> None:
        """Show the counts there are now; the cursor stays on its matrix, wherever that moves."""
        before, kept, self._scope = self._scope, self.cursor, scope
        if len(scope.sessions) < 2:
            self.repaint()
            return
        if self._steps is None:
            self._steps = training_steps(scope.sessions)
        self._comparison = comparison(scope.sessions, scope.definition)
        self._names = [row.name for row in telling_rows(self._comparison)[:MOST_ROWS]]
        wanted = scope.name if before is None or before.name != scope.name else kept
        if wanted not in self._names:
            wanted = kept
        self._cursor = self._names.index(wanted) if wanted in self._names else 0
        if all(step is not None for step in self._steps):
            labels = scope.labels()
            name = scope.name or ""
            results = [one.result(name) if one.has(name) else None for one in scope.sessions]
            self._series = (
                matrix_series(results, self._steps, labels, scope.definition),
                model_series(scope.sessions, self._steps, labels, scope.definition),
            )
        self._followed = followed_steps(scope, self._steps)
        self.repaint()
        if self._names and before is not None and before.name != scope.name:
            self.reveal(self._cursor + self._heads)
        if self._awaited:
            if self._awaited == scope.name:
                self._reveal_tracks()
            if not self._waiting(self._awaited):
                self._awaited = ""

    def drawn(self, width: int, lines: int) -> RenderableType:
        """The table, then the series of the selected matrix and of all of them."""
        scope, look = self._scope, self._look
        if scope is None:
            return self.waiting()
        if self._comparison is None:
            return Text(ALONE)
        eps = scope.definition.eps
        parts = [comparison_view(self._comparison, eps=eps, width=width, mode=look.mode, glyphs=look.glyphs)]
        names = (printable(short_name(scope.name)) if scope.name else "", "all matrices")
        for place, (name, steps) in enumerate(zip(names, self._series, strict=True)):
            if steps:
                size = max(SERIES, len(steps) + 16)
                view = SeriesView(steps, scope.definition, look.mode, look.glyphs, lines=size)
                parts += [Text(), Text(f"{name} over the training steps", look.tones.active), view]
            if place == 0 and self._followed and (steps or self._asked):
                head = f"{name}: each intruder followed"
                start = self._count(parts, width) + 1
                parts += [Text(), Text(head, look.tones.active), self._tracked(scope)]
                self._tracks = range(start, self._count(parts[-3:], width) + start - 1)
        return Group(*parts)

    @property
    def followed(self) -> list[FollowedStep]:
        """The selected matrix in every checkpoint; empty until somebody asked for its vectors."""
        return self._followed if self._asked else []

    @property
    def series(self) -> tuple[list[Step], list[Step]]:
        """The selected matrix and all matrices over the training steps; empty where no steps are known."""
        return self._series

    @property
    def _asked(self) -> bool:
        return any(step.vectors is not None or step.note for step in self._followed)

    def _count(self, parts: list[RenderableType], width: int) -> int:
        """The lines of something drawn."""
        options = self.app.console.options.update(width=width)
        return len(self.app.console.render_lines(Group(*parts), options)) if self._awaited else 0

    def _reveal_tracks(self) -> None:
        """What was asked for comes into view, when it is asked for and as it comes."""
        self.reveal_part(self._tracks.start, self._tracks.stop)

    def _waiting(self, name: str) -> list[Desk]:
        """The desks at which the vectors of a matrix are waited for."""
        desks = [] if self._scope is None else [session.desk for session in self._scope.sessions]
        return [desk for desk in desks if desk.waiting(name, StudyKind.VECTORS)]

    def _tracked(self, scope: Scope) -> RenderableType:
        """The followed intruders, or how to have them followed."""
        if self._asked:
            return TracksView(self._followed, scope.definition, self._look.mode, self._look.glyphs)
        return Text(
            FOLLOW.format(self._look.keys["compare.follow"], len(self._followed)), self._look.tones.muted
        )

    def marked(self) -> range:
        """The cursor shows on the table's row."""
        if not self._names or len(self._scope.sessions if self._scope else ()) < 2:
            return range(0)
        return range(self._cursor + self._heads, self._cursor + self._heads + 1)

    def action_move(self, step: int) -> None:
        """Move by a matrix; beyond the last one the view scrolls on to what stands below."""
        if 0 <= self._cursor + step < len(self._names):
            self._cursor += step
            self.repaint()
            self.reveal(self._cursor + self._heads if self._cursor else 0)
        elif step > 0:
            self.scroll_relative(y=1, animate=False)
        elif self.scroll_offset.y:
            self.scroll_relative(y=-1, animate=False)

    def action_corner(self, which: int) -> None:
        """Go to the first or the last matrix."""
        if self._names:
            self._cursor = range(len(self._names))[which]
            self.repaint()
            self.reveal(self._cursor + self._heads if self._cursor else 0)

    def action_follow(self) -> None:
        """Ask every checkpoint for the selected matrix's tuned vectors; take back what is under way."""
        scope = self._scope
        if scope is None or scope.name is None or len(scope.sessions) < 2:
            return
        kind, name = StudyKind.VECTORS, scope.name
        running = self._waiting(name)
        for desk in running:
            desk.cancel(name, kind)
        if not running:
            for session in reversed(scope.sessions):  # the last one asked is the first one answered
                session.desk.request(name, kind)
        self._awaited = "" if running else name
        self._followed = followed_steps(scope, self._steps or [])
        self.repaint()
        if self._awaited:
            self._reveal_tracks()
        self.post_message(StudiesAsked())

    def action_jump(self) -> None:
        """Make the matrix the selected one."""
        if self.cursor is not None:
            self.post_message(Jumped(self.cursor))
