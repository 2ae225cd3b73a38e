"""One door to weight files: safetensors and PyTorch's zip files, told apart by their first bytes.

What reads pickles is imported where there is one.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import is_zip, opened, read_exactly, shown
from intruder_tui.checkpoint.headers import Header, Place
from intruder_tui.checkpoint.safetensors_file import byte_ranges, read_header
from intruder_tui.checkpoint.stored import FileStamp, StoredTensor


def read_weight_header(path: Path) -> Header:
    """Read what a weight file lists; no weight is touched.

    Raises:
        CheckpointError: see `read_header` and `read_torch_header`.
    """
    if not is_zip(path):
        return read_header(path)
    from intruder_tui.checkpoint.torch_file import read_torch_header

    return read_torch_header(path)


@lru_cache(maxsize=512)
def places(path: str, stamp: FileStamp) -> dict[str, Place]:
    """Where the tensors lie in a file whose header was accepted under that stamp. Raises CheckpointError."""
    if not is_zip(Path(path)):
        return byte_ranges(Path(path))
    from intruder_tui.checkpoint.torch_file import torch_places

    return torch_places(Path(path))


def small_bytes(tensor: StoredTensor, limit: int = 65_536) -> bytes:
    """The bytes of a small stored tensor: constants that say how others are packed.

    Raises:
        CheckpointError: larger than `limit`, strided, or unreadable.
    """
    path = Path(tensor.path)
    place = places(tensor.path, tensor.stamp).get(tensor.name)
    if place is None or place.strides is not None or place.end - place.begin > limit:
        raise CheckpointError(f"{shown(path)}: constants of a packed weight are not where they should be")
    with opened(path) as (descriptor, _):
        return _read(path, descriptor, place.end - place.begin, place.begin)


def _read(path: Path, descriptor: int, length: int, offset: int) -> bytes:
    try:
        return read_exactly(descriptor, length, offset)
    except OSError as error:
        raise CheckpointError(f"{shown(path)}: {(error.strerror or str(error)).lower()}") from None
