"""The closed form of tiled traffic compared with an exhaustive search over a tiled loop nest."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import numpy as np

from foldsim.model.records import FloatArray
from foldsim.model.tiling import tiled_traffic
from foldsim.workload.ops import PARTIAL_SUM_BYTES

_WIDTHS_BYTES = (1.0, 2.0, 4.0)  # of operands and results
_LEAST_CAPACITY_BYTES = 12.0  # one element of each operand


def _tile_sizes(extent: int) -> np.ndarray:
    """Every tile size that matters: for each number of tiles, the smallest size that gives it."""
    return np.unique([-(-extent // count) for count in range(1, extent + 1)])


def exhaustive_bytes(m: int, k: int, n: int, capacity_bytes: float, widths: tuple[float, float, float]) -> float:
    """Least traffic of a product ``(m x k)(k x n)`` over all tile sizes and all six loop orders.

    An operand's tile is loaded anew whenever a loop advances that it depends on, or that lies outside one that it
    depends on. Results leave once per visit and return once per visit but the first, as partial sums.

    >>> exhaustive_bytes(4, 8, 16, 1.0e6, (1.0, 1.0, 1.0))  # all fits: every operand once
    224.0
    """
    a, b, c = widths
    tm, tk, tn = np.meshgrid(_tile_sizes(m), _tile_sizes(k), _tile_sizes(n), indexing="ij")
    fits = a * tm * tk + b * tk * tn + PARTIAL_SUM_BYTES * tm * tn <= capacity_bytes
    if not fits.any():
        fits = (tm == 1) & (tk == 1) & (tn == 1)
    counts = {"m": np.ceil(m / tm[fits]), "k": np.ceil(k / tk[fits]), "n": np.ceil(n / tn[fits])}
    best = np.inf
    for order in permutations("mkn"):
        first, second, result = (_visits(needs, order, counts) for needs in ("mk", "kn", "mn"))
        partial = 2 * PARTIAL_SUM_BYTES * m * n * (result - 1.0)
        best = min(best, float((a * m * k * first + b * k * n * second + c * m * n + partial).min()))
    return best


def _visits(needs: str, order: tuple[str, ...], counts: dict[str, FloatArray]) -> FloatArray:
    """How often a whole operand passes: counts of foreign loops outside its innermost moving own loop."""
    times = pending = np.ones(counts["m"].shape)
    for loop in order:  # outermost first
        if loop not in needs:
            pending = pending * counts[loop]
            continue
        moving = counts[loop] > 1
        times = np.where(moving, times * pending, times)
        pending = np.where(moving, 1.0, pending)
    return times


@cache
def tiling_ratios(products_count: int, largest_count: int, seed: int) -> FloatArray:
    """Bytes of the closed form over those of the exhaustive search for random products (products_count,).

    Extents and capacities are log-uniform, element widths 1, 2 or 4 bytes.
    """
    random = np.random.default_rng(seed)
    ratios = np.empty(products_count)
    one = np.ones(1)
    for i in range(products_count):
        m, k, n = (int(x) for x in np.exp(random.uniform(0, np.log(largest_count), 3)))
        a, b, c = (float(w) for w in random.choice(_WIDTHS_BYTES, 3))
        most = max(a * m * k + b * k * n + PARTIAL_SUM_BYTES * m * n, _LEAST_CAPACITY_BYTES + 1.0)
        capacity = float(np.exp(random.uniform(np.log(_LEAST_CAPACITY_BYTES), np.log(most))))
        tiles = tiled_traffic(
            m * one, k * one, n * one, capacity * one, (a * one, b * one, c * one, PARTIAL_SUM_BYTES * one), (one,) * 3
        )
        closed = float((tiles.first_in + tiles.second_in + tiles.partial_in + tiles.result_out)[0])
        ratios[i] = closed / exhaustive_bytes(m, k, n, capacity, (a, b, c))
    return ratios
