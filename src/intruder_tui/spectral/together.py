"""The exact tier for many small pairs of one shape: products stacked on the device, the rest on threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from intruder_tui.spectral.exact import compare_matrices
from intruder_tui.spectral.matrices import Matrix, Squared, squared
from intruder_tui.spectral.pair import Pair, survey, unchanged
from intruder_tui.spectral.values import Comparison, LowRank, SpectralError


def compare_together(
    pairs: Sequence[tuple[Tensor, Tensor | LowRank]], *, threads: int | None = None
) -> list[Comparison | SpectralError]:
    """`compare_exact` of each pair: base [m, n] and tuned, all of one shape and on one device.

    Their Gram matrices come from products of all at once. Small eigenproblems gain nothing from several
    cores, nor from being stacked on a GPU, which takes them one after another: here each of some threads
    takes one pair after another to its end.

    Args:
        threads: how many; by default as many as torch uses for one product.

    Returns:
        An answer for each pair in order; the error in place of one that can't be analysed.
    """
    answers: list[Comparison | SpectralError | None] = [None] * len(pairs)
    surveyed: dict[int, Pair] = {}
    for i, (base, tuned) in enumerate(pairs):
        try:
            surveyed[i] = survey(base, tuned)
        except SpectralError as error:
            answers[i] = error
    changed = {i: pair for i, pair in surveyed.items() if pair.norm_delta != 0.0}
    for i in surveyed.keys() - changed.keys():
        answers[i] = unchanged(surveyed[i])
    parts = _matrices(list(changed.values()))
    with _threads(min(threads or torch.get_num_threads(), len(changed))) as mapped:
        for i, answer in zip(changed, mapped(_finished, changed.values(), parts), strict=True):
            answers[i] = answer
    return [answer for answer in answers if answer is not None]


def _matrices(pairs: Sequence[Pair]) -> list[list[Squared]]:
    """Base, tuned and, where it is dense, dW of each pair, with their Gram matrices."""
    wanted: list[list[Matrix]] = [[part for part in pair.parts() if part is not None] for pair in pairs]
    stacked = iter(squared([matrix for parts in wanted for matrix in parts]) if wanted else ())
    return [[next(stacked) for _ in parts] for parts in wanted]


def _finished(pair: Pair, parts: Sequence[Squared]) -> Comparison | SpectralError:
    base, tuned, *delta = parts
    try:
        return compare_matrices(pair, base, tuned, delta[0] if delta else None)
    except SpectralError as error:
        return error


@contextmanager
def _threads(count: int) -> Iterator[Callable[..., Iterable[Comparison | SpectralError]]]:
    """A `map` over threads that each compute on one core; torch's own number is put back afterwards."""
    if count <= 1:
        yield map
        return
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(before)
