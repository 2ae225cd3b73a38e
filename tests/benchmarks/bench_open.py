"""Opening and pairing checkpoints of real size from their headers: `python tests/benchmarks/bench_open.py`.

Each pair is opened in fresh processes, as a person does; the figures are of the fastest of five.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.memory import run_measured
from tests.support.sparse import Shapes, llama, write_model

_PROGRAM = """
import sys, time
started = time.perf_counter()
from intruder_tui.checkpoint import open_pairing
imported = time.perf_counter()
pairing = open_pairing(*sys.argv[1:])
opened = time.perf_counter()
assert "torch" not in sys.modules
print(imported - started, opened - imported, len(pairing.rows), len(pairing.pairs))
"""


def experts() -> Shapes:
    """19,968 expert matrices."""
    return {
        f"model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight": (768, 2048)
        for layer in range(52)
        for expert in range(128)
        for name in ("gate", "up", "down")
    }


CASES = (
    ("7B, 291 tensors, 3 + 2 shards", llama(), (3, 2)),
    ("70B, 723 tensors, 15 + 15 shards", llama(80, 8192, 28672, 32000, 1024), (15, 15)),
    ("experts, 19,968 tensors, 8 + 8 shards", experts(), (8, 8)),
)


def main() -> None:
    """Print one line a case."""
    table = Table("pair", "matrices", "import s", "open s", "peak MB")
    for name, shapes, shards in CASES:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            sides = [
                str(write_model(root / side, shapes, count))
                for side, count in zip(("base", "tuned"), shards, strict=True)
            ]
            runs = [run_measured(_PROGRAM, *sides) for _ in range(5)]
        figures = [[float(value) for value in printed.split()] for printed, _ in runs]
        imported, opened = (min(run[column] for run in figures) for column in (0, 1))
        peak = max(megabytes for _, megabytes in runs)
        table.add_row(name, f"{figures[0][3]:.0f}", f"{imported:.3f}", f"{opened:.3f}", f"{peak:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
