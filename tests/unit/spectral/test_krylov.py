"""The parts of the certificate: what Lanczos promises, what windows prove, what probes can count."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.support.weights import adapter, gaussian, generator, orthonormal, power_law, with_spectrum
from torch import Tensor

from intruder_tui.spectral import LowRank, operators
from intruder_tui.spectral.certificate import Wanted, certify, eigenvalue_floor
from intruder_tui.spectral.certified import cancels
from intruder_tui.spectral.lanczos import BACKWARD_ERROR, BlockLanczos
from intruder_tui.spectral.matrices import Stored
from intruder_tui.spectral.operators import Operator, Square, full_precision
from intruder_tui.spectral.pair import survey
from intruder_tui.spectral.topk import ceiling_of, is_complete, top_vectors
from intruder_tui.spectral.whole import WholeCosines
from intruder_tui.spectral.windows import Windows, probe_threshold

DTYPES = [torch.float32, torch.float64]


def square(weight: Tensor, dtype: torch.dtype = torch.float64, short: bool = True) -> Square:
    return Square(Operator.of(weight, 1.0, dtype), short)


def run(a: Square, start: Tensor, steps: int) -> BlockLanczos:
    lanczos = BlockLanczos(a, start, steps, 0)
    for _ in range(steps):
        if not lanczos.full:
            lanczos.step()
    return lanczos


def tridiagonal(lanczos: BlockLanczos) -> Tensor:
    ritz = lanczos.ritz()
    return ritz.vectors * ritz.values @ ritz.vectors.T


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_backward_error_stays_within_the_promised_units(dtype: torch.dtype, shift: float) -> None:
    weight = (gaussian(300, 500) / 20 + shift).to(dtype)
    a = square(weight, dtype)
    lanczos = run(a, torch.randn(12, 300, dtype=dtype, generator=generator(1)), 14)
    q = lanczos.basis().double()
    exact = weight.double() @ (weight.double().T @ q.T)
    rest = exact - q.T @ tridiagonal(lanczos)
    # All of the rest but the last block is error.
    error = torch.linalg.matrix_norm(rest[:, :-12], 2)
    norm = torch.linalg.matrix_norm(weight.double(), 2) ** 2
    assert float(error / norm) < BACKWARD_ERROR[dtype] / 2
    gap = torch.linalg.matrix_norm(q @ q.T - torch.eye(len(q)), 2)
    assert float(gap) < 100 * torch.finfo(dtype).eps


@pytest.mark.parametrize("width", [8, 18])
def test_rows_that_are_nearly_rounding_leave_no_error(width: int) -> None:
    """A spectrum that halves with each value: soon whole blocks are all but dependent on the basis."""
    weight = with_spectrum(300, 400, 2.0 ** -torch.arange(300)).float()
    start = torch.randn(width, 300, generator=generator(1))
    lanczos = run(square(weight, torch.float32), start, 10)
    q = lanczos.basis().double()
    rest = weight.double() @ (weight.double().T @ q.T) - q.T @ tridiagonal(lanczos)
    assert float(torch.linalg.matrix_norm(rest[:, :-width], 2)) < BACKWARD_ERROR[torch.float32] / 2
    assert float(torch.linalg.matrix_norm(q @ q.T - torch.eye(len(q)), 2)) < 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(8))
def test_rows_that_depend_on_each_other_lose_nothing(dtype: torch.dtype, seed: int) -> None:
    """W^T W has a few directions more than the start has rows in them: most of the first rest is rounding."""
    weight = with_spectrum(23, 51, torch.linspace(1.0, 0.7, 23), seed).to(dtype)
    start = torch.randn(22, 51, dtype=dtype, generator=generator(seed))
    start[:8] = start[:8, :23] @ weight
    lanczos = run(square(weight, dtype, short=False), start, 3)
    assert lanczos.exhausted
    q = lanczos.basis().double()
    rest = weight.double().T @ (weight.double() @ q.T) - q.T @ tridiagonal(lanczos)
    assert float(torch.linalg.matrix_norm(rest, 2)) < BACKWARD_ERROR[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_exhausted_space_knows_the_whole_spectrum(dtype: torch.dtype) -> None:
    weight = gaussian(20, 33).to(dtype)
    lanczos = run(square(weight, dtype), torch.randn(6, 20, dtype=dtype, generator=generator(2)), 10)
    assert lanczos.exhausted
    expected = torch.linalg.svdvals(weight.double()).square()
    torch.testing.assert_close(lanczos.ritz().values, expected, rtol=0, atol=1e-4)


def test_an_invariant_start_goes_on_with_random_directions() -> None:
    weight = torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5, 0.25])).double()
    start = torch.eye(5, dtype=torch.float64)[:2]
    lanczos = run(square(weight), start, 4)
    q = lanczos.basis()
    torch.testing.assert_close(q @ q.T, torch.eye(len(q), dtype=torch.float64))
    torch.testing.assert_close(lanczos.ritz().values[:2], torch.tensor([9.0, 4.0]).double())


@pytest.mark.parametrize("tall", [True, False])
@pytest.mark.parametrize("widened", [True, False])
@pytest.mark.parametrize("many", [20, 2560])
def test_products_of_an_updated_operator(
    monkeypatch: pytest.MonkeyPatch, many: int, widened: bool, tall: bool
) -> None:
    monkeypatch.setattr(operators, "COPY_BYTES", 1 << 28 if widened else 0)
    monkeypatch.setattr(operators, "CACHED_ELEMENTS", 1)
    monkeypatch.setattr(operators, "PANEL_ELEMENTS", 1)
    monkeypatch.setattr(operators, "MANY_ROWS", many)
    monkeypatch.setattr(operators, "PUSHED_ROWS", 16)
    weight, b, a = gaussian(70, 150), gaussian(70, 2, 1), gaussian(2, 150, 2)
    stored = weight.bfloat16().T.contiguous().T if tall else weight.bfloat16()
    operator = Operator.of(stored, 0.5, torch.float64).updated(LowRank(a, b, 3.0))
    whole = 0.5 * (weight.bfloat16().double() + 3.0 * b @ a)
    short, long = (torch.eye(size, dtype=torch.float64) for size in whole.shape)
    torch.testing.assert_close(operator.push(long), whole.T)
    torch.testing.assert_close(operator.pull(short), whole)
    torch.testing.assert_close(Square(operator)(short), whole @ whole.T)
    torch.testing.assert_close(Square(operator, short=False)(long), whole.T @ whole)


def test_precision_is_pinned_and_restored() -> None:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        with full_precision():
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_probe_threshold_is_below_the_chance_it_names(monkeypatch: pytest.MonkeyPatch, hidden: int) -> None:
    monkeypatch.setattr("intruder_tui.spectral.windows.FAILURE", 0.05)
    limit = probe_threshold(8, hidden)
    sample = torch.randn(4000, 8, hidden, generator=generator(3), dtype=torch.float64)
    least = torch.linalg.svdvals(sample)[:, -1].square()
    assert limit > 0
    assert float((least < limit).double().mean()) <= 0.05
    monkeypatch.setattr("intruder_tui.spectral.windows.FAILURE", 1e-12)
    assert probe_threshold(8, hidden) < limit


def spectrum(weight: Tensor) -> tuple[Tensor, Tensor]:
    u, s, _ = torch.linalg.svd(weight, full_matrices=False)
    return s.square(), u


def test_window_forms_bound_every_eigenvector() -> None:
    weight = power_law(60, 90)
    values, vectors = spectrum(weight)
    targets = orthonormal(60, 3, 5).T.contiguous()
    start = torch.cat((targets, torch.randn(5, 60, dtype=torch.float64, generator=generator(4))))
    lanczos = run(square(weight), start, 4)
    windows = Windows(lanczos.ritz(), lanczos.start, 3, 2.0)
    edges = torch.linspace(0, 1.2, 60, dtype=torch.float64)
    forms = windows.forms(edges[:-1], edges[1:], windows.targets, 0.05)
    for low, high, form in zip(edges[:-1], edges[1:], forms, strict=True):
        inside = (values >= low) & (values <= high)
        seen = targets @ vectors[:, inside]
        room = form - seen @ seen.T
        assert float(torch.linalg.eigvalsh(room)[0]) >= -1e-9
    bounds = windows.bounds(torch.ones(3, dtype=torch.bool), torch.full((3,), 0.2, dtype=torch.float64))
    largest = (targets @ vectors).square().amax(1)
    assert bool((bounds >= largest - 1e-9).all())


@pytest.mark.parametrize("gap", [0.0, 1e-7, 1e-3])
@pytest.mark.parametrize("seed", range(4))
def test_a_hidden_twin_is_never_denied(gap: float, seed: int) -> None:
    """A start that sees only one of two near eigenvalues must not prove that there is but one."""
    sigma = torch.cat((torch.tensor([2.0, 2.0 * (1 - gap)]), torch.linspace(1, 0.1, 58)))
    weight = with_spectrum(60, 80, sigma, seed)
    values, vectors = spectrum(weight)
    target = vectors[:, :1].T.contiguous()
    start = torch.cat((target, torch.randn(10, 60, dtype=torch.float64, generator=generator(seed))))
    for steps in (1, 2, 4):
        lanczos = run(square(weight), start, steps)
        ritz = lanczos.ritz()
        windows = Windows(ritz, lanczos.start, 1, 4.5)
        for reach in (1e-6, 1e-2, 0.5):
            low, high = 4.0 - 3e-3 - reach, 4.2
            if not windows.hiding([(low, high)])[0]:
                inside = int(((ritz.values >= low) & (ritz.values <= high)).sum())
                assert inside >= int(((values >= low) & (values <= high)).sum())


def test_empty_and_single_windows_are_recognised() -> None:
    weight = with_spectrum(200, 300, torch.cat((torch.tensor([3.0, 2.5, 2.0]), torch.full((197,), 0.5))))
    start = torch.randn(14, 200, dtype=torch.float64, generator=generator(0))
    lanczos = run(square(weight), start, 4)
    windows = Windows(lanczos.ritz(), lanczos.start, 0, 9.5)
    assert windows.hiding([(1.0, 9.5), (4.5, 6.0), (3.5, 4.5)]) == [[], [], []]


@pytest.mark.parametrize("seed", range(24))
def test_windows_are_cut_where_a_vector_can_be_told_from_what_lies_beyond(seed: int) -> None:
    """A cut at exactly the distance that makes it converged left the empty part beyond unproven, by luck."""
    second = 0.7 + 0.01 * seed
    sigma = torch.cat((torch.tensor([1.0, second, second - 0.005]), torch.linspace(0.45, 0.1, 117)))
    start = torch.randn(18, 120, dtype=torch.float64, generator=generator(seed))
    lanczos = run(square(with_spectrum(120, 150, sigma, seed)), start, 5)
    assert Windows(lanczos.ritz(), lanczos.start, 0, 1.05).hiding([(0.3, 1.05)]) == [[]]


def test_ceiling_holds() -> None:
    for seed in range(5):
        weight = gaussian(100, 120, seed)
        start = torch.randn(10, 100, dtype=torch.float64, generator=generator(seed))
        lanczos = run(square(weight), start, 4)
        assert ceiling_of(lanczos.ritz(), 4, 10, 100) >= float(torch.linalg.svdvals(weight)[0]) ** 2
    assert ceiling_of(run(square(weight), start, 1).ritz(), 1, 10, 100) == math.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_top_vectors_lie_within_their_angles(dtype: torch.dtype) -> None:
    weight = power_law(150, 200).to(dtype)
    values, vectors = spectrum(weight.double())
    top = top_vectors(square(weight, dtype), 6)
    angles = top.angles()
    assert float(angles.max()) < 5e-3
    cosine = (top.rows.double() @ vectors[:, :6]).diagonal().abs().clamp(max=1.0)
    assert bool((cosine.acos() <= angles + 5e-4).all())
    torch.testing.assert_close(top.values, values[:6], rtol=1e-5, atol=0)
    assert top.ceiling >= float(values[0])


def test_tied_top_vectors_claim_nothing_but_their_neighbours_do() -> None:
    sigma = torch.cat((torch.tensor([3.0, 2.0, 2.0, 1.5]), torch.linspace(1, 0.1, 96)))
    top = top_vectors(square(with_spectrum(100, 120, sigma)), 4)
    assert (top.angles() < 1e-3).tolist() == [True, False, False, True]


def test_completeness_notices_a_missing_vector() -> None:
    weight = power_law(60, 80)
    matrix = Stored(weight)
    top = top_vectors(square(weight), 5)
    assert is_complete(matrix, top)
    without = replace(top, rows=top.rows[1:], values=top.values[1:])
    assert not is_complete(matrix, without)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lone", [0.9, 0.3, 0.05, 1e-3, 0.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_floor_is_never_above_a_lone_smallest_eigenvalue(
    dtype: torch.dtype, lone: float, seed: int
) -> None:
    """One vector far below the rest of the spectrum is what a few products could overlook."""
    sigma = torch.cat((torch.linspace(6.0, 1.0, 299), torch.tensor([lone])))
    weight = with_spectrum(300, 800, sigma, 10 * seed).to(dtype)
    floor = eigenvalue_floor(square(weight, dtype), seed=seed)
    assert 0.0 <= floor <= lone**2 * (1 + 1e-6)
    if lone > 0.2:
        assert floor > 0.05 * lone**2


def test_the_floor_scales_with_the_weight_and_needs_a_spectrum_that_ends_above_zero() -> None:
    weight = with_spectrum(200, 500, torch.linspace(3.0, 1.0, 200), 4).double()
    plain = eigenvalue_floor(square(weight))
    assert eigenvalue_floor(square(weight * 2.0**-40)) == pytest.approx(plain * 2.0**-80, rel=1e-6)
    assert eigenvalue_floor(square(with_spectrum(200, 500, torch.linspace(1, 0.1, 90)).double())) == 0.0


def test_a_vector_outside_the_row_space_is_bounded_by_what_lies_inside() -> None:
    """The floor keeps eigenvalue 0, which no base vector has, out of the windows."""
    weight = with_spectrum(150, 600, torch.linspace(3.0, 1.0, 150), 6).double()
    right = torch.linalg.svd(weight, full_matrices=False).Vh
    outside = gaussian(1, 600, 9)
    outside = outside - outside @ right.T @ right
    mix = torch.stack((0.8 * outside[0] / outside.norm() + 0.6 * right[3], outside[0] / outside.norm()))
    a = square(weight, short=False)
    wanted = Wanted(torch.full((2,), 0.4).double(), torch.full((2,), 0.4).double())
    floor = eigenvalue_floor(square(weight))
    found = certify(a, mix, wanted, floor=floor)
    assert float(found.lower[0]) >= 0.4
    assert float(found.lower[0]) <= 0.6 + 1e-9
    assert float(found.upper[0]) >= 0.6 - 1e-9
    assert float(found.upper[1]) < 0.4


def test_a_hosts_own_precision_is_set_aside_and_given_back() -> None:
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "tf32"
        with full_precision():
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = before


def test_panels_are_given_out_at_the_hosts_precision() -> None:
    base, update = power_law(40, 60).float(), adapter(40, 60, 4, 0.5)
    whole = WholeCosines(base, update)
    torch.set_float32_matmul_precision("medium")
    try:
        for _ in whole.panels(left=True):
            assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_cancelling_update_is_seen_before_anything_is_iterated() -> None:
    base = power_law(60, 80, 1.0).float()
    u, sigma, vh = torch.linalg.svd(base, full_matrices=False)
    whole = LowRank(vh * sigma[:, None], -u, 1.0 - 1e-3)
    assert cancels(survey(base, whole))
    assert not cancels(survey(base, LowRank(whole.a, -whole.b, 1.0)))
    assert not cancels(survey(base, adapter(60, 80, 4, 2.0)))
