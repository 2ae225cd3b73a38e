"""The sweeps: the count over eps and over k or k / q, of the selected matrix and of whole checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType

from intruder_tui.checkpoint.names import printable
from intruder_tui.findings.sweep import Sweep, by_eps, by_k, by_share, members_of, stack
from intruder_tui.ui.look import Look
from intruder_tui.ui.outline import short_name
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.subject import notice, subject
from intruder_tui.ui.widgets.picture import Picture
from intruder_tui.views import numbers
from intruder_tui.views.sweep import SweepView

TIGHT = 12
"""Lines in which two plots have no room for a head of their own."""
BOTH = 36
"""Lines from which the matrix and the checkpoints stand one above the other."""


class SweepPane(Picture):
    """A curve per open checkpoint: of the selected matrix, or of all matrices."""

    HELP_NAME = "sweep"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "percent_sign",
            "share",
            "Over k, or over k as a share of all vectors",
            key_display="%",
            show=False,
            id="sweep.share",
        ),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="sweep")
        self._scope: Scope | None = None
        self._whole = False
        self._share = False
        self._matrix: list[list[Sweep]] = [[], []]
        self._model: list[list[Sweep]] = [[], []]

    @property
    def whole(self) -> bool:
        """Whether whole checkpoints are in front."""
        return self._whole

    def tell(self, scope: Scope) -> None:
        """Show the counts there are now."""
        self._scope = scope
        self._matrix = sweeps(scope, whole=False, share=self._share)
        self._model = sweeps(scope, whole=True, share=self._share)
        self.repaint()

    def turn(self) -> None:
        """Switch between the selected matrix and whole checkpoints."""
        self._whole = not self._whole
        self.repaint()

    def action_share(self) -> None:
        """Count over k, or over k as a share of the vectors that a matrix has."""
        self._share = not self._share
        if self._scope is not None:
            self.tell(self._scope)

    def curves(self) -> tuple[list[Sweep], list[Sweep]]:
        """The curves in front, over eps and over k or k / q."""
        over_eps, over_k = self._model if self._whole else self._matrix
        return over_eps, over_k

    def drawn(self, width: int, lines: int) -> RenderableType:
        """One pair of plots, or both pairs where there is room."""
        if self._scope is None:
            return self.waiting()
        if lines >= BOTH:
            upper = lines // 2
            return Group(self._part(False, upper - 1), Text(), self._part(True, lines - upper))
        return self._part(self._whole, lines)

    def _part(self, whole: bool, lines: int) -> RenderableType:
        assert self._scope is not None
        over_eps, over_k = self._model if whole else self._matrix
        if not whole and not over_eps and (reason := self._why_none()):
            return reason
        if not whole and lines <= TIGHT:  # the title above names the matrix
            return self._curves(over_eps, over_k, lines)
        tones = self._look.tones
        name = "" if self._scope.name is None else printable(short_name(self._scope.name))
        head = Text("all matrices" if whole else name, tones.active, no_wrap=True, overflow="ellipsis")
        if whole:
            head.append(f"   {changed_text(over_eps)}", tones.muted)
        return Group(head, self._curves(over_eps, over_k, lines - 1))

    def _why_none(self) -> Text | None:
        """What the notice of other views says of a matrix that has nothing to count; None where it may have.

        What it says to do next is left out: the keys it names do nothing here.
        """
        scope = self._scope
        if scope is None or scope.name is None:
            return None
        one = subject(scope.session, scope.name, scope.definition)
        if one.viewable:
            return None
        return Text("\n\n").join(notice(one, self._look, "").split("\n\n")[:2])

    def _curves(self, over_eps: list[Sweep], over_k: list[Sweep], lines: int) -> SweepView:
        assert self._scope is not None
        mode, glyphs = self._look.mode, self._look.glyphs
        return SweepView(over_eps, over_k, self._scope.definition, mode, glyphs, lines=lines)


def changed_text(curves: Sequence[Sweep]) -> str:
    """How many matrices stand behind the curves, each for itself where they differ."""
    known = [sweep.matrices for sweep in curves]
    if len(set(known)) < 2:
        return f"{numbers.plural(max(known, default=0), 'matrix', 'matrices')} analysed and changed"
    each = ", ".join(f"{sweep.matrices} of {printable(sweep.label, 40)}" for sweep in curves)
    return f"analysed and changed: {each}"


def sweeps(scope: Scope, *, whole: bool, share: bool = False) -> list[list[Sweep]]:
    """[over eps, over k or k / q], each with a curve per checkpoint that has something to count."""
    over_eps, over_k = [], []
    own = () if scope.name is None else (scope.name,)
    for session, label in zip(scope.sessions, scope.labels(), strict=True):
        members = members_of(session, session.default_names if whole else own)
        if members:
            bounds = stack(members, scope.definition.side)
            second = by_share if share else by_k
            over_eps.append(by_eps(label, members, scope.definition, bounds))
            over_k.append(second(label, members, scope.definition, bounds=bounds))
    return [over_eps, over_k]
