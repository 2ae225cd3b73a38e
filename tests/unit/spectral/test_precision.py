"""Torch's process-wide precision of float32 products, set by several threads at once and one in another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from intruder_tui.spectral.operators import full_precision

PATIENCE = 10.0
"""Seconds after which a thread that is waited for must have failed."""


@pytest.fixture(autouse=True)
def hosts_own() -> Iterator[None]:
    """The host's precision is another than the one that is pinned."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class Visitor:
    """A thread that enters, then leaves when it is told to; it says when each has happened."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._inside, self._go = Event(), Event()
        self._visit = pool.submit(self._stay)
        assert self._inside.wait(PATIENCE)

    def _stay(self) -> None:
        with full_precision():
            self._inside.set()
            assert self._go.wait(PATIENCE)

    def leave(self) -> None:
        self._go.set()
        self._visit.result(PATIENCE)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_no_thread_unpins_what_another_works_with(order: tuple[int, int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        visitors = [Visitor(pool), Visitor(pool)]
        visitors[order[0]].leave()
        assert torch.get_float32_matmul_precision() == "highest"
        visitors[order[1]].leave()
        assert torch.get_float32_matmul_precision() == "medium"


def test_the_host_is_asked_anew_each_time() -> None:
    for host in ("high", "medium"):
        torch.set_float32_matmul_precision(host)
        with ThreadPoolExecutor(2) as pool:
            first, second = Visitor(pool), Visitor(pool)
            first.leave()
            second.leave()
        assert torch.get_float32_matmul_precision() == host


def test_one_may_enter_again_and_fail_inside() -> None:
    with full_precision():
        with pytest.raises(ZeroDivisionError), full_precision():
            raise ZeroDivisionError
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "medium"
