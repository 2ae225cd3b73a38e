"""What stored tensors hold: content hashes, noted by the stamp of the file they lie in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from intruder_tui.checkpoint.stored import StoredTensor
from intruder_tui.shelf import Shelf

KIND = "hashes"


class Contents:
    """Content hashes on a shelf; those read or noted by this process stay in memory as well."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._known: dict[str, str] = {}

    def remember(self, tensor: StoredTensor, content: str) -> None:
        """Note that a stored tensor's dtype, shape and bytes hash to `content` (hexadecimal sha256)."""
        stamp = _stamp_digest(tensor)
        self._known[stamp] = content
        # Not flushed: a hash lost in a crash is read again.
        self._shelf.write(self._shelf.path(KIND, stamp), content.encode(), flush=False)

    def of(self, tensor: StoredTensor) -> str | None:
        """The content hash noted for a stored tensor, if its file has not changed since; None otherwise."""
        stamp = _stamp_digest(tensor)
        if stamp not in self._known:
            path = self._shelf.path(KIND, stamp)
            try:
                content = path.read_text("ascii")
            except (OSError, UnicodeDecodeError):
                return None
            if len(content) != 64 or set(content) - set("0123456789abcdef"):
                return None
            self._known[stamp] = content
        return self._known[stamp]

    def of_all(self, tensors: Iterable[StoredTensor]) -> dict[StoredTensor, str] | None:
        """The content hash of every one; None while one is unknown."""
        known: dict[StoredTensor, str] = {}
        for tensor in tensors:
            content = self.of(tensor)
            if content is None:
                return None
            known[tensor] = content
        return known

    def forget(self) -> None:
        """The shelf was cleared."""
        self._known.clear()


def digest(value: object) -> str:
    """The name of a JSON-able value, hexadecimal sha256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _stamp_digest(tensor: StoredTensor) -> str:
    # The path stands for the device, whose number changes with every mount of a network disk.
    stamp = asdict(tensor.stamp)
    del stamp["device"]
    return digest([tensor.path, stamp, tensor.name, tensor.dtype, tensor.shape, tensor.start])
