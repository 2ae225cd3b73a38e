"""Which base name belongs to which tuned name: exact, then known wrappers and prefixes, never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "base_layer"}
)
"""Components that DDP, torch.compile, FSDP, activation checkpointing and PEFT put into names, anywhere."""

_PREFIXES = frozenset(
    {
        *("model", "transformer", "backbone", "language_model", "text_model", "base_model"),
        *(
            "roberta",
            "bert",
            "distilbert",
            "electra",
            "deberta",
            "albert",
            "mpnet",
            "longformer",
            "camembert",
        ),
        *(
            "xlm_roberta",
            "gpt_neox",
            "mobilebert",
            "squeezebert",
            "funnel",
            "ernie",
            "nezha",
            "rembert",
            "vit",
        ),
        *("deit", "beit", "wav2vec2", "hubert", "wavlm", "clip", "rwkv"),
    }
)
"""Leading components that tell a headed model from its bare one (transformers' base_model_prefix), and the
ones Lightning and multimodal models add. "encoder" and "decoder" are not among them: T5 has both."""

_MOST_PREFIXES = 3


@dataclass(frozen=True, slots=True)
class Match:
    """Two names for one weight, and the rule that says so."""

    base: str
    tuned: str
    rule: str


@dataclass(frozen=True, slots=True)
class Matching:
    """All matches; `ambiguous` maps a name of either side to why it was left alone."""

    matches: tuple[Match, ...]
    ambiguous_base: dict[str, str]
    ambiguous_tuned: dict[str, str]


def match_names(base: Iterable[str], tuned: Iterable[str]) -> Matching:
    """Match two sets of names. No name is used twice; a name with two candidates is left ambiguous."""
    base_names, tuned_names = dict.fromkeys(base), dict.fromkeys(tuned)
    matches = [Match(name, name, "exact") for name in base_names if name in tuned_names]
    left = [name for name in base_names if name not in tuned_names]
    right = [name for name in tuned_names if name not in base_names]
    candidates, rivals = _candidates(left, right)
    ambiguous_base: dict[str, str] = {}
    ambiguous_tuned: dict[str, str] = {}
    for name, found in candidates.items():
        if len(found) > 1:
            ambiguous_tuned[name] = f"ambiguous: it could be {len(found)} weights of the base"
    for name, found in rivals.items():
        if len(found) > 1:
            ambiguous_base[name] = f"ambiguous: {len(found)} weights of the tuned model could be this one"
    for name, found in candidates.items():
        if len(found) == 1 and (only := next(iter(found))) not in ambiguous_base:
            matches.append(Match(only, name, found[only]))
    return Matching(tuple(matches), ambiguous_base, ambiguous_tuned)


def _candidates(
    base: list[str], tuned: list[str]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Per tuned name the base names it could be, with the rule; and the reverse."""
    plain_base, plain_tuned = _by_plain_name(base), _by_plain_name(tuned)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    back: dict[str, dict[str, str]] = defaultdict(dict)

    def note(base_name: str, tuned_name: str, rule: str) -> None:
        found[tuned_name].setdefault(base_name, rule)
        back[base_name].setdefault(tuned_name, rule)

    for plain, names in plain_tuned.items():
        for shorter, removed in _shortened(plain):
            for base_name in plain_base.get(shorter, ()):
                for name in names:
                    note(base_name, name, f"tuned without {removed!r}" if removed else "wrappers removed")
    for plain, names in plain_base.items():
        for shorter, removed in _shortened(plain):
            if removed:
                for tuned_name in plain_tuned.get(shorter, ()):
                    for name in names:
                        note(name, tuned_name, f"base without {removed!r}")
    return found, back


def _by_plain_name(names: list[str]) -> dict[str, list[str]]:
    plain: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain[without_wrappers(name)].append(name)
    return plain


def without_wrappers(name: str) -> str:
    """A name without the components that wrappers put into it; older norms' gamma and beta renamed."""
    parts = name.split(".")
    if parts[:2] == ["base_model", "model"]:
        parts = parts[2:]
    kept: list[str] = []
    skip = False
    for part in parts:
        if skip:
            skip = False
        elif part == "modules_to_save":
            skip = True  # the adapter's name follows
        elif part not in _WRAPPERS:
            kept.append(part)
    if len(kept) > 1 and kept[-1] in ("gamma", "beta") and "norm" in kept[-2].lower():
        kept[-1] = "weight" if kept[-1] == "gamma" else "bias"
    return ".".join(kept)


def _shortened(name: str) -> Iterator[tuple[str, str]]:
    """The name, then the name without one, two, three known leading components, and what was removed."""
    yield name, ""
    removed: list[str] = []
    rest = name
    while len(removed) < _MOST_PREFIXES:
        head, dot, rest = rest.partition(".")
        if not dot or head not in _PREFIXES:
            return
        removed.append(head)
        yield rest, ".".join(removed) + "."
