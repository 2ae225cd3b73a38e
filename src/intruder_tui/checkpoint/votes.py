"""Prefix rewrites that no list knows: derived from the names that are left, voted on, applied when clear.

For every unmatched tuned name the base names with the longest common ending propose a rewrite, from the tuned
prefix to the base's. A rewrite needs three weights behind it, equal shapes and no rival; numbers are never
rewritten, because layers.1 is not layers.0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

_FEWEST_VOTES = 3
_MOST_ROUNDS = 8
_SHORTEST_ENDING = 2
"""Components: a module and its parameter."""
_LONGEST_NAME = 1024
_DEEPEST = 32
_MOST_NAMESAKES = 64
"""Names with the same longest ending; where there are more, the ending says nothing."""

Fits = Callable[[str, str], bool]
"""Whether a base and a tuned name may be the same weight at all, by shape."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The leading components of tuned names and what the base has in their place."""

    tuned: tuple[str, ...]
    base: tuple[str, ...]

    def __str__(self) -> str:
        return f"tuned {_shown(self.tuned)} is base {_shown(self.base)}"


@dataclass(frozen=True, slots=True)
class Voted:
    """Pairs (base, tuned) with the rewrite that made them, and the names that rivals contest."""

    pairs: tuple[tuple[str, str, Rewrite], ...]
    contested_base: frozenset[str]
    contested_tuned: frozenset[str]


def vote(base: Mapping[str, str], tuned: Mapping[str, str], fits: Fits) -> Voted:
    """Pair what can be paired by prefix rewrites; keys are plain names, values the real ones.

    Which side is called the base makes no difference to the pairs.
    """
    left = {name: tuple(name.split(".")) for name in base if _usable(name)}
    right = {name: tuple(name.split(".")) for name in tuned if _usable(name)}
    pairs: list[tuple[str, str, Rewrite]] = []
    contested_base: set[str] = set()
    contested_tuned: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        ballots = _ballots(left, right, lambda b, t: fits(base[b], tuned[t]))
        winner = _winner(ballots)
        if winner is None:
            break
        rewrite, rivals = winner
        supporters = ballots[rewrite]
        if rivals:
            disputed = [pair for rival in (rewrite, *rivals) for pair in ballots[rival]]
            contested_base.update(base[b] for b, _ in disputed)
            contested_tuned.update(tuned[t] for _, t in disputed)
            supporters = disputed
        else:
            pairs.extend((base[b], tuned[t], rewrite) for b, t in supporters)
        for b, t in supporters:
            left.pop(b, None)
            right.pop(t, None)
    return Voted(tuple(pairs), frozenset(contested_base), frozenset(contested_tuned))


def _ballots(
    left: Mapping[str, tuple[str, ...]],
    right: Mapping[str, tuple[str, ...]],
    fits: Fits,
) -> dict[Rewrite, list[tuple[str, str]]]:
    """Proposals with their supporters: pairs in which either name's longest common ending is the other's."""
    best_of_tuned = _longest(right, left, fits)
    best_of_base = _longest(left, right, lambda t, b: fits(b, t))
    ballots: dict[Rewrite, list[tuple[str, str]]] = defaultdict(list)
    for t, (length, found) in best_of_tuned.items():
        for b in found:
            if best_of_base.get(b, (0, ()))[0] != length:
                continue
            rewrite = Rewrite(right[t][:-length], left[b][:-length])
            if not any(part.isdigit() for part in (*rewrite.tuned, *rewrite.base)):
                ballots[rewrite].append((b, t))
    # A rewrite may name a weight once only.
    return {rewrite: pairs for rewrite, pairs in ballots.items() if _one_to_one(pairs)}


def _longest(
    names: Mapping[str, tuple[str, ...]], others: Mapping[str, tuple[str, ...]], fits: Fits
) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Per name the length of its longest common ending with a fitting other name, and those others."""
    endings: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for other, parts in others.items():
        for ending in _endings(parts):
            endings[ending].append(other)
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for name, parts in names.items():
        for ending in _endings(parts):
            namesakes = endings.get(ending, ())
            if len(namesakes) > _MOST_NAMESAKES:
                break
            fitting = tuple(other for other in namesakes if fits(other, name))
            if fitting:
                found[name] = (len(ending), fitting)
                break
    return found


def _winner(
    ballots: Mapping[Rewrite, list[tuple[str, str]]],
) -> tuple[Rewrite, tuple[Rewrite, ...]] | None:
    """The rewrite with the most votes, and the rivals for its names with over half as many."""
    votes = {rewrite: _weights(pairs) for rewrite, pairs in ballots.items()}
    ranked = sorted(votes, key=lambda rewrite: (-votes[rewrite], sorted((rewrite.tuned, rewrite.base))))
    if not ranked or votes[ranked[0]] < _FEWEST_VOTES:
        return None
    best = ranked[0]
    names = {name for pair in ballots[best] for name in (f"b {pair[0]}", f"t {pair[1]}")}
    rivals = tuple(
        other
        for other in ranked[1:]
        if votes[other] * 2 > votes[best]
        and any(f"b {b}" in names or f"t {t}" in names for b, t in ballots[other])
    )
    return best, rivals


def _weights(pairs: Iterable[tuple[str, str]]) -> int:
    """Biases follow their weights and have no vote."""
    return sum(1 for base, _ in pairs if not base.endswith("bias"))


def _one_to_one(pairs: list[tuple[str, str]]) -> bool:
    return len({b for b, _ in pairs}) == len({t for _, t in pairs}) == len(pairs)


def _endings(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Longest first."""
    for start in range(len(parts) - _SHORTEST_ENDING + 1):
        yield parts[start:]


def _usable(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _SHORTEST_ENDING <= name.count(".") + 1 <= _DEEPEST


def _shown(prefix: tuple[str, ...]) -> str:
    return repr(".".join(prefix) + "." if prefix else "")
