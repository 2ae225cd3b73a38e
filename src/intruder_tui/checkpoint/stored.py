"""Where bytes lie: a tensor in a file, or a part of one, and the file as it was when its header was read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What `stat` says of a file: enough to notice that it was replaced or rewritten."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where one tensor's bytes are, or those of a contiguous part of it.

    Attributes:
        path: the file, absolute.
        name: the tensor's name inside that file.
        dtype: as safetensors writes it: "BF16", "F32".
        shape: as stored; of a part, the part's own.
        stamp: the file when its header was read.
        start: elements of the tensor before a part of it; None for the whole tensor.
    """

    path: str
    name: str
    dtype: str
    shape: tuple[int, ...]
    stamp: FileStamp
    start: int | None = None

    def part(self, start: int, shape: tuple[int, ...]) -> StoredTensor:
        """The `shape`d part that begins `start` elements into this tensor, in row-major order.

        One expert of a stack, some rows of a fused weight, a convolution seen as a matrix: only its bytes
        are read. Raises ValueError when it does not lie inside.
        """
        size, whole = math.prod(shape), math.prod(self.shape)
        if start < 0 or min(shape, default=0) < 0 or start + size > whole:
            raise ValueError(f"{start} + {size} elements of {whole}")
        return replace(self, shape=shape, start=(self.start or 0) + start)
