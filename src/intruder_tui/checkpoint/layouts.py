"""Which of a directory's files are its weights: transformers' precedence over a fixed list of names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from intruder_tui.checkpoint.names import printable

_SAFETENSORS_STEMS = ("model", "diffusion_pytorch_model")
_TORCH_STEMS = ("pytorch_model", "diffusion_pytorch_model")
"""Transformers' and diffusers' names, in the order they are looked for."""

_VARIANT = re.compile(
    r"(?:(?:model|diffusion_pytorch_model)\.(?P<a>[\w-]{1,40})\.safetensors"
    r"|(?:model|diffusion_pytorch_model)\.safetensors\.index\.(?P<b>[\w-]{1,40})\.json"
    r"|(?:pytorch_model|diffusion_pytorch_model)\.(?P<c>[\w-]{1,40})\.bin"
    r"|(?:pytorch_model|diffusion_pytorch_model)\.bin\.index\.(?P<d>[\w-]{1,40})\.json)",
    re.ASCII,
)
_SHARD_AS_VARIANT = re.compile(r"\d{5}-of-\d{5}", re.ASCII)

TRAINER_FILE = re.compile(
    r"(?:training_args|optimizer|scheduler|scaler|sampler|trainer|rng_state[\w-]{0,20}|random_states_\d{1,9})"
    r"\.(?:bin|pt|pth|pkl)",
    re.ASCII,
)
"""Pickles that trainers leave beside the weights."""

USUAL = tuple(
    name
    for stems, suffix in ((_SAFETENSORS_STEMS, "safetensors"), (_TORCH_STEMS, "bin"))
    for stem in stems
    for name in (f"{stem}.{suffix}", f"{stem}.{suffix}.index.json")
)
"""model.safetensors before its index, safetensors before .bin."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The file to begin with.

    Attributes:
        name: a weight file or an index.
        notes: what else was there, and that it was not used.
    """

    name: str
    notes: tuple[str, ...] = ()

    @property
    def sharded(self) -> bool:
        """Whether it is an index."""
        return self.name.endswith(".json")


def weights_of(names: frozenset[str]) -> Layout | None:
    """The weights among a directory's names; None when there are none of a usual name.

    A variant (model.fp16.safetensors) is taken where the default is missing.
    """
    usual = [name for name in USUAL if name in names]
    if usual:
        rest = [name for name in usual[1:] if not _by_the_way(usual[0], name)]
        return Layout(usual[0], tuple(_unused(name, usual[0]) for name in rest))
    variants = sorted(name for name in names if variant_of(name))
    variants.sort(key=lambda name: "safetensors" not in name)
    if not variants:
        return None
    chosen = variants[0]
    notes = [f"the variant {variant_of(chosen)} ({chosen}): the directory has no default weights"]
    return Layout(chosen, (*notes, *(_unused(name, chosen) for name in variants[1:])))


def variant_of(name: str) -> str:
    """The variant that a file name says ("fp16"), empty when it says none."""
    match = _VARIANT.fullmatch(name)
    found = next(filter(None, match.groups()), "") if match else ""
    return "" if _SHARD_AS_VARIANT.search(found) else found


def _by_the_way(chosen: str, name: str) -> bool:
    """A .bin copy beside safetensors is usual on the hub, and nothing to warn of."""
    return chosen.endswith((".safetensors", ".safetensors.index.json")) and ".bin" in name


def _unused(name: str, chosen: str) -> str:
    return f"{printable(name)} is also there and was not used: {chosen} takes precedence"
