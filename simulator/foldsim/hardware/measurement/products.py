"""Matrix products as the runtime does them: rate by rows, and how fast weights that are not cached arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from foldsim.hardware.measurement.runtime import TINY, Array, Runtime
from foldsim.hardware.measurement.timing import Clock, Span, Work, timed

# Rows at which the rate is measured: kernels work on blocks of 4, 6, 8 or 16 rows, so a row more than a block matters.
ROWS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14, 16, 17, 20, 24, 28, 32, 33, 40, 48, 64)
QUICK_ROWS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64)
PEAK_ROWS = 256  # rows of the product whose rate stands for large ones
CACHED_LAYERS = 2  # layers whose weights stay in a cache between repeats
CACHED_SHARE = 0.5  # of that cache
CALLS = 24  # layers per repeat, cached
STREAM_WIDTHS = (128, 256, 512, 1024, 2048)
STREAM_ROWS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33)  # blocks of rows that kernels take, and a row more
STREAM_BYTES = 16 << 20  # weights per repeat
STREAM_LAYERS = (4, 128)  # at least, at most
BYTES = {"fp32": 4, "int8": 1}
OVERLAPS = tuple(step / 10 for step in range(11))
NEARLY = 1.5  # a fit whose squared error is so many times the least still counts as one
LEAST_S = 1.0e-12  # keeps rates finite where a difference of times vanishes


@dataclass(frozen=True)
class ProductRates:
    """Of one number format."""

    macs_per_s: dict[int, Span]  # by rows, weights in a cache
    stream: Stream


@dataclass(frozen=True)
class Stream:
    """How weights come from memory."""

    bytes_per_s: dict[int, dict[float, Span]]  # by rows, by bytes of one run of weights
    overlap_ratio: Span


def random_weights(width: int, count: int, seed: int = 0) -> list[Array]:
    """Square matrices that about keep the size of what they multiply."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((width, width), dtype=np.float32) * np.float32(width**-0.5) for _ in range(count)]


def cached_width(cache_bytes: float, element_bytes: int) -> int:
    """Largest power of two for which the weights of the cached layers fill no more than their share of the cache.

    >>> cached_width(1 << 20, 4)
    256
    """
    most = math.sqrt(cache_bytes * CACHED_SHARE / CACHED_LAYERS / element_bytes)
    return 1 << max(5, int(math.log2(most)))


def cached_rates(
    runtime: Runtime, precision: str, rows: Sequence[int], cache_bytes: float, rounds: int, clock: Clock
) -> tuple[dict[int, Span], float]:
    """MAC/s by rows with cached weights, PEAK_ROWS among them, without the time of a call; and that time [s]."""
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


@dataclass(frozen=True)
class Cold:
    """Time of one layer whose weights come from memory, without the call, and of its computation alone."""

    total_s: Span
    compute_s: float


def cold_layers(
    runtime: Runtime,
    precision: str,
    macs_per_s: Mapping[int, Span],
    call_s: float,
    flush: Work,
    rounds: int,
    clock: Clock,
) -> dict[int, dict[int, Cold]]:
    """Layers by width and rows. ``flush`` empties the caches."""
    tiny = runtime.products(random_weights(TINY, CACHED_LAYERS), precision)(STREAM_ROWS[0])

    def before() -> None:
        flush()
        tiny()  # the code of the runtime is back in the caches, the weights are not

    found: dict[int, dict[int, Cold]] = {}
    for width in STREAM_WIDTHS:
        least, most = STREAM_LAYERS
        count = min(most, max(least, STREAM_BYTES // (width**2 * BYTES[precision])))
        of = runtime.products(random_weights(width, count), precision)
        spans = timed({m: of(m) for m in STREAM_ROWS}, rounds, clock, before)
        found[width] = {}
        for m, span in spans.items():
            total = span.map(lambda s, count=count: max(s / count - call_s, LEAST_S))  # type: ignore[misc]
            found[width][m] = Cold(total, m * width**2 / macs_per_s[m].value)
    return found


def layer_s(compute_s: float, stream_s: float, overlap: float) -> float:
    """The model's time of a product whose weights stream: max(compute, overlap x stream) + the rest of stream."""
    return max(compute_s, overlap * stream_s) + (1.0 - overlap) * stream_s


def stream_s(total_s: float, compute_s: float, overlap: float) -> float:
    """The streaming time that explains a total: the inverse of :func:`layer_s`."""
    if overlap < 1.0:
        beside = (total_s - compute_s) / (1.0 - overlap)
        if overlap * beside <= compute_s:
            return max(beside, 0.0)
    return total_s


def fit_stream(cold: Mapping[int, Mapping[int, Cold]], element_bytes: int, most_bytes_per_s: float) -> Stream:
    """Overlap, and rate by rows and bytes of a run, that explain the times of layers (by width, by rows).

    For every overlap the rates follow from the layers' times. The overlap is taken whose rates are most nearly a
    factor of rows times a factor of width, as a kernel's way of reading would have it. Its range holds what is nearly
    as good. No rate is above what plain reading reaches.
    """
    rates = {o: _rates(cold, element_bytes, most_bytes_per_s, o, "value") for o in OVERLAPS}
    errors = {overlap: _not_factored(rates[overlap]) for overlap in OVERLAPS}
    chosen = min(OVERLAPS, key=lambda o: errors[o])
    near = [o for o in OVERLAPS if errors[o] <= NEARLY * errors[chosen]]
    slow = _rates(cold, element_bytes, most_bytes_per_s, chosen, "high")
    return Stream(
        {
            m: {float(w * element_bytes): Span(r, min(r, slow[m][w]), r) for w, r in by_width.items()}
            for m, by_width in rates[chosen].items()
        },
        Span(chosen, min(near), max(near)),
    )


def _rates(
    cold: Mapping[int, Mapping[int, Cold]], element_bytes: int, most_bytes_per_s: float, overlap: float, end: str
) -> dict[int, dict[int, float]]:
    """Bytes per second by rows and width."""
    found: dict[int, dict[int, float]] = {}
    for width, layers in cold.items():
        for m, c in layers.items():
            seconds = max(stream_s(getattr(c.total_s, end), c.compute_s, overlap), LEAST_S)
            found.setdefault(m, {})[width] = min(most_bytes_per_s, width**2 * element_bytes / seconds)
    return found


def _not_factored(rates: Mapping[int, Mapping[int, float]]) -> float:
    """Sum of squares of what the logarithms of the rates are besides a term of their rows and one of their width."""
    widths = list(next(iter(rates.values())))
    logs = np.log([[by_width[w] for w in widths] for by_width in rates.values()])
    rest = logs - logs.mean(axis=0, keepdims=True) - logs.mean(axis=1, keepdims=True) + logs.mean()
    return float(np.sum(rest**2))
