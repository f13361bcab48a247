"""Measured rates of element-wise work, and call overhead by kind of op."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from statistics import median

from foldsim.hardware.measurement.products import random_weights
from foldsim.hardware.measurement.runtime import COPY, ELEMENTWISE, TINY, Between, Runtime
from foldsim.hardware.measurement.timing import Clock, Span, Work, difference, interleaved

SPEECH_ROWS, SPEECH_WIDTH = 16, 1024  # a chunk of a few hundred milliseconds at the width of a feedforward
KINDS = ("exp", "divide", "multiply_add", "compare")
ALONE = {"multiply_add": ("add", "multiply", "layer_norm"), "divide": ("divide",), "compare": ("relu",)}
EXPONENTIAL = ("softmax", "gelu", "sigmoid")
COUNT = 32  # tensors per repeat: more than the cache of a core, as after a layer that streams its weights
# Layers between the calls, so that the caches are in the same state as in a model: the weights of each layer fill the
# cache of the core, all weights fit in the last cache.
STREAM_WIDTH = 512
STREAM_LAYERS = 16
TINY_ROWS = 2


def element_seconds(runtime: Runtime, rounds: int, clock: Clock) -> dict[str, Span]:
    """Seconds per element of every operator, without the time of a call."""
    cases: dict[tuple[str, bool], Work] = {}
    operators = (*ELEMENTWISE, COPY)
    for operator in operators:
        cases[operator, True] = runtime.elementwise(operator, SPEECH_ROWS, SPEECH_WIDTH, COUNT)
        cases[operator, False] = runtime.elementwise(operator, TINY_ROWS, TINY, COUNT)
    repeats = interleaved(cases, rounds, clock)
    elements = COUNT * (SPEECH_ROWS * SPEECH_WIDTH - TINY_ROWS * TINY)
    return {
        operator: difference(repeats[operator, True], repeats[operator, False]).map(lambda s: max(s, 1e-12) / elements)
        for operator in operators
    }


def rates_by_kind(seconds: Mapping[str, Span]) -> dict[str, Span]:
    """Elements per second by kind of work. The range covers the operators of the kind.

    Multiply-adds, divisions and comparisons from operators with no other work; exponentials from softmax, GELU and
    sigmoid, minus the other work that foldsim counts in them.
    """
    seconds_by_kind: dict[str, list[float]] = {}
    for kind, operators in ALONE.items():
        at = KINDS.index(kind)
        seconds_by_kind[kind] = [seconds[name].value / ELEMENTWISE[name][at] for name in operators]
    typical = {kind: median(values) for kind, values in seconds_by_kind.items()}
    floor = min(typical.values())
    seconds_by_kind["exp"] = []
    for name in EXPONENTIAL:
        work = dict(zip(KINDS, ELEMENTWISE[name], strict=True))
        rest = sum(work[kind] * typical[kind] for kind in typical)
        seconds_by_kind["exp"].append(max(seconds[name].value - rest, floor))
    rates = {}
    for kind, values in seconds_by_kind.items():
        names = ALONE.get(kind, EXPONENTIAL)
        spread = [seconds[name].high / seconds[name].value for name in names]
        slow, fast = max(values) * max(spread), min(values)
        rates[kind] = Span(1.0 / median(values), 1.0 / slow, 1.0 / fast)
    return rates


@dataclass(frozen=True)
class CallTimes:
    """Overhead per op of foldsim [s]."""

    linear_s: dict[str, Span]  # by number format
    attention_s: Span
    vector_s: Span
    call_s: Span  # of one call of the runtime, including views and bookkeeping


def call_times(runtime: Runtime, rounds: int, clock: Clock) -> CallTimes:
    """Time of tiny ops after layers that stream their weights through the caches."""
    weights = random_weights(STREAM_WIDTH, STREAM_LAYERS)
    betweens: dict[str, Between] = {}
    blocks = [("none", "fp32"), ("vector", "fp32"), ("attention", "fp32")]
    blocks += [("linear", precision) for precision in runtime.precisions]
    for block, precision in blocks:
        key = f"{block} {precision}"
        betweens[key] = runtime.between(weights, TINY_ROWS, block, precision)
        if precision != "fp32":
            betweens[f"none {precision}"] = runtime.between(weights, TINY_ROWS, "none", precision)
    cases = {key: between.work for key, between in betweens.items()}
    repeats = interleaved(cases, rounds, clock)

    def block_s(block: str, precision: str = "fp32") -> Span:
        more, less = repeats[f"{block} {precision}"], repeats[f"none {precision}"]
        return difference(more, less).map(lambda s: s / STREAM_LAYERS)

    vectors, attention = block_s("vector"), block_s("attention")
    vector = vectors.map(lambda s: s / betweens["vector fp32"].ops_count)
    products = betweens["attention fp32"].ops_count - 1  # one of the ops of attention is its softmax
    calls = betweens["vector fp32"].calls_count + betweens["attention fp32"].calls_count
    return CallTimes(
        linear_s={p: block_s("linear", p).map(lambda s: s / 2) for p in runtime.precisions},
        attention_s=Span(
            max(0.0, attention.value - vector.value) / products,
            max(0.0, attention.low - vector.high) / products,
            max(0.0, attention.high - vector.low) / products,
        ),
        vector_s=vector,
        call_s=Span(*(sum(ends) / calls for ends in zip(astuple(vectors), astuple(attention), strict=True))),
    )
