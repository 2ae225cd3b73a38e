"""The ramps: monotone, honest about 256 colours, silent about what is not known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color, ColorType

from intruder_tui.views.palette import (
    COLOURMAPS,
    ColourMode,
    oklab,
    ramp,
    resolve,
    srgb,
    tones,
    xterm_colours,
)

RAMPS = [ColourMode.TRUECOLOR, ColourMode.MANY]


@pytest.mark.parametrize("mode", RAMPS)
@pytest.mark.parametrize("colourmap", COLOURMAPS)
def test_lightness_rises_with_every_level(mode: ColourMode, colourmap: str) -> None:
    one = ramp(mode, colourmap)
    drawn = np.array([colour.get_truecolor() for colour in one.colours]) / 255
    assert (np.diff(oklab(drawn)[:, 0]) > 0).all()
    assert len(one.colours) >= 12


@pytest.mark.parametrize("colourmap", COLOURMAPS)
def test_lightness_rises_between_the_levels_too(colourmap: str) -> None:
    assert (np.diff(oklab(srgb(np.linspace(0, 1, 256), colourmap))[:, 0]) > 0).all()


# Colour vision deficiencies at full severity, for linear RGB: Machado, Oliveira and Fernandes (2009).
PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
TRITAN = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]


@pytest.mark.parametrize("seen_by", [PROTAN, DEUTAN, TRITAN], ids=["protan", "deutan", "tritan"])
@pytest.mark.parametrize("colourmap", COLOURMAPS)
def test_lightness_rises_for_colour_blind_eyes_too(colourmap: str, seen_by: list[list[float]]) -> None:
    rgb = srgb(np.linspace(0, 1, 32), colourmap)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(seen_by).T, 0, 1)
    back = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    assert (np.diff(oklab(back)[:, 0]) > 0).all()


def test_a_colour_map_that_is_not_offered_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'jet' is none of viridis, cividis, magma, inferno, batlow"):
        ramp(ColourMode.TRUECOLOR, "jet")


@pytest.mark.parametrize("mode", RAMPS)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20))
def test_a_larger_cosine_is_never_darker(mode: ColourMode, values: list[float]) -> None:
    levels = ramp(mode).levels(np.array(sorted(values), np.float32))
    assert (np.diff(levels) >= 0).all()
    assert levels.min() >= 0
    assert levels.max() < len(ramp(mode).colours)


def test_the_ends_of_the_scale_are_the_ends_of_the_ramp() -> None:
    for mode in RAMPS:
        assert list(ramp(mode).levels(np.array([0.0, 1.0]))) == [0, len(ramp(mode).colours) - 1]


def test_256_colours_are_sent_by_number_and_none_of_the_themeable_sixteen() -> None:
    colours = ramp(ColourMode.MANY).colours
    assert len(set(colours)) == len(colours) >= 12
    for colour in colours:
        assert colour.type is ColorType.EIGHT_BIT
        assert colour.number is not None
        assert colour.number >= 16


def test_unknown_values_have_no_level() -> None:
    assert list(ramp(ColourMode.TRUECOLOR).levels(np.array([np.nan, 0.5], np.float32))) == [-1, 16]


def test_oklab_agrees_with_its_published_reference_values() -> None:
    white, black, red = oklab(np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]))
    np.testing.assert_allclose(white, [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(black, [0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(red, [0.62796, 0.22486, 0.12585], atol=1e-4)


def test_our_xterm_table_is_the_one_rich_draws_with() -> None:
    ours = np.round(xterm_colours() * 255).astype(int)
    for number in (16, 17, 52, 196, 209, 231, 232, 243, 255):
        assert tuple(ours[number - 16]) == tuple(Color.from_ansi(number).get_truecolor())


@pytest.mark.parametrize(
    ("mode", "system", "no_color", "expected"),
    [
        ("auto", "truecolor", False, "truecolor"),
        ("auto", "256", False, "256"),
        ("auto", "standard", False, "16"),
        ("auto", None, False, "none"),
        ("auto", "truecolor", True, "none"),
        ("256", "truecolor", True, "256"),
    ],
)
def test_auto_takes_what_the_terminal_has(mode: str, system: str, no_color: bool, expected: str) -> None:
    assert resolve(ColourMode(mode), system, no_color=no_color) == expected


def test_few_colours_have_no_ramp() -> None:
    with pytest.raises(ValueError, match="no colour ramp with 16 colours"):
        ramp(ColourMode.FEW)


def test_without_colours_no_style_has_a_colour() -> None:
    for style in vars_of(ColourMode.NONE):
        assert style.color is None
        assert style.bgcolor is None


def vars_of(mode: ColourMode) -> list:
    tone = tones(mode)
    return [getattr(tone, name) for name in tone.__slots__]
