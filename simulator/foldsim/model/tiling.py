"""Bytes that must enter a memory level to compute one matrix product: the closed form.

A product ``(m x k)(k x n)`` is cut into tiles that fit the level. With three nested tile loops, the operand that does
not depend on the innermost loop stays in place, and a tile one element thick along that loop is sufficient. Three
families remain, each with two free tile sizes:

* results stay: the first operand is read once per column of tiles, the second once per row of tiles;
* the first operand stays: the second is read once per row of tiles, partial sums leave and return between reductions;
* the second operand stays: likewise with the first.

Each family is ``minimise a ceil(p/tp) + b ceil(q/tq)`` under ``s tp tq + s_p tp + s_q tq <= S``, where s, s_p and s_q
are the bytes per element of the tile that stays and of the two strips. Whenever one operand (or the result) fits with a
strip of the others, every operand crosses once (compulsory traffic); only the remaining points are searched, over a
fixed short list of loop counts around the continuous optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foldsim.model.records import FloatArray

# Loop counts tried per dimension: all small ones, and these multiples of the continuous optimum.
_SMALL_COUNTS = np.arange(1.0, 9.0)
_AROUND_OPTIMUM = np.array([0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0])
_NEVER = 1.0e30  # tile count (and cost) of what does not fit
_FLOOR = 1.0e-12  # keeps quotients finite where an operand needs no space or has no cost


@dataclass(frozen=True)
class TileTraffic:
    """Bytes across the boundary into a level, per operand; all of one shape."""

    first_in: FloatArray
    second_in: FloatArray
    partial_in: FloatArray
    result_out: FloatArray


def tiled_traffic(
    m: FloatArray,
    k: FloatArray,
    n: FloatArray,
    capacity_bytes: FloatArray,
    element_bytes: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    outside: tuple[FloatArray, FloatArray, FloatArray],
) -> TileTraffic:
    """Bytes that cross into (and out of) a level with a given free capacity.

    Parameters
    ----------
    m, k, n : product shape; all arrays broadcast together.
    capacity_bytes : free part of the level [bytes].
    element_bytes : bytes per element of first operand, second operand, result and partial sum.
    outside : share (0 to 1) of the first operand, second operand and result that is stored outside the level. An
        operand inside causes no traffic and needs no tile space.

    Returns
    -------
    TileTraffic, multiplied by the shares. Valid for products of any shape; equals an exhaustive search over tile sizes
    and loop orders within 2 % (``tests/model/test_tiling.py`` reports the distribution).

    >>> one = np.ones(1)
    >>> t = tiled_traffic(4 * one, 512 * one, 1536 * one, 2.0**20 * one, (one, one, one, 4 * one), (one, one, one))
    >>> float(t.first_in[0] + t.second_in[0] + t.result_out[0])  # 4x512 + 512x1536 + 4x1536, each once
    794624.0
    """
    shape = np.broadcast_shapes(*(np.shape(x) for x in (m, k, n, capacity_bytes, *element_bytes, *outside)))
    bytes_a, bytes_b, bytes_c, bytes_p = element_bytes
    share_a, share_b, share_c = outside
    first = (m * k) * (bytes_a * share_a)
    second = (k * n) * (bytes_b * share_b)
    result = (m * n) * (bytes_c * share_c)
    # Tile space per element: only operands that come from outside need any.
    space_a = np.where(share_a > 0, bytes_a, 0.0)
    space_b = np.where(share_b > 0, bytes_b, 0.0)
    space_c = np.where(share_c > 0, bytes_p, 0.0)
    strip_a, strip_b, strip_c = m * space_a, n * space_b, m * space_c
    once = (
        (n * strip_c + strip_a + strip_b <= capacity_bytes)
        | (k * strip_a + strip_c + k * space_b <= capacity_bytes)
        | (k * strip_b + n * space_c + k * space_a <= capacity_bytes)
    )
    first, second, result = (np.broadcast_to(x, shape) for x in (first, second, result))
    zero = np.zeros(shape)
    if once.all():
        return TileTraffic(first, second, zero, result)
    again = ~np.broadcast_to(once, shape)
    first, second, partial, result = first.copy(), second.copy(), zero, result.copy()

    def pick(x: FloatArray) -> FloatArray:
        return np.broadcast_to(x, shape)[again]

    spaces = (pick(space_a), pick(space_b), pick(space_c))
    reads_a, reads_b, partials = _search(
        pick(m), pick(k), pick(n), pick(capacity_bytes), spaces, pick(share_c * bytes_p), first[again], second[again]
    )
    first[again] *= reads_a
    second[again] *= reads_b
    partial[again] = partials
    result[again] += partials  # each partial sum that returns has left before
    return TileTraffic(first, second, partial, result)


def swept_traffic(
    m: FloatArray,
    k: FloatArray,
    n: FloatArray,
    capacity_bytes: FloatArray,
    element_bytes: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    outside: tuple[FloatArray, FloatArray, FloatArray],
    columns_count: FloatArray,
) -> TileTraffic:
    """Bytes across the same boundary for a library that does not tile: one pass over the first operand per few columns.

    ``columns_count`` columns of the second operand are multiplied in one pass over all rows of the first, which is read
    again in the next pass unless all of it fits together with them. The second operand and the result cross once.
    Parameters and result as in :func:`tiled_traffic`.

    >>> one = np.ones(1)
    >>> t = swept_traffic(4 * one, 512 * one, 6 * one, 1024 * one, (one, one, one, 4 * one), (one, one, one), 2 * one)
    >>> float(t.first_in[0]), float(t.second_in[0])  # 2 KiB do not fit in 1 KiB: three passes
    (6144.0, 3072.0)
    """
    bytes_a, bytes_b, bytes_c, bytes_p = element_bytes
    share_a, share_b, share_c = outside
    room = m * k * np.where(share_a > 0, bytes_a, 0.0) + columns_count * (
        k * np.where(share_b > 0, bytes_b, 0.0) + m * np.where(share_c > 0, bytes_p, 0.0)
    )
    passes = np.where(room <= capacity_bytes, 1.0, np.ceil(n / columns_count))
    first = (m * k) * (bytes_a * share_a) * passes
    return TileTraffic(
        first, (k * n) * (bytes_b * share_b) + 0.0 * first, 0.0 * first, (m * n) * (bytes_c * share_c) + 0.0 * first
    )


def _search(
    m: FloatArray,
    k: FloatArray,
    n: FloatArray,
    capacity: FloatArray,
    spaces: tuple[FloatArray, FloatArray, FloatArray],
    partial_bytes: FloatArray,
    first: FloatArray,
    second: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Best of the three families for points (X,): reads of the first and of the second operand, partial-sum bytes."""
    space_a, space_b, space_c = spaces
    capacity = np.maximum(capacity, space_a + space_b + space_c)  # one element of each always fits
    swap = 2.0 * m * n * partial_bytes  # bytes that leave and return
    one = np.ones_like(m)
    rows, columns = _two_loops(second, first, m, n, space_c, space_a, space_b, capacity)
    results_stay = second * rows + first * columns
    rows_a, folds_a = _two_loops(second, swap, m, k, space_a, space_c, space_b, capacity)
    first_stays = first + second * rows_a + swap * (folds_a - 1.0)
    columns_b, folds_b = _two_loops(first, swap, n, k, space_b, space_c, space_a, capacity)
    second_stays = second + first * columns_b + swap * (folds_b - 1.0)
    best = np.argmin(np.stack([results_stay, first_stays, second_stays]), axis=0)
    reads_a = np.choose(best, [columns, one, columns_b])
    reads_b = np.choose(best, [rows, rows_a, one])
    partials = np.choose(best, [0.0 * one, folds_a - 1.0, folds_b - 1.0]) * m * n * partial_bytes
    return reads_a, reads_b, partials


def _two_loops(
    cost_p: FloatArray,
    cost_q: FloatArray,
    p: FloatArray,
    q: FloatArray,
    space: FloatArray,
    strip_p: FloatArray,
    strip_q: FloatArray,
    capacity: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Counts X, Y of tiles along p and q that minimise ``cost_p X + cost_q Y`` with the tiles inside ``capacity``.

    ``space``, ``strip_p`` and ``strip_q`` are s, s_p and s_q of the module's equation. All arrays (X,).
    """
    # Continuous optimum without the strips: tp tq = S/s, tp = sqrt(cost_p p S / (s cost_q q)).
    area = capacity / np.maximum(space, _FLOOR)
    tile_p = np.clip(np.sqrt(cost_p * p * area / np.maximum(cost_q * q, _FLOOR)), 1.0, p)
    tile_q = np.clip(area / tile_p, 1.0, q)
    best_cost = np.full_like(p, np.inf)
    best_x, best_y = p.copy(), q.copy()
    for near_x, near_y in zip(_counts_to_try(p / tile_p), _counts_to_try(q / tile_q), strict=True):
        for x, y in (
            _other_count(near_x, p, q, space, strip_p, strip_q, capacity),
            _other_count(near_y, q, p, space, strip_q, strip_p, capacity)[::-1],
        ):
            cost = np.where(np.maximum(x, y) < _NEVER, cost_p * x + cost_q * y, _NEVER)
            better = cost < best_cost
            best_cost = np.where(better, cost, best_cost)
            best_x, best_y = np.where(better, x, best_x), np.where(better, y, best_y)
    return best_x, best_y


def _counts_to_try(optimum: FloatArray) -> FloatArray:
    """Tile counts near the continuous optimum (X,), and all small ones: (tries, X)."""
    small = np.broadcast_to(_SMALL_COUNTS[:, None], (_SMALL_COUNTS.size, optimum.size))
    return np.concatenate([small, _AROUND_OPTIMUM[:, None] * optimum])


def _other_count(
    count: FloatArray,
    p: FloatArray,
    q: FloatArray,
    space: FloatArray,
    strip_p: FloatArray,
    strip_q: FloatArray,
    capacity: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """For about ``count`` tiles along p, the exact tile counts along p and q (``_NEVER`` where no tile fits)."""
    tile_p = np.ceil(p / np.clip(np.round(count), 1.0, p))
    room = np.floor((capacity - strip_p * tile_p) / np.maximum(space * tile_p + strip_q, _FLOOR))
    fits = room >= 1.0
    tile_q = np.clip(room, 1.0, q)
    return np.ceil(p / tile_p), np.where(fits, np.ceil(q / tile_q), _NEVER)
