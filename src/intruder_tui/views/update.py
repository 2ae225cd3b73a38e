"""Measures of the update dW = W1 - W0, and when they can't be trusted."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from intruder_tui.results import MatrixResult, Update
from intruder_tui.views import numbers
from intruder_tui.views.glyphs import UNICODE, Glyphs
from intruder_tui.views.palette import ColourMode, tones

DOUBTFUL_SHARE = 0.01
"""Rounding that carries more than this share of dW's energy moves its ranks visibly."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the view: `value` None means undefined or not computed, `rank` marks what bars compare."""

    name: str
    value: float | None
    text: str
    note: str
    rank: bool = False


def rounding_share(update: Update) -> float | None:
    """The share of dW's energy that rounding to the tuned file's dtype alone would make, at most 1.

    None where nothing was rounded or dW is zero.
    """
    if update.rounding_floor is None or update.frobenius == 0:
        return None
    return min(1.0, (update.rounding_floor / update.frobenius) ** 2)


def warning(update: Update) -> str:
    """Why the ranks of dW are not trustworthy; empty where they are."""
    share = rounding_share(update)
    if share is None or share < DOUBTFUL_SHARE:
        return ""
    return (
        f"Rounding to the file's dtype alone makes up {numbers.percent(share)} of dW's energy: "
        "the ranks below count rounding noise. The adapter's own files give the true ones."
    )


def measures(result: MatrixResult, glyphs: Glyphs = UNICODE) -> list[Measure]:
    """The measures in reading order; a dash stands where one is undefined."""
    update = result.update
    sigma, square = glyphs.sigma, "²" if glyphs.superscript else "^2"
    energy: tuple[int | None, ...] = update.energy_ranks or (None, None, None)

    def rank(name: str, value: float | None, note: str) -> Measure:
        text = glyphs.dash if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
        return Measure(name, value, text, note, rank=True)

    floor = update.rounding_floor
    return [
        Measure(
            "relative update",
            update.relative_norm,
            numbers.percent(update.relative_norm),
            "norm of dW over norm of W0",
        ),
        rank("effective rank", update.effective_rank, f"exp of the entropy of dW's {sigma}"),
        rank("stable rank", update.stable_rank, f"norm_F{square} over norm_2{square} of dW"),
        rank("energy rank 90 %", energy[0], f"fewest {sigma} with 90 % of the energy"),
        rank("energy rank 95 %", energy[1], f"fewest {sigma} with 95 %"),
        rank("energy rank 99 %", energy[2], f"fewest {sigma} with 99 %"),
        rank("adapter rank r", update.adapter_rank, "from the adapter's configuration"),
        Measure(
            "norm of dW",
            update.frobenius,
            numbers.three_digits(update.frobenius),
            "Frobenius norm",
        ),
        Measure(
            "rounding floor",
            floor,
            glyphs.dash if floor is None else numbers.three_digits(floor),
            "nothing was rounded"
            if floor is None and update.adapter_rank is not None
            else "norm of W0's rounding to the dtype",
        ),
        Measure(
            "cos(W0, W1)",
            result.weight_cosine,
            glyphs.dash if result.weight_cosine is None else f"{result.weight_cosine:.4f}",
            "near 1 for a fine-tune",
        ),
    ]


def update_view(
    result: MatrixResult,
    *,
    width: int = 80,
    mode: ColourMode = ColourMode.TRUECOLOR,
    glyphs: Glyphs = UNICODE,
) -> RenderableType:
    """The measures as a table; ranks with a bar each where `width` has room for one."""
    tone = tones(mode)
    rows = measures(result, glyphs)
    doubtful = bool(warning(result.update))
    largest = max((row.value for row in rows if row.rank and row.value), default=0.0)
    bars = min(30, width - 62) if width >= 72 else 0
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, width=max(len(row.name) for row in rows))
    table.add_column(no_wrap=True, justify="right", min_width=max(len(row.text) for row in rows))
    if bars:
        table.add_column(no_wrap=True, width=bars)
    if width >= 48:
        table.add_column()
    for row in rows:
        value = Text(row.text)
        if doubtful and row.rank and row.value is not None and row.name != "adapter rank r":
            value = Text(f"{glyphs.about}{row.text} {glyphs.failed}", tone.warning)
        cells = [Text(row.name, tone.muted), value]
        if bars:
            share = row.value / largest if row.rank and row.value and largest else 0.0
            cells.append(Text(glyphs.bar * max(round(share * bars), share > 0), tone.muted))
        if width >= 48:
            cells.append(Text(row.note, tone.muted))
        table.add_row(*cells)
    parts: list[RenderableType] = [table]
    if doubtful:
        parts = [Text(f"{glyphs.failed} {warning(result.update)}", tone.warning), Text(), table]
    return Group(*parts)
