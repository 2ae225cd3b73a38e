"""The signs the screen draws with, in Unicode and in plain ASCII."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs. Marks of a row's state come first, then the parts of pictures, then letters."""

    idle: str
    queued: str
    computing: tuple[str, str]
    none: str
    intruder: str
    unchanged: str
    undecided: str
    failed: str
    marked: str

    closed: str
    opened: str
    corners: tuple[str, str, str, str]
    across: str
    edges: tuple[str, str]
    down: str
    up: str
    diagonal: str
    ramp: str
    half: str
    bar: str
    points: tuple[str, str, str]
    floor: str
    noise: str
    upright: str
    strokes: str
    "Parts of a drawn line: across, down, and the corners left-down, up-right, left-up, down-right."
    curves: str
    "A sign per curve, for where colour can't tell them apart."
    band: str
    setting: str
    heights: str

    sigma: str
    eps: str
    times: str
    at_most: str
    at_least: str
    to: str
    dot: str
    arrow: str
    minus: str
    dash: str
    ellipsis: str
    about: str
    superscript: str | None
    "The digits and the minus sign raised, or None to write 1e-3."


UNICODE = Glyphs(
    idle="··",
    queued="…",
    computing=("◐", "◑"),
    none="·",
    intruder="●",
    unchanged="=",
    undecided="~",
    failed="!",
    marked="◆ ",
    closed="▸ ",
    opened="▾ ",
    corners=("┌", "┐", "└", "┘"),
    across="─",
    edges=("▏", "▕"),
    down="▾",
    up="▴",
    diagonal="╲",
    ramp=" ░▒▓█",
    half="▀",
    bar="▇",
    points=("·", "○", "+"),
    floor="┄",
    noise="╌",
    upright="│",
    strokes="─│╮╰╯╭",
    curves="●○▲△◆◇■□",
    band="░",
    setting="┊",
    heights=" ▁▂▃▄▅▆▇█",
    sigma="σ",
    eps="ε",
    times="×",
    at_most="≤ ",
    at_least="≥ ",
    to="–",
    dot="·",
    arrow="→",
    minus="−",
    dash="–",
    ellipsis="…",
    about="≈ ",
    superscript="⁰¹²³⁴⁵⁶⁷⁸⁹⁻",
)

ASCII = Glyphs(
    idle="..",
    queued="?",
    computing=("*", "x"),
    none="-",
    intruder="#",
    unchanged="=",
    undecided="~",
    failed="!",
    marked="+ ",
    closed="> ",
    opened="v ",
    corners=("+", "+", "+", "+"),
    across="-",
    edges=("|", "|"),
    down="v",
    up="^",
    diagonal="\\",
    ramp=" .:-=+*#%@",
    half="",
    bar="=",
    points=(".", "o", "+"),
    floor="-",
    noise="~",
    upright="|",
    strokes="-|.''.",
    curves="o+*#%@&$",
    band=":",
    setting="!",
    heights=" .:I",
    sigma="sigma",
    eps="eps",
    times="x",
    at_most="<= ",
    at_least=">= ",
    to="-",
    dot="-",
    arrow="->",
    minus="-",
    dash="-",
    ellipsis="..",
    about="~ ",
    superscript=None,
)


def glyphs(*, ascii_only: bool) -> Glyphs:
    """The set for a terminal that may not know Unicode."""
    return ASCII if ascii_only else UNICODE
