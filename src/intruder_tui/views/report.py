"""One matrix on paper: what the headless `show` prints, at any width."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from intruder_tui.checkpoint.names import printable
from intruder_tui.definition import Definition
from intruder_tui.results import MatrixResult, Tier
from intruder_tui.views import numbers
from intruder_tui.views.field import field
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.heatmap import Heatmap
from intruder_tui.views.intruders import intruder_table
from intruder_tui.views.palette import ColourMode, tones
from intruder_tui.views.sentence import inferences, matrix_sentence, remarks
from intruder_tui.views.update import update_view

TIERS = {
    Tier.CERTIFICATE: "certified bounds",
    Tier.EXACT: "exact values",
    Tier.FLOAT64: "exact values, float64",
    Tier.NONE: "nothing to compute",
}


def title(name: str, result: MatrixResult, glyphs: Glyphs = UNICODE) -> Text:
    """The matrix's name, shape, how it was answered and where."""
    text = Text(printable(name), "bold")
    facts = [numbers.shape(result.shape, glyphs), TIERS[result.tier], result.device]
    text.append("   " + "   ".join(fact for fact in facts if fact), "not bold")
    return text


def matrix_report(
    name: str,
    result: MatrixResult,
    definition: Definition,
    *,
    built_on_base: bool = False,
    width: int = 80,
    glyphs: Glyphs = UNICODE,
    colours: ColourMode = ColourMode.TRUECOLOR,
) -> RenderableType:
    """Title, finding, heatmap, table and measures of one matrix.

    `built_on_base` where an adapter makes W1 from W0 itself; `colours` must be resolved, not AUTO.
    """
    tone = tones(colours)
    parts: list[RenderableType] = [
        title(name, result, glyphs),
        Text(matrix_sentence(result, definition, glyphs)),
    ]
    parts += [Text(fact, tone.muted) for fact in remarks(result, definition, built_on_base=built_on_base)]
    if not result.unchanged:
        count = len(result.summary().intruders(definition))
        parts += [Text(str(inference), tone.muted) for inference in inferences(count)]
        parts += [
            Text(),
            Heatmap(
                (field(result, definition.side),), definition.k, definition.eps, colours, glyphs, lines=20
            ),
            Text(),
            intruder_table(result, definition, mode=colours, glyphs=glyphs, width=width),
            Text(),
            update_view(result, width=width, mode=colours, glyphs=glyphs),
        ]
    return Group(*parts)
