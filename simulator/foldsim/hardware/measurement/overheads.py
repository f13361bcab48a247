"""Rates of element-wise work, and the cost of a call by kind of op, as the runtime does them."""

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
COUNT = 32  # tensors per repeat: more than the cache of a core holds, as after a layer whose weights passed through it
# Layers that run between the calls, so that these find the caches as they do in a model: the weights of each fill the
# cache of the core, all together stay in the last one, as the code of the runtime does from layer to layer.
STREAM_WIDTH = 512
STREAM_LAYERS = 16
TINY_ROWS = 2


def element_seconds(runtime: Runtime, rounds: int, clock: Clock) -> dict[str, Span]:
    """Seconds per element of every operator, the time of a call taken off."""
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
    """Elements per second by kind of work. The range reaches over the operators of the kind.

    Multiply-adds, divisions and comparisons from operators that do nothing else; exponentials from softmax, GELU and
    sigmoid, less the other work that foldsim counts in them.
    """
    cost: dict[str, list[float]] = {}
    for kind, operators in ALONE.items():
        at = KINDS.index(kind)
        cost[kind] = [seconds[name].value / ELEMENTWISE[name][at] for name in operators]
    typical = {kind: median(values) for kind, values in cost.items()}
    floor = min(typical.values())
    cost["exp"] = []
    for name in EXPONENTIAL:
        work = dict(zip(KINDS, ELEMENTWISE[name], strict=True))
        rest = sum(work[kind] * typical[kind] for kind in typical)
        cost["exp"].append(max(seconds[name].value - rest, floor))
    found = {}
    for kind, values in cost.items():
        names = ALONE.get(kind, EXPONENTIAL)
        spread = [seconds[name].high / seconds[name].value for name in names]
        slow, fast = max(values) * max(spread), min(values)
        found[kind] = Span(1.0 / median(values), 1.0 / slow, 1.0 / fast)
    return found


@dataclass(frozen=True)
class CallTimes:
    """Seconds per op of foldsim beside its work."""

    linear_s: dict[str, Span]  # by number format
    attention_s: Span
    vector_s: Span
    call_s: Span  # of one call of the runtime, views and bookkeeping included


def call_times(runtime: Runtime, rounds: int, clock: Clock) -> CallTimes:
    """What tiny ops take after layers that stream their weights through the caches."""
    weights = random_weights(STREAM_WIDTH, STREAM_LAYERS)
    made: dict[str, Between] = {}
    blocks = [("none", "fp32"), ("vector", "fp32"), ("attention", "fp32")]
    blocks += [("linear", precision) for precision in runtime.precisions]
    for block, precision in blocks:
        key = f"{block} {precision}"
        made[key] = runtime.between(weights, TINY_ROWS, block, precision)
        if precision != "fp32":
            made[f"none {precision}"] = runtime.between(weights, TINY_ROWS, "none", precision)
    cases = {key: between.work for key, between in made.items()}
    repeats = interleaved(cases, rounds, clock)

    def block_s(block: str, precision: str = "fp32") -> Span:
        more, less = repeats[f"{block} {precision}"], repeats[f"none {precision}"]
        return difference(more, less).map(lambda s: s / STREAM_LAYERS)

    vectors, attention = block_s("vector"), block_s("attention")
    vector = vectors.map(lambda s: s / made["vector fp32"].ops_count)
    products = made["attention fp32"].ops_count - 1  # one of the ops of attention is its softmax
    calls = made["vector fp32"].calls_count + made["attention fp32"].calls_count
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
