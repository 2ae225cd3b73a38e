"""What a person has to say about an adapter that its files can't."""

from __future__ import annotations

from pathlib import Path

from tests.support.commands import intruder_tui

from intruder_tui.demo import DemoPaths


def test_factors_without_a_configuration_ask_for_alpha(demo_pair: DemoPaths, tmp_path: Path) -> None:
    alone = tmp_path / "adapter_model.safetensors"
    alone.write_bytes((demo_pair.lora / alone.name).read_bytes())
    done = intruder_tui("list", demo_pair.base, alone, cache=tmp_path)
    assert done.returncode == 2
    assert "say alpha with --lora-alpha" in done.stderr
    done = intruder_tui("list", demo_pair.base, alone, "--lora-alpha", "0", cache=tmp_path)
    assert done.returncode == 2
    assert "--lora-alpha is 0.0" in done.stderr
    done = intruder_tui("list", demo_pair.base, alone, "--lora-alpha", "16", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "alpha is 16" in done.stdout
