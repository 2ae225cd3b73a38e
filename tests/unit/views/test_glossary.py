"""Every view has its terms explained, in the signs the terminal has."""

from __future__ import annotations

import pytest

from intruder_tui.definition import Definition
from intruder_tui.ui.app import IntruderApp
from intruder_tui.ui.keymap import places
from intruder_tui.ui.keys import every_key
from intruder_tui.views.glossary import definition_in_force, marks, view_entries
from intruder_tui.views.glyphs import ASCII, UNICODE, Glyphs

KEYS = every_key(places(IntruderApp), {})
VIEWS = ("Heatmap", "Intruders", "Spectrum", "Sweep", "Update", "Map", "Compare", "Series", "Vector")


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("glyphs", [ASCII, UNICODE])
def test_terms_are_told_apart_and_explained(view: str, glyphs: Glyphs) -> None:
    entries = [
        *definition_in_force(Definition(), "u", glyphs),
        *view_entries(view, KEYS, glyphs),
        *marks(glyphs),
    ]
    assert all(term.strip() and text.strip() for term, text in entries)
    terms = [term for term, _ in view_entries(view, KEYS, glyphs)]
    assert len(set(terms)) == len(terms)
    if glyphs is ASCII:
        assert all((term + text).isascii() for term, text in entries)
