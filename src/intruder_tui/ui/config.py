"""`config.toml`, which a person writes, and the choices that we keep ourselves: theme and colour map.

[ui]
theme = "nord"          # in force at every start; without it the last one chosen is
colourmap = "cividis"   # the same for the heatmap and the model map

[keys]                  # by the ids that the help shows
side = "x"
next-intruder = ["n", "ctrl+n"]
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_config_path, user_state_path

ENVIRONMENT = "INTRUDER_TUI_CONFIG"
CHOICES = ("theme", "colourmap")
"""What `[ui]` may set, and what is remembered of what a person chose."""
_APP = "intruder-tui"


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file says.

    Attributes:
        path: the file, whether it exists or not; None where none was looked for.
        theme: the name of a Textual theme; None where it says nothing.
        colourmap: the name of a colour map, unchecked; None where it says nothing.
        keys: what is to be typed, by binding id; unchecked (see `keymap.checked`).
        troubles: what could not be used, a line each.
    """

    path: Path | None = None
    theme: str | None = None
    colourmap: str | None = None
    keys: Mapping[str, object] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def default_path() -> Path:
    """`$INTRUDER_TUI_CONFIG`, else config.toml in the platform's configuration directory."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named) if named else user_config_path(_APP) / "config.toml"


def read_config(path: Path | None = None) -> Config:
    """Read `path`, else the default one, which may be missing. What is wrong is told in `troubles`."""
    named = path is not None or bool(os.environ.get(ENVIRONMENT))
    path = path if path is not None else default_path()
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError as error:
        return Config(path, troubles=(f"{path}: {error.strerror}",) if named else ())
    except OSError as error:
        return Config(path, troubles=(f"{path}: {error.strerror}",))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Config(path, troubles=(f"{path} is not TOML: {error}",))
    troubles = [f"[{name}] is not a table of {path}" for name in document if name not in ("ui", "keys")]
    ui, keys = (_table(document, name, path, troubles) for name in ("ui", "keys"))
    troubles += [
        f"[ui] {name}: no such setting; there are {' and '.join(CHOICES)}"
        for name in ui
        if name not in CHOICES
    ]
    theme, colourmap = (_name(ui, name, troubles) for name in CHOICES)
    return Config(path, theme, colourmap, keys, tuple(troubles))


def _name(ui: Mapping[str, object], setting: str, troubles: list[str]) -> str | None:
    name = ui.get(setting)
    if name is None or isinstance(name, str):
        return name
    troubles.append(f"[ui] {setting} is {name!r}; it is a name in quotes")
    return None


def _table(
    document: Mapping[str, object], name: str, path: Path, troubles: list[str]
) -> Mapping[str, object]:
    table = document.get(name, {})
    if isinstance(table, dict):
        return table
    troubles.append(f"{name} is {table!r} in {path}; it is a table, [{name}]")
    return {}


def state_path() -> Path:
    """Where choices are kept: a file of ours in the platform's state directory."""
    return user_state_path(_APP) / "choices.json"


def chosen(path: Path | None) -> dict[str, str]:
    """What was chosen last, by the names of `CHOICES`; empty where nothing was, or the file can't be read."""
    try:
        document = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {name: kept for name in CHOICES if isinstance(kept := document.get(name), str)}


def keep(path: Path, choice: str, name: str) -> None:
    """Remember one of `CHOICES`, in one step: another instance reads the old file or the new one.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(chosen(path) | {choice: name}, file)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
