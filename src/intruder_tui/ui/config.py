"""`config.toml`, which a person writes, and the one choice that we keep ourselves: the theme.

[ui]
theme = "nord"          # in force at every start; without it the last one chosen is

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
_APP = "intruder-tui"


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file says.

    Attributes:
        path: the file, whether it exists or not; None where none was looked for.
        theme: the name of a Textual theme; None where it says nothing.
        keys: what is to be typed, by binding id; unchecked (see `keymap.checked`).
        troubles: what could not be used, a line each.
    """

    path: Path | None = None
    theme: str | None = None
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
    troubles += [f"[ui] {name}: no such setting; there is theme" for name in ui if name != "theme"]
    theme = ui.get("theme")
    if theme is not None and not isinstance(theme, str):
        troubles.append(f"[ui] theme is {theme!r}; it is a name in quotes")
        theme = None
    return Config(path, theme, keys, tuple(troubles))


def _table(
    document: Mapping[str, object], name: str, path: Path, troubles: list[str]
) -> Mapping[str, object]:
    table = document.get(name, {})
    if isinstance(table, dict):
        return table
    troubles.append(f"{name} is {table!r} in {path}; it is a table, [{name}]")
    return {}


def state_path() -> Path:
    """Where the choice is kept: a file of ours in the platform's state directory."""
    return user_state_path(_APP) / "choices.json"


def chosen_theme(path: Path | None) -> str | None:
    """The theme that was chosen last; None where none was, or the file can't be read."""
    try:
        document = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    theme = document.get("theme") if isinstance(document, dict) else None
    return theme if isinstance(theme, str) else None


def keep_theme(path: Path, theme: str) -> None:
    """Remember a choice, in one step: another instance reads the old file or the new one.

    Raises:
        OSError: it can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"theme": theme}, file)
        Path(temporary).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
