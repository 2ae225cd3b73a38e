"""The sample pair that `intruder-tui demo` opens: made, not downloaded."""

from intruder_tui.demo.write import DemoPaths, write_demo

__all__ = ["DemoPaths", "write_demo"]
