"""Names on the Hugging Face hub, resolved in the local cache: org/name[@revision], hf://... Offline."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from intruder_tui.checkpoint.errors import CheckpointError
from intruder_tui.checkpoint.files import read_up_to, shown
from intruder_tui.checkpoint.layouts import USUAL, variant_of
from intruder_tui.checkpoint.names import printable

_PART = r"[A-Za-z0-9_](?:[\w.-]{0,95})"
_NAME = re.compile(rf"(?P<repo>{_PART}(?:/{_PART})?)(?:@(?P<revision>[\w./-]{{1,200}}))?", re.ASCII)
_SITE = r"https://(?:huggingface\.co|hf\.co)"
_ADDRESS = re.compile(
    rf"{_SITE}/(?P<repo>{_PART}/{_PART})(?:/tree/(?P<revision>[\w./-]{{1,200}}))?/?",
    re.ASCII,
)
_FILE_ADDRESS = re.compile(
    rf"{_SITE}/(?P<repo>{_PART}/{_PART})/(?:blob|resolve)/(?P<revision>[\w.-]{{1,200}})"
    r"/(?P<file>[\w./-]{1,200})(?:\?download=true)?",
    re.ASCII,
)
_SCHEME = "hf://"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{4,40}")
_CONFIGS = ("config.json", "adapter_config.json", "trainer_state.json")
_ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin", "pytorch_lora_weights.safetensors")
_SHARD = re.compile(r"(?:pytorch_model|model|diffusion_pytorch_model)-\d{5}-of-\d{5}\.(?:safetensors|bin)")


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository, a revision and a file of it; an empty revision means the default, an empty file all."""

    repository: str
    revision: str = ""
    file: str = ""

    @property
    def folder(self) -> str:
        """The repository's directory in a hub cache."""
        return "models--" + self.repository.replace("/", "--")


def hub_name(argument: str) -> HubName | None:
    """What an argument names on the hub; None when it can't be such a name."""
    forms = (_ADDRESS, argument), (_FILE_ADDRESS, argument), (_NAME, argument.removeprefix(_SCHEME))
    match = next((found for form, text in forms if (found := form.fullmatch(text))), None)
    if match is None or ".." in argument or "--" in match["repo"]:
        return None
    return HubName(match["repo"], match["revision"] or "", match.groupdict().get("file") or "")


def cache_directory() -> Path:
    """Where huggingface_hub keeps repositories, by its own variables in its own order."""
    environment = os.environ
    for variable, below in (
        ("HF_HUB_CACHE", ""),
        ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"),
        ("XDG_CACHE_HOME", "huggingface/hub"),
    ):
        if environment.get(variable):
            return Path(environment[variable]).expanduser() / below
    return Path("~/.cache/huggingface/hub").expanduser()


def resolve(name: HubName) -> tuple[Path, tuple[str, ...]]:
    """The snapshot directory of a cached repository, and remarks on the choice.

    Raises:
        CheckpointError: not in the cache, or not at that revision.
    """
    entry = cache_directory() / name.folder
    snapshots = _names_in(entry / "snapshots")
    if not snapshots:
        # A bare word is far more often a mistyped path than one of the hub's few names without an owner.
        fetch = "; --download fetches it" if "/" in name.repository else ""
        raise CheckpointError(
            f"{name.repository}: no such file or directory, and not in the hub cache {shown(entry.parent)}"
            f"{fetch}"
        )
    commit = _referenced(entry, name.revision or "main")
    if commit is None and name.revision:
        fits = [one for one in snapshots if one.startswith(name.revision)]
        if _SHORT_COMMIT.fullmatch(name.revision) and len(fits) == 1:
            commit = fits[0]
    if commit in snapshots:
        return entry / "snapshots" / str(commit), ()
    if name.revision or len(snapshots) > 1:
        known = ", ".join((*_revisions(entry), *(one[:8] for one in snapshots[:4])))
        asked = f"revision {name.revision}" if name.revision else "which revision is meant"
        raise CheckpointError(
            f"{name.repository}: {asked} is not known in the hub cache; there are {known}; give name@revision"
        )
    return entry / "snapshots" / snapshots[0], (
        f"no main revision in the hub cache: {snapshots[0][:8]}, the only one",
    )


def download(name: HubName) -> Path:
    """Fetch what is needed of a repository with huggingface_hub, which shows its progress.

    Raises:
        CheckpointError: huggingface_hub is not installed, or it says why it could not.
    """
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError:
        raise CheckpointError("--download needs huggingface_hub: pip install 'intruder-tui[hub]'") from None
    revision = name.revision or None
    try:
        files = HfApi().list_repo_files(name.repository, revision=revision)
        wanted = needed_files(files)
        if name.file and not name.file.endswith(".json"):  # an index, or a configuration, stands for all
            wanted = [*(one for one in wanted if one in _CONFIGS), name.file]
        path = snapshot_download(
            name.repository, revision=revision, allow_patterns=wanted, cache_dir=cache_directory()
        )
    except Exception as error:  # its errors have many types, and each says what is wrong in its first line
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{name.repository}: {printable(lines[0])}") from None
    return Path(path)


def needed_files(files: Iterable[str]) -> list[str]:
    """Of a repository's files the configurations and one form of the weights, safetensors before .bin."""
    names = [name for name in files if "/" not in name]
    weights = [
        name for name in names if name in (*USUAL, *_ADAPTERS) or _SHARD.fullmatch(name) or variant_of(name)
    ]
    safe = [name for name in weights if "safetensors" in name]
    default = [name for name in safe or weights if not variant_of(name)]
    return [*(name for name in _CONFIGS if name in names), *(default or safe or weights)]


def _referenced(entry: Path, revision: str) -> str | None:
    """The commit that a branch, tag or pull request stood for when it was fetched."""
    if any(part in ("", ".", "..") for part in revision.split("/")):
        return None
    if _COMMIT.fullmatch(revision):
        return revision
    try:
        commit = read_up_to(entry / "refs" / revision, 200).decode("ascii").strip()
    except (CheckpointError, UnicodeDecodeError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _revisions(entry: Path) -> list[str]:
    return [printable(one, 40) for one in _names_in(entry / "refs") if (entry / "refs" / one).is_file()][:4]


def _names_in(directory: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []
