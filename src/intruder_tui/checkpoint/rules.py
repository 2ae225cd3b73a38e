"""Which base name belongs to which tuned name: exact, then what a person maps, known wrappers and prefixes,
older names of a module, voted rewrites; never a guess."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from intruder_tui.checkpoint.layers import Role, layer_of
from intruder_tui.checkpoint.renames import Renames
from intruder_tui.checkpoint.votes import vote

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

_MIXTRAL = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}
_GRANITE = {
    ("input_linear", "weight"): ("experts", "gate_up_proj"),
    ("output_linear", "weight"): ("experts", "down_proj"),
    ("router", "layer", "weight"): ("router", "weight"),
}


AMBIGUOUS = "ambiguous"
"""How the reason of a name with more than one likely partner begins."""


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


Shapes = Mapping[str, tuple[int, ...]]

NO_RENAMES = Renames(())


def match_names(
    base: Iterable[str],
    tuned: Iterable[str],
    shapes: tuple[Shapes, Shapes] | None = None,
    renames: Renames = NO_RENAMES,
) -> Matching:
    """Match two sets of names. No name is used twice; a name with two candidates is left ambiguous.

    `shapes`, of the base's and of the tuned names, keep voted rewrites from pairing what can't belong
    together. `renames` are applied to tuned names and come before every other rule.

    Raises:
        CheckpointError: a rename takes too long.
    """
    base_names, tuned_names = dict.fromkeys(base), dict.fromkeys(tuned)
    matches, mapped = _mapped(base_names, tuned_names, renames)
    done_base = {match.base for match in matches}
    matches += [
        Match(name, name, "exact")
        for name in base_names
        if name in tuned_names and name not in done_base and name not in mapped
    ]
    left, right = _left_over(base_names, tuned_names, matches)
    candidates, rivals = _candidates(left, right)
    ambiguous_base: dict[str, str] = {}
    ambiguous_tuned: dict[str, str] = {}
    for name, found in candidates.items():
        if len(found) > 1:
            ambiguous_tuned[name] = f"{AMBIGUOUS}: it could be {len(found)} weights of the base"
    for name, found in rivals.items():
        if len(found) > 1:
            ambiguous_base[name] = f"{AMBIGUOUS}: {len(found)} weights of the tuned model could be this one"
    for name, found in candidates.items():
        if len(found) == 1 and (only := next(iter(found))) not in ambiguous_base:
            matches.append(Match(only, name, found[only]))
    left, right = _left_over(base_names, tuned_names, matches)
    left = [name for name in left if name not in ambiguous_base]
    right = [name for name in right if name not in ambiguous_tuned]
    voted = vote(_unique_plain(left), _unique_plain(right), lambda b, t: _fits(b, t, shapes))
    matches += [Match(b, t, str(rewrite)) for b, t, rewrite in voted.pairs]
    contested = f"{AMBIGUOUS}: two rewrites of its prefix have about as many weights behind them"
    ambiguous_base |= dict.fromkeys(voted.contested_base, contested)
    ambiguous_tuned |= dict.fromkeys(voted.contested_tuned, contested)
    return Matching(tuple(matches), ambiguous_base, ambiguous_tuned)


def _mapped(
    base: Mapping[str, None], tuned: Mapping[str, None], renames: Renames
) -> tuple[list[Match], set[str]]:
    """What the person's own renames pair, and every tuned name they renamed."""
    renamed = renames.apply(tuned)
    targets = Counter(new for new, _ in renamed.values())
    matches = [
        Match(new, name, rule) for name, (new, rule) in renamed.items() if new in base and targets[new] == 1
    ]
    return matches, set(renamed)


def _left_over(
    base: Mapping[str, None], tuned: Mapping[str, None], matches: list[Match]
) -> tuple[list[str], list[str]]:
    done_base, done_tuned = {match.base for match in matches}, {match.tuned for match in matches}
    return [n for n in base if n not in done_base], [n for n in tuned if n not in done_tuned]


def _unique_plain(names: list[str]) -> dict[str, str]:
    """Names by their plain form; those that share one are left out."""
    return {plain: found[0] for plain, found in _by_plain_name(names).items() if len(found) == 1}


def _fits(base: str, tuned: str, shapes: tuple[Shapes, Shapes] | None) -> bool:
    """Equal shapes; the first axis of an embedding or a head may differ, as a vocabulary is resized."""
    if shapes is None or base not in shapes[0] or tuned not in shapes[1]:
        return True
    one, other = shapes[0][base], shapes[1][tuned]
    if one == other:
        return True
    resizable = layer_of(base, one).role in (Role.EMBEDDING, Role.HEAD)
    return resizable and len(one) == len(other) == 2 and one[1] == other[1]


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
        for shorter, removed in shortened(plain):
            for base_name in plain_base.get(shorter, ()):
                for name in names:
                    note(
                        base_name,
                        name,
                        f"tuned without {removed!r}" if removed else _plain_rule(base_name, name),
                    )
    for plain, names in plain_base.items():
        for shorter, removed in shortened(plain):
            if removed:
                for tuned_name in plain_tuned.get(shorter, ()):
                    for name in names:
                        note(name, tuned_name, f"base without {removed!r}")
    return found, back


def _plain_rule(*names: str) -> str:
    """What makes two names the same plain one."""
    parts = {part for name in names for part in name.split(".")}
    wrapped = not parts.isdisjoint({*_WRAPPERS, "modules_to_save", "base_model"})
    return "wrappers removed" if wrapped else "an older name of the same weight"


def _by_plain_name(names: list[str]) -> dict[str, list[str]]:
    plain: dict[str, list[str]] = defaultdict(list)
    for name in names:
        plain[plain_name(name)].append(name)
    return plain


def plain_name(name: str) -> str:
    """A name without the components that wrappers put into it; norms' gamma and beta, and Mixtral's older
    names, renamed."""
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
    return ".".join(_newer(kept))


def _newer(parts: list[str]) -> list[str]:
    """Mixtral's and GraniteMoe's own names for their experts, as newer transformers have them."""
    if "block_sparse_moe" not in parts:
        return parts
    at = parts.index("block_sparse_moe")
    inner = tuple(parts[at + 1 :])
    renamed = _GRANITE.get(inner) or tuple(_MIXTRAL.get(part, part) for part in inner)
    return [*parts[:at], "mlp", *renamed]


def shortened(name: str) -> Iterator[tuple[str, str]]:
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
