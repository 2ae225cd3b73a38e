"""Small JSON files of strangers, read within bounds on bytes, depth and memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import read_up_to, shown
from intruder_tui.checkpoint.names import printable

LARGEST_DOCUMENT = 32_000_000
"""Bytes: the index of 100,000 tensors takes 12 MB."""
MOST_VALUES = 2_000_000
"""Structural signs in a document, a bound on the objects that parsing it makes."""


class _DuplicateKeyError(ValueError):
    """A JSON object that has the same key twice."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CheckpointError: unreadable, too large or too deep, not JSON, not an object, or a key given twice.
    """
    value = parse(read_up_to(path, LARGEST_DOCUMENT), shown(path))
    if not isinstance(value, dict):
        raise CheckpointError(f"{shown(path)}: a JSON {type(value).__name__}, where an object was expected")
    return value


def parse(data: bytes, label: str) -> Any:
    """A JSON document; `label` names it in errors. Raises CheckpointError as `read_object` does."""
    check_bounds(data, label)
    try:
        return json.loads(data, object_pairs_hook=_object)
    except _DuplicateKeyError as error:
        raise CheckpointError(f"{label}: {error}") from None
    except RecursionError:
        raise CheckpointError(f"{label}: JSON nested too deeply") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, an integer of too many digits
        raise CheckpointError(f"{label}: not JSON ({printable(str(error))})") from None


def check_bounds(data: bytes, label: str) -> None:
    """Refuse a document that would become more objects than any checkpoint needs. Raises CheckpointError."""
    values = sum(data.count(sign) for sign in (b"{", b"[", b",", b":"))
    if values > MOST_VALUES:
        raise CheckpointError(f"{label}: {values} JSON values; at most {MOST_VALUES} are read")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateKeyError("a JSON object that has the same key twice")
    return found
