"""Read bandwidth of every level of the memory, with NumPy's reductions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from foldsim.hardware.measurement.timing import Clock, Span, Work, timed

SHARE_OF_CACHE = 0.5  # of a private cache filled by a working set, leaving room for other data
SHARE_OF_LAST = 0.2  # of the last cache, which other cores and other virtual machines share
MEMORY_OVER_CACHE = 4  # working set for memory bandwidth over the size of the last cache
PASS_BYTES = 16 << 20  # read per repeat at least
MOST_BYTES = 512 << 20


def working_sets(cache_bytes: Sequence[float]) -> list[int]:
    """Working set of each cache, and of memory last [bytes].

    >>> working_sets([32 << 10, 1 << 20])
    [16384, 209715, 4194304]
    """
    sets = [int(size * SHARE_OF_CACHE) for size in cache_bytes]
    if len(cache_bytes) > 1:
        sets[-1] = max(sets[-2], int(cache_bytes[-1] * SHARE_OF_LAST))
    return [*sets, int(min(MOST_BYTES, MEMORY_OVER_CACHE * cache_bytes[-1]))]


def read_bandwidths(cache_bytes: Sequence[float], rounds: int, clock: Clock) -> list[Span]:
    """Bytes per second of the faster of two reductions, innermost level first, memory last."""
    cases: dict[tuple[int, str], Work] = {}
    moved = {}
    for index, size in enumerate(working_sets(cache_bytes)):
        repeats = max(1, PASS_BYTES // size)
        moved[index] = repeats * size
        values = np.ones(size // 4, dtype=np.int32)
        cases[index, "maximum"] = _maximum(values, repeats)
        if hasattr(np, "vecdot"):
            cases[index, "dot"] = _dot(values.view(np.float32), repeats)
    spans = timed(cases, rounds, clock)
    rates: list[Span] = []
    for index, size in moved.items():
        fastest = min((span for (at, _), span in spans.items() if at == index), key=lambda span: span.value)
        rates.append(fastest.map(lambda seconds, size=size: size / seconds))  # type: ignore[misc]
    for inner in range(len(rates) - 2, -1, -1):  # data from outer levels passes the inner levels at that rate
        if rates[inner].value < rates[inner + 1].value:
            rates[inner] = rates[inner + 1]
    return rates


def _again(values: np.ndarray, repeats: int) -> np.ndarray:
    """The same values as ``repeats`` rows, without a copy."""
    return as_strided(values, (repeats, values.size), (0, values.itemsize), writeable=False)


def _maximum(values: np.ndarray, repeats: int) -> Work:
    rows, out = _again(values, repeats), np.empty(repeats, dtype=values.dtype)
    return lambda: np.maximum.reduce(rows, axis=1, out=out)


def _dot(values: np.ndarray, repeats: int) -> Work:
    half = values.size // 2
    first, second = _again(values[:half], repeats), _again(values[half : 2 * half], repeats)
    return lambda: np.vecdot(first, second)
