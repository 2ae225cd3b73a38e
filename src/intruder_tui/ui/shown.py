"""What the screen shows at one moment: all that a snapshot is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intruder_tui.findings.comparison import Comparison
from intruder_tui.findings.model_map import ModelMap
from intruder_tui.findings.series import Step
from intruder_tui.findings.sweep import Sweep
from intruder_tui.findings.tracks import FollowedStep
from intruder_tui.studies.answers import Scalings
from intruder_tui.studies.cosines import Cosines
from intruder_tui.ui.look import Look
from intruder_tui.ui.scope import Scope
from intruder_tui.ui.subject import Subject
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.views.extent import Extent
from intruder_tui.views.field import Field
from intruder_tui.views.intruders import Order


@dataclass(frozen=True, eq=False)
class Shown:
    """What the screen shows, gathered at once: nothing in it changes while the files are written.

    Attributes:
        one, scope: the selected matrix, and the open checkpoints.
        view, vector: the view in front, and the tuned vector whose plot is.
        map: the model map as it is.
        sweeps: the curves in front, over eps and over k.
        whole: whether those are of whole checkpoints.
        fields, extent: the heatmap's sides, and the window it shows.
        order: what the intruder table is sorted by.
        scaling: what is known at other scalings, and the slider's place; None where nothing is.
        followed: the matrix in every checkpoint; empty where nobody asked for its vectors.
        compared: the checkpoints beside each other; None while another view is in front.
        series: the selected matrix and all matrices over the training steps; empty where no steps are known.
    """

    one: Subject
    scope: Scope
    view: View
    vector: int | None
    map: ModelMap
    sweeps: tuple[Sequence[Sweep], Sequence[Sweep]]
    whole: bool
    fields: Sequence[Field]
    extent: Extent
    order: Order
    scaling: tuple[Scalings, int] | None
    followed: Sequence[FollowedStep]
    compared: Comparison | None
    series: tuple[Sequence[Step], Sequence[Step]]
    look: Look

    @property
    def of_model(self) -> bool:
        """Whether it shows whole checkpoints rather than a matrix."""
        return self.view in (View.MAP, View.COMPARE) or (self.view is View.SWEEP and self.whole)

    @property
    def whole_cosines(self) -> Cosines | None:
        """Every cosine of the side in force, where they are known."""
        side = self.scope.definition.side
        return next((one.whole for one in self.fields if one.side is side), None)
