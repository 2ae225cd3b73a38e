"""Colours for |cos| in 0..1: a lightness-monotone ramp for 24-bit and 256-colour terminals.

Rich turns a 24-bit colour into the nearest of 256 by a cube that merges dark tones and is not monotone. Here
the 256-colour ramp is chosen: nearest xterm colour in Oklab (B. Ottosson, 2020), repeats and steps back in
lightness dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style

COLOURMAP = "viridis"
COLOURMAPS = ("viridis", "cividis", "magma", "inferno", "batlow")
"""All lightness-monotone, so that they survive colour blindness, greys and print."""
LEVELS = 32
"""More levels than an eye tells apart only cost bytes on a slow line."""

Array = NDArray[np.float64]


class ColourMode(StrEnum):
    """How many colours the terminal has."""

    AUTO = "auto"
    TRUECOLOR = "truecolor"
    MANY = "256"
    FEW = "16"
    NONE = "none"

    @property
    def ramp(self) -> bool:
        """Whether a colour ramp can be shown; otherwise signs of growing weight stand for values."""
        return self in (ColourMode.TRUECOLOR, ColourMode.MANY)


def resolve(mode: ColourMode, color_system: str | None, *, no_color: bool = False) -> ColourMode:
    """What AUTO means on a console whose `color_system` rich has found; other modes stay as they are."""
    if mode is not ColourMode.AUTO:
        return mode
    if no_color or color_system is None:
        return ColourMode.NONE
    return {
        "truecolor": ColourMode.TRUECOLOR,
        "256": ColourMode.MANY,
    }.get(color_system, ColourMode.FEW)


@dataclass(frozen=True, eq=False, slots=True)
class Ramp:
    """Colours for values in 0..1.

    Attributes:
        colours: L colours, from the one of 0 to the one of 1.
        edges: [L - 1] float64, ascending; a value belongs to level i when edges[i - 1] <= value < edges[i].
        lightness: [L] float64, Oklab lightness of the colours, ascending.
    """

    colours: tuple[Color, ...]
    edges: Array
    lightness: Array

    def levels(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        """The level of every value; -1 where a value is NaN (not known)."""
        levels = np.searchsorted(self.edges, values, side="right")
        return np.where(np.isnan(values), -1, levels)

    def contrast(self, level: int) -> str:
        """Black or white, whichever is readable on a level's colour."""
        return "black" if level >= 0 and self.lightness[level] > 0.6 else "white"


def oklab(rgb: NDArray[np.floating]) -> Array:
    """Oklab coordinates of sRGB colours; [..., 3] in 0..1 to [..., 3]."""
    rgb = np.asarray(rgb, np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    lab: Array = np.cbrt(linear @ to_cones.T) @ to_lab.T
    return lab


def xterm_colours() -> Array:
    """sRGB of the colours 16..255, which no terminal theme redefines: [240, 3] in 0..1."""
    steps = [0, 95, 135, 175, 215, 255]
    cube = [(r, g, b) for r in steps for g in steps for b in steps]
    greys = [(8 + 10 * i,) * 3 for i in range(24)]
    return np.array(cube + greys, np.float64) / 255


@cache
def ramp(mode: ColourMode, colourmap: str = COLOURMAP) -> Ramp:
    """The ramp of a mode that has one.

    Raises:
        ValueError: the mode has too few colours for a ramp, or the map is none of `COLOURMAPS`.
    """
    if colourmap not in COLOURMAPS:
        raise ValueError(f"colour map {colourmap!r} is none of {', '.join(COLOURMAPS)}")
    if mode is ColourMode.TRUECOLOR:
        rgb = _samples(colourmap, LEVELS)
        colours = tuple(Color.from_rgb(*(float(round(255 * c)) for c in row)) for row in rgb)
        return Ramp(colours, np.arange(1, LEVELS) / LEVELS, oklab(rgb)[:, 0])
    if mode is ColourMode.MANY:
        return _ramp_of_256(colourmap)
    raise ValueError(f"no colour ramp with {mode} colours")


def srgb(values: NDArray[np.floating], colourmap: str = COLOURMAP) -> Array:
    """The map's own colours of values in 0..1: [n] to [n, 3], sRGB in 0..1."""
    from cmap import Colormap  # not before the first map is drawn: it would delay the first paint by a tenth

    return np.asarray(Colormap(colourmap)(np.asarray(values, np.float64)), np.float64)[:, :3]


def _samples(colourmap: str, count: int) -> Array:
    return srgb(np.linspace(0, 1, count), colourmap)


def _ramp_of_256(colourmap: str) -> Ramp:
    positions = np.linspace(0, 1, 256)
    wanted = oklab(_samples(colourmap, len(positions)))
    offered = oklab(xterm_colours())
    nearest = ((wanted[:, None] - offered[None]) ** 2).sum(-1).argmin(1)
    chosen: list[int] = []
    places: list[list[float]] = []
    for position, index in zip(positions, nearest, strict=True):
        if chosen and index == chosen[-1]:
            places[-1].append(position)
        elif not chosen or offered[index, 0] > offered[chosen[-1], 0]:
            chosen.append(int(index))
            places.append([position])
    middles = np.array([np.mean(place) for place in places])
    colours = tuple(Color.from_ansi(16 + index) for index in chosen)
    return Ramp(colours, (middles[1:] + middles[:-1]) / 2, offered[chosen, 0])


@dataclass(frozen=True, slots=True)
class Tones:
    """The few styles beside the ramp: one accent for intruders, one for the cursor, greys for the rest.

    `active` is the cursor's colour for words that are not under the cursor: the tab in front, a head.
    """

    accent: Style
    cursor: Style
    active: Style
    muted: Style
    warning: Style
    strong: Style
    text: Style


ACCENT, CURSOR, MUTED, WARNING = 209, 117, 245, 203
"""xterm numbers, so that the 256-colour screen shows exactly what the 24-bit one does."""
ON_LIGHT = (166, 25, 241, 160)
"""The same four on a light ground."""


@cache
def tones(mode: ColourMode, *, light: bool = False) -> Tones:
    """The styles of a colour mode, for a dark or light ground; without colours weight carries them."""
    bold, plain = Style(bold=True), Style()
    if mode is ColourMode.NONE:
        return Tones(bold, Style(reverse=True), bold, Style(dim=True), bold, bold, plain)
    if mode is ColourMode.FEW:
        cursor = Style(color="blue" if light else "cyan", bold=True)
        accent = Style(color="magenta" if light else "yellow", bold=True)
        muted = Style(color="bright_black")
        return Tones(accent, cursor, cursor, muted, Style(color="red"), bold, plain)

    def colour(number: int) -> Style:
        own = Color.from_ansi(number)
        exact = mode is ColourMode.TRUECOLOR
        return Style(color=Color.from_triplet(own.get_truecolor()) if exact else own)

    strong, line, quiet, bad = ON_LIGHT if light else (ACCENT, CURSOR, MUTED, WARNING)
    cursor = colour(line) + bold
    return Tones(colour(strong), cursor, cursor, colour(quiet), colour(bad), bold, plain)
