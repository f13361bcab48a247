"""Time of small pieces of work: interleaved repeats, and what of them is the value and what the range."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TypeVar

Work = Callable[[], object]
Clock = Callable[[], float]
KeyT = TypeVar("KeyT", bound=Hashable)

# Other work on the machine only ever adds time: the value is the fastest repeat, the range reaches to the median.
FINEST_S = 1.0e-6  # a clock of coarser resolution cannot time a kernel


@dataclass(frozen=True)
class Span:
    """A number with its range."""

    value: float
    low: float
    high: float

    def map(self, function: Callable[[float], float]) -> Span:
        """A monotone function of the number; a falling one swaps the ends."""
        ends = function(self.low), function(self.high)
        return Span(function(self.value), min(ends), max(ends))

    def over(self, other: Span) -> Span:
        """The ratio of two spans, with both ranges."""
        return Span(self.value / other.value, self.low / other.high, self.high / other.low)


def span_of(repeats: Sequence[float]) -> Span:
    """The fastest of the repeats; the range reaches to their median.

    >>> span_of([5.0, 1.0, 2.0, 3.0, 4.0])
    Span(value=1.0, low=1.0, high=3.0)
    """
    return Span(min(repeats), min(repeats), median(repeats))


def cpu_clock(threads: int) -> Clock:
    """A clock for work on so many threads, in seconds.

    For one thread the time that it ran on a processor, which waiting for one does not lengthen; for more, and where
    that clock is coarse, time on the wall.
    """
    if threads == 1 and time.get_clock_info("thread_time").resolution <= FINEST_S:
        return time.thread_time
    return time.perf_counter


def interleaved(
    cases: Mapping[KeyT, Work], rounds: int, clock: Clock, before: Work | None = None
) -> dict[KeyT, list[float]]:
    """Seconds of every repeat of every case: once around to warm up, then ``rounds`` times around all of them.

    Taking turns gives every case the same quiet and busy moments. ``before`` runs before each repeat, untimed.
    """
    found: dict[KeyT, list[float]] = {key: [] for key in cases}
    for number in range(rounds + 1):
        for key, work in cases.items():
            if before is not None:
                before()
            start = clock()
            work()
            taken = clock() - start
            if number:
                found[key].append(taken)
    return found


def timed(cases: Mapping[KeyT, Work], rounds: int, clock: Clock, before: Work | None = None) -> dict[KeyT, Span]:
    """Time of every case, with its range."""
    return {key: span_of(repeats) for key, repeats in interleaved(cases, rounds, clock, before).items()}


def difference(more: Sequence[float], less: Sequence[float]) -> Span:
    """What one case takes more than another that took turns with it: between their fastest repeats, not below zero.

    The range holds the middle half of the differences between neighbouring repeats.
    """
    pairs = [a - b for a, b in zip(more, less, strict=True)]
    value = min(more) - min(less)
    first, _, third = quantiles(pairs, n=4) if len(pairs) > 1 else pairs * 3
    return Span(*(max(0.0, x) for x in (value, min(value, first), max(value, third))))
