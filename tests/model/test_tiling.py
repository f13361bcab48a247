"""The closed form of tiled traffic against an exhaustive search written from the definition of a tiled loop
nest."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from foldsim.model.tiling import swept_traffic, tiled_traffic

PARTIAL_BYTES = 4.0


def tile_sizes(extent: int) -> np.ndarray:
    """Every tile size that matters: for each number of tiles, the smallest size that gives it."""
    return np.unique([-(-extent // count) for count in range(1, extent + 1)])


def exhaustive_bytes(
    m: int,
    k: int,
    n: int,
    capacity: float,
    widths: tuple[float, float, float],
    outside: tuple[bool, bool, bool] = (True, True, True),
) -> float:
    """Least traffic over all tile sizes and all six loop orders.

    An operand's tile is loaded anew whenever a loop advances that it depends on, or that lies outside one that
    it depends on. Results leave once per visit and return once per visit but the first; partial sums are 4
    bytes wide.
    """
    a, b, c = widths
    tm, tk, tn = np.meshgrid(tile_sizes(m), tile_sizes(k), tile_sizes(n), indexing="ij")
    use_a, use_b, use_c = outside
    fits = a * use_a * tm * tk + b * use_b * tk * tn + PARTIAL_BYTES * use_c * tm * tn <= capacity
    if not fits.any():
        fits = (tm == 1) & (tk == 1) & (tn == 1)
    tm, tk, tn = tm[fits], tk[fits], tn[fits]
    counts = {"m": np.ceil(m / tm), "k": np.ceil(k / tk), "n": np.ceil(n / tn)}
    best = np.inf
    for order in permutations("mkn"):

        def visits(needs: str, order: tuple[str, ...] = order) -> np.ndarray:
            """How often the whole operand passes: counts of foreign loops outside its innermost moving own
            loop."""
            times, pending = np.ones(tm.shape), np.ones(tm.shape)
            for loop in order:  # outermost first
                if loop in needs:
                    moving = counts[loop] > 1
                    times = np.where(moving, times * pending, times)
                    pending = np.where(moving, 1.0, pending)
                else:
                    pending = pending * counts[loop]
            return times

        again = visits("mn") - 1.0
        cost = (
            use_a * a * m * k * visits("mk")
            + use_b * b * k * n * visits("kn")
            + use_c * (c * m * n + 2 * PARTIAL_BYTES * m * n * again)
        )
        best = min(best, float(cost.min()))
    return best


def closed_form_bytes(
    m: int,
    k: int,
    n: int,
    capacity: float,
    widths: tuple[float, float, float],
    outside: tuple[bool, bool, bool] = (True, True, True),
) -> float:
    one = np.ones(1)
    tiles = tiled_traffic(
        m * one,
        k * one,
        n * one,
        capacity * one,
        (widths[0] * one, widths[1] * one, widths[2] * one, PARTIAL_BYTES * one),
        (outside[0] * one, outside[1] * one, outside[2] * one),
    )
    return float((tiles.first_in + tiles.second_in + tiles.partial_in + tiles.result_out)[0])


def random_products(
    count: int, largest: int, seed: int
) -> list[tuple[int, int, int, float, tuple[float, float, float]]]:
    random = np.random.default_rng(seed)
    products = []
    for _ in range(count):
        m, k, n = (int(x) for x in np.exp(random.uniform(0, np.log(largest), 3)))
        a, b, c = (float(w) for w in random.choice([1.0, 2.0, 4.0], 3))
        most = a * m * k + b * k * n + PARTIAL_BYTES * m * n
        products.append((m, k, n, float(np.exp(random.uniform(np.log(12), np.log(max(most, 13))))), (a, b, c)))
    return products


def relative_errors(count: int, largest: int, seed: int) -> np.ndarray:
    errors = []
    for m, k, n, capacity, widths in random_products(count, largest, seed):
        least = exhaustive_bytes(m, k, n, capacity, widths)
        errors.append(closed_form_bytes(m, k, n, capacity, widths) / least - 1.0)
    return np.array(errors)


@pytest.mark.parametrize(("count", "largest", "seed"), [(600, 64, 1), (150, 400, 2)])
def test_closed_form_equals_exhaustive_search(count: int, largest: int, seed: int) -> None:
    errors = relative_errors(count, largest, seed)
    print(
        f"\n{count} products up to {largest}: exact {np.mean(np.abs(errors) < 1e-9):.1%}, "
        f"median {np.median(errors):.2e}, 99 % {np.quantile(errors, 0.99):.2e}, worst {errors.max():.2e}"
    )
    assert errors.min() > -1e-9  # never less than what is possible
    assert errors.max() < 0.02


@pytest.mark.parametrize(
    "outside", [(False, True, False), (True, True, False), (True, False, True), (False, True, True)]
)
def test_resident_operands_cost_nothing(outside: tuple[bool, bool, bool]) -> None:
    for m, k, n, capacity, widths in random_products(100, 48, 3):
        least = exhaustive_bytes(m, k, n, capacity, widths, outside)
        assert closed_form_bytes(m, k, n, capacity, widths, outside) == pytest.approx(least, rel=0.02)


def test_weights_alone_stream_once_through_any_capacity() -> None:
    """With activations inside, weights need only a strip: 512 x 2048 bytes cross once even through 4 KiB."""
    assert closed_form_bytes(4, 512, 2048, 4096, (1.0, 1.0, 1.0), (False, True, False)) == 512 * 2048


def least_capacity(m: int, k: int, n: int, widths: tuple[float, float, float], outside: tuple[bool, bool, bool]) -> int:
    """Least whole number of bytes with which the search loads every operand once."""
    once = exhaustive_bytes(m, k, n, 1e9, widths, outside)
    low, high = 1, 4 * (m * k + k * n + m * n) * 4
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exhaustive_bytes(m, k, n, middle, widths, outside) == once else (middle, high)
    return high


@pytest.mark.parametrize("outside", [(True, True, True), (True, True, False), (True, False, True), (False, True, True)])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(3, 5, 40), (3, 40, 5), (40, 3, 5), (2, 30, 31), (30, 2, 31), (30, 31, 2), (9, 9, 9), (1, 20, 30)]
)
@pytest.mark.parametrize("widths", [(1.0, 1.0, 1.0), (4.0, 1.0, 2.0), (1.0, 4.0, 2.0)])
def test_operands_cross_once_from_the_capacity_on_that_allows_it(m, k, n, widths, outside) -> None:
    """At the least capacity of the search every operand crosses once; with a byte less, more must."""
    once = exhaustive_bytes(m, k, n, 1e9, widths, outside)
    capacity = least_capacity(m, k, n, widths, outside)
    assert closed_form_bytes(m, k, n, capacity, widths, outside) == once
    if exhaustive_bytes(m, k, n, capacity - 1, widths, outside) > once:
        assert closed_form_bytes(m, k, n, capacity - 1, widths, outside) > once


@pytest.mark.parametrize(
    ("outside", "fits"),
    [
        ((1.0, 1.0, 1.0), 2048 + 2 * (512 + 16)),  # inputs, two columns of weights and of sums
        ((1.0, 1.0, 0.0), 2048 + 2 * 512),
        ((1.0, 0.0, 1.0), 2048 + 2 * 16),
        ((0.5, 1.0, 1.0), 2048 + 2 * (512 + 16)),
    ],
)
def test_a_pass_needs_space_for_what_is_outside_only(outside, fits) -> None:
    """4 x 512 x 6 in passes of two columns, bytes and 4-byte sums: three passes with a byte too few."""
    one = np.ones(1)
    for capacity, passes in ((fits, 1), (fits - 1, 3)):
        crossing = tuple(share * one for share in outside)
        t = swept_traffic(4 * one, 512 * one, 6 * one, capacity * one, (one, one, one, 4 * one), crossing, 2 * one)
        assert t.first_in[0] == passes * 2048 * outside[0]
        assert (t.second_in[0], t.result_out[0], t.partial_in[0]) == (3072 * outside[1], 24 * outside[2], 0)


@pytest.mark.parametrize("first_stays", [True, False])
def test_partial_sums_return_where_few_of_them_live_outside(first_stays) -> None:
    """1 x 192 stays in halves of 96 bytes beside one 4-byte sum in 100 bytes; the other operand is inside.

    Three quarters of the 25 sums leave and return once: 75 bytes, 150 in both directions. Keeping the sums instead (24
    fit) would read the 192 bytes again.
    """
    one = np.ones(1)
    m, n = (1, 25) if first_stays else (25, 1)
    outside = (one, 0 * one, 0.75 * one) if first_stays else (0 * one, one, 0.75 * one)
    t = tiled_traffic(m * one, 192 * one, n * one, 100 * one, (one, one, one, 4 * one), outside)
    assert [t.first_in[0], t.second_in[0]] == ([192, 0] if first_stays else [0, 192])
    assert (t.partial_in[0], t.result_out[0]) == (75, 25 * 0.75 + 75)
