"""The Textual interface: `run` opens it over sessions and an engine that exist already."""

from intruder_tui.ui.app import IntruderApp, run
from intruder_tui.ui.options import UiOptions

__all__ = ["IntruderApp", "UiOptions", "run"]
