"""What is taken from the pane: all that it shows, for files; its words and numbers, for the clipboard."""

from __future__ import annotations

from dataclasses import replace

from intruder_tui.findings.comparison import comparison
from intruder_tui.ui.look import Look
from intruder_tui.ui.shown import Shown
from intruder_tui.ui.widgets.compare import CompareView
from intruder_tui.ui.widgets.heatmap_page import HeatmapPage
from intruder_tui.ui.widgets.model_map import MapView
from intruder_tui.ui.widgets.pane import WHOLE, MatrixPane
from intruder_tui.ui.widgets.sweep import SweepPane
from intruder_tui.ui.widgets.table import IntruderTable
from intruder_tui.ui.widgets.tabs import View
from intruder_tui.ui.widgets.update import UpdateView
from intruder_tui.ui.widgets.vector import VectorView


def gathered(pane: MatrixPane, look: Look) -> Shown | None:
    """Everything a snapshot needs, as it is now; None while nothing is shown."""
    one, scope = pane.subject, pane.scope
    if one is None or scope is None:
        return None
    desk = scope.session.desk
    sweep, view_map = pane.query_one(SweepPane), pane.query_one(MapView)
    heatmap = pane.query_one(HeatmapPage)
    heatmap.feed(one, desk)
    compare, compared = pane.query_one(CompareView), None
    if pane.view is View.SWEEP:
        sweep.tell(scope)
    elif pane.view is View.COMPARE:
        compare.tell(scope)
        compared = comparison(scope.sessions, scope.definition)
    return Shown(
        one,
        scope,
        pane.view,
        pane.vector,
        view_map.current(scope),
        sweep.curves(),
        sweep.whole,
        pane.fields,
        heatmap.map.extent,
        pane.query_one(IntruderTable).order,
        pane.query_one(UpdateView).known(one, desk),
        compare.followed,
        compared,
        compare.series,
        replace(look),
    )


def copied(pane: MatrixPane) -> str:
    """What `y` copies: the table's row, or the words under the view."""
    one = pane.subject
    if one is None:
        return ""
    if pane.view in WHOLE:
        return pane.query_one(WHOLE[pane.view]).copied()
    if one.viewable:
        match pane.view:
            case View.UPDATE:
                return pane.query_one(UpdateView).copied()
            case View.INTRUDERS if pane.vector is not None:
                return pane.query_one(VectorView).copied()
            case View.INTRUDERS:
                return pane.query_one(IntruderTable).plain_row
            case View.HEATMAP:
                said = pane.query_one(HeatmapPage).said.replace("\n", "\t")
                return f"{one.name}\t{said}"
    return sentence(pane)


def sentence(pane: MatrixPane) -> str:
    """The matrix's name and all that the words under the view say, or why there is no view."""
    return "" if pane.subject is None else f"{pane.subject.name}\t{pane.said}"


def copied_table(pane: MatrixPane, look: Look) -> str:
    """What `Y` copies: the intruder table, or the numbers behind the view in front as one."""
    one = pane.subject
    if pane.view is View.INTRUDERS and pane.vector is None:
        table = pane.query_one(IntruderTable)
        if one is None or not one.viewable:
            return ""
        table.tell(one)
        return table.plain
    from intruder_tui.ui.snapshot import tab_separated  # its writers can wait until they are needed

    shown = gathered(pane, look)
    return "" if shown is None else tab_separated(shown)
