"""Times small pieces of work by interleaved repeats: the fastest repeat is the value, the median ends the range."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TypeVar

Work = Callable[[], object]
Clock = Callable[[], float]
KeyT = TypeVar("KeyT", bound=Hashable)

FINEST_S = 1.0e-6  # a clock of coarser resolution cannot time a kernel


@dataclass(frozen=True)
class Span:
    """A value with its range."""

    value: float
    low: float
    high: float

    def map(self, function: Callable[[float], float]) -> Span:
        """A monotone function of the value; a decreasing one swaps the ends."""
        ends = function(self.low), function(self.high)
        return Span(function(self.value), min(ends), max(ends))

    def over(self, other: Span) -> Span:
        """The ratio of two spans, with both ranges."""
        return Span(self.value / other.value, self.low / other.high, self.high / other.low)


def span_of(repeats: Sequence[float]) -> Span:
    """The fastest repeat, because other work only adds time; the range ends at the median.

    >>> span_of([5.0, 1.0, 2.0, 3.0, 4.0])
    Span(value=1.0, low=1.0, high=3.0)
    """
    return Span(min(repeats), min(repeats), median(repeats))


def cpu_clock(threads: int) -> Clock:
    """A clock for work on a number of threads, in seconds.

    CPU time of the thread for one thread, which excludes waiting; wall time for more threads, or if that clock is
    coarse.
    """
    if threads == 1 and time.get_clock_info("thread_time").resolution <= FINEST_S:
        return time.thread_time
    return time.perf_counter


def interleaved(
    cases: Mapping[KeyT, Work], rounds: int, clock: Clock, before: Work | None = None
) -> dict[KeyT, list[float]]:
    """Seconds of every repeat of every case: one round to warm up, then ``rounds`` rounds over all cases.

    Interleaving exposes every case to the same load. ``before`` runs before each repeat, untimed.
    """
    seconds: dict[KeyT, list[float]] = {key: [] for key in cases}
    for number in range(rounds + 1):
        for key, work in cases.items():
            if before is not None:
                before()
            start = clock()
            work()
            taken = clock() - start
            if number:
                seconds[key].append(taken)
    return seconds


def timed(cases: Mapping[KeyT, Work], rounds: int, clock: Clock, before: Work | None = None) -> dict[KeyT, Span]:
    """Time of every case, with its range."""
    return {key: span_of(repeats) for key, repeats in interleaved(cases, rounds, clock, before).items()}


def difference(more: Sequence[float], less: Sequence[float]) -> Span:
    """Time of one case above another interleaved with it: between their fastest repeats, not below zero.

    The range covers the middle half of the differences between neighbouring repeats.
    """
    pairs = [a - b for a, b in zip(more, less, strict=True)]
    value = min(more) - min(less)
    first, _, third = quantiles(pairs, n=4) if len(pairs) > 1 else pairs * 3
    return Span(*(max(0.0, x) for x in (value, min(value, first), max(value, third))))
