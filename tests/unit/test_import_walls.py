"""What may load what, checked in fresh processes. The static half is import-linter's."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded_after(program: str) -> set[str]:
    """Top-level modules in sys.modules after running a program."""
    code = f"{program}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_the_command_line_is_light() -> None:
    loaded = loaded_after("from intruder_tui.cli.app import application; application()")
    assert not loaded & {"torch", "textual", "numpy", "rich", "safetensors"}


@pytest.mark.parametrize(
    "module",
    [
        "checkpoint",
        "results",
        "definition",
        "cache",
        "views.report",
        "views.map_picture",
        "views.series",
        "engine.process",
        "engine.session",
        "export.scan",
        "export.snapshot",
        "export.heatmap",
        "export.pictures",
    ],
)
def test_the_headless_rooms_load_neither_torch_nor_textual(module: str) -> None:
    assert not loaded_after(f"import intruder_tui.{module}") & {"torch", "textual"}


def test_the_interface_never_loads_torch() -> None:
    loaded = loaded_after("import intruder_tui.ui, intruder_tui.ui.app")
    assert "textual" in loaded
    assert "torch" not in loaded


def test_the_mathematics_stands_alone() -> None:
    code = (
        "import intruder_tui.spectral, sys\n"
        "print([n for n in sys.modules if n.startswith('intruder_tui.') and '.spectral' not in n])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
