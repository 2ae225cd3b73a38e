"""Opening and pairing checkpoints of real size from their headers, and reading one pair of matrices:
`python tests/benchmarks/bench_open.py`.

Each pair is opened in fresh processes, as a person does; the figures are of the fastest of five. Reading is
compared with reading the same bytes, alone and with their hash, from the page cache: the worst case for us.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
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
print(imported - started, opened - imported, time.process_time(), len(pairing.pairs))
"""


def experts() -> Shapes:
    """19,968 expert matrices."""
    return {
        f"model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight": (768, 2048)
        for layer in range(52)
        for expert in range(128)
        for name in ("gate", "up", "down")
    }


def float8_experts() -> Shapes:
    """22,272 expert matrices in float8, each with its grid of scales: DeepSeek-V3's names, smaller shapes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(58):
        for expert in range(128):
            for name in ("gate", "up", "down"):
                weight = f"model.layers.{layer}.mlp.experts.{expert}.{name}_proj.weight"
                shapes |= {weight: (256, 512), f"{weight}_scale_inv": (2, 4)}
    return shapes


CASES = (
    ("7B, 291 tensors, 3 + 2 shards", llama(), (3, 2)),
    ("70B, 723 tensors, 15 + 15 shards", llama(80, 8192, 28672, 32000, 1024), (15, 15)),
    ("experts, 19,968 tensors, 8 + 8 shards", experts(), (8, 8)),
    ("float8 experts, 44,544 tensors, 8 + 8 shards", float8_experts(), (8, 8)),
)


def reading() -> Table:
    """One 4096 x 11008 bfloat16 pair, read as the worker reads it, against its bare bytes."""
    import torch
    from safetensors.torch import save_file

    from intruder_tui.checkpoint.safetensors_file import read_header
    from intruder_tui.engine.assemble import read_tensor

    with tempfile.TemporaryDirectory() as directory:
        tensors = []
        for side in ("base", "tuned"):
            path = Path(directory) / f"{side}.safetensors"
            save_file({"w": torch.randn(4096, 11008).bfloat16()}, path)
            tensors.append(read_header(path).tensors["w"])

        def bare(*, hashed: bool) -> None:
            for tensor in tensors:
                data = Path(tensor.path).read_bytes()
                if hashed:
                    hashlib.sha256(data).digest()

        ours = fastest(lambda: [read_tensor(tensor) for tensor in tensors])
        raw, with_hash = fastest(lambda: bare(hashed=False)), fastest(lambda: bare(hashed=True))
    table = Table("4096 x 11008 BF16 pair", "seconds", "ours to this")
    for name, seconds in (("read and hashed by us", ours), ("bytes", raw), ("bytes and sha256", with_hash)):
        table.add_row(name, f"{seconds:.3f}", f"{ours / seconds:.2f}")
    return table


def fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest of five."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Print one line a case."""
    table = Table("pair", "matrices", "import s", "open s", "CPU s", "peak MB")
    for name, shapes, shards in CASES:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            dtypes = {name: "F32" if name.endswith("_scale_inv") else "F8_E4M3" for name in shapes}
            packed = "F32" in dtypes.values()
            sides = [
                str(write_model(root / side, shapes, count, dtypes if packed else "BF16"))
                for side, count in zip(("base", "tuned"), shards, strict=True)
            ]
            runs = [run_measured(_PROGRAM, *sides) for _ in range(5)]
        figures = [[float(value) for value in printed.split()] for printed, _ in runs]
        imported, opened, cpu = (min(run[column] for run in figures) for column in (0, 1, 2))
        peak = max(megabytes for _, megabytes in runs)
        table.add_row(
            name, f"{figures[0][3]:.0f}", f"{imported:.3f}", f"{opened:.3f}", f"{cpu:.3f}", f"{peak:.0f}"
        )
    Console().print(table, reading())


if __name__ == "__main__":
    main()
