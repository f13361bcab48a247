"""Measured rates of matrix products by rows, and of streaming weights that are not cached."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.hardware.measurement.runtime import TINY, Array, Runtime
from foldsim.hardware.measurement.timing import Clock, Span, Work, timed

# Rows at which the rate is measured: kernels use blocks of 4, 6, 8 or 16 rows, so one row more than a block matters.
ROWS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 17, 20, 24, 28, 32, 33, 40, 48, 64)
QUICK_ROWS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64)
PEAK_ROWS = 256  # rows of the product that represents large ones
CACHED_LAYERS = 2  # layers whose weights stay in a cache between repeats
CACHED_SHARE = 0.5  # of that cache
CALLS = 24  # layers per repeat, cached
STREAM_WIDTHS = (128, 256, 512, 1024, 2048)
STREAM_ROWS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33)  # row blocks of kernels, and one row more
STREAM_BYTES = 16 << 20  # weights per repeat
STREAM_LAYERS = (4, 128)  # at least, at most
BYTES = {"fp32": 4, "int8": 1}
LEAST_S = 1.0e-12  # keeps rates finite if a difference of times is zero


@dataclass(frozen=True)
class ProductRates:
    """Rates in one number format."""

    macs_per_s: dict[int, Span]  # by rows, weights in a cache
    stream_bytes_per_s: dict[int, dict[float, Span]]  # weights from memory, by rows, by bytes of one run of weights


def random_weights(width: int, count: int, seed: int = 0) -> list[Array]:
    """Square matrices that keep the magnitude of activations about constant."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((width, width), dtype=np.float32) * np.float32(width**-0.5) for _ in range(count)]


def cached_width(cache_bytes: float, element_bytes: int) -> int:
    """Largest power of two for which the weights of the cached layers fill at most their share of the cache.

    >>> cached_width(1 << 20, 4)
    256
    """
    most = math.sqrt(cache_bytes * CACHED_SHARE / CACHED_LAYERS / element_bytes)
    return 1 << max(5, int(math.log2(most)))


def cached_rates(
    runtime: Runtime, precision: str, rows: Sequence[int], cache_bytes: float, rounds: int, clock: Clock
) -> tuple[dict[int, Span], float]:
    """MAC/s by rows (including PEAK_ROWS) with cached weights, without the time of a call; and that time [s]."""
    width = cached_width(cache_bytes, BYTES[precision])
    many = CALLS // CACHED_LAYERS
    work_of = {w: runtime.products(random_weights(w, CACHED_LAYERS) * many, precision) for w in (width, TINY)}
    cases = {(m, w): of(m) for m in (*rows, PEAK_ROWS) for w, of in work_of.items()}
    spans = timed(cases, rounds, clock)
    rates = {}
    for m in (*rows, PEAK_ROWS):
        call, work = spans[m, TINY].value / CALLS, m * width**2
        rates[m] = spans[m, width].map(lambda s, call=call, work=work: work / max(s / CALLS - call, LEAST_S))  # type: ignore[misc]
    return rates, min(spans[m, TINY].value for m in rows) / CALLS


def stream_rates(
    runtime: Runtime,
    precision: str,
    call_s: float,
    most_bytes_per_s: float,
    flush: Work,
    rounds: int,
    clock: Clock,
) -> dict[int, dict[float, Span]]:
    """Bytes of weights per second of layers whose weights come from memory, by rows and by bytes of one run.

    The time is that of the whole layer without the call; overlap of compute and transfers is not resolved. ``flush``
    empties the caches. Rates are limited to the bandwidth of plain reading.
    """
    tiny = runtime.products(random_weights(TINY, CACHED_LAYERS), precision)(STREAM_ROWS[0])

    def before() -> None:
        flush()
        tiny()  # caches the code of the runtime, but not the weights

    by_rows: dict[int, dict[float, Span]] = {m: {} for m in STREAM_ROWS}
    for width in STREAM_WIDTHS:
        least, most = STREAM_LAYERS
        moved = width**2 * BYTES[precision]
        count = min(most, max(least, STREAM_BYTES // moved))
        of = runtime.products(random_weights(width, count), precision)
        for m, span in timed({m: of(m) for m in STREAM_ROWS}, rounds, clock, before).items():
            by_rows[m][float(width * BYTES[precision])] = span.map(
                lambda s, count=count, moved=moved: min(most_bytes_per_s, moved / max(s / count - call_s, LEAST_S))  # type: ignore[misc]
            )
    return by_rows
