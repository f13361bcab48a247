"""NumPy and the BLAS it was built with, fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from foldsim.hardware.measurement.runtime import COPY, TINY, TINY_CACHE, TINY_HEADS, Array, Between
from foldsim.hardware.measurement.timing import Work


def _softmax(x: Array, _: Array | None = None) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _gelu(x: Array, _: Array | None = None) -> Array:
    # The tanh form: NumPy has no erf.
    inner = np.float32(0.79788456) * (x + np.float32(0.044715) * x * x * x)
    return (np.float32(0.5) * x * (np.float32(1) + np.tanh(inner))).astype(np.float32, copy=False)


def _layer_norm(x: Array, _: Array | None = None) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(1e-5))


_OPERATORS: dict[str, Callable[[Array, Array], Array]] = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "relu": lambda x, _: np.maximum(x, np.float32(0)),
    "softmax": _softmax,
    "gelu": _gelu,
    "sigmoid": lambda x, _: np.float32(1) / (np.float32(1) + np.exp(-x)),
    "layer_norm": _layer_norm,
    COPY: lambda x, _: np.concatenate([x[len(x) // 2 :], x[: len(x) // 2]]),
}


# Functions and operators of NumPy in each block of `_block`, including slices and reshapes, counted by hand.
CALLS = {"none": 0, "linear": 4, "vector": 31, "attention": 35}


class NumpyRuntime:
    """Layers as arrays and functions."""

    name = "numpy"
    precisions: tuple[str, ...] = ("fp32",)

    def __init__(self, threads: int) -> None:
        self.versions = {"NumPy": np.__version__, **_blas()}

    def products(self, weights: Sequence[Array], precision: str) -> Callable[[int], Work]:
        bias = np.zeros(weights[0].shape[0], dtype=np.float32)

        def of(rows: int) -> Work:
            x = _array(rows, weights[0].shape[1])

            def work() -> None:
                for w in weights:
                    x @ w.T + bias

            return work

        return of

    def elementwise(self, operator: str, rows: int, width: int, count: int) -> Work:
        run = _OPERATORS[operator]
        operands = [(_array(rows, width, 2 * i), _array(rows, width, 2 * i + 1)) for i in range(count)]

        def work() -> None:
            for x, y in operands:
                run(x, y)

        return work

    def between(self, weights: Sequence[Array], rows: int, block: str, precision: str) -> Between:
        x = _array(rows, weights[0].shape[1])
        blocks = [_block(block, rows) for _ in weights]

        def work() -> None:
            for w, (run, _) in zip(weights, blocks, strict=True):
                x @ w.T
                run()

        return Between(work, blocks[0][1], CALLS[block])


def _blas() -> dict[str, str]:
    config = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {}) if isinstance(config, dict) else {}
    return {str(blas["name"]): str(blas.get("version", "unknown"))} if blas.get("name") else {}


def _array(rows: int, width: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def _block(block: str, rows: int) -> tuple[Work, int]:
    x = _array(rows, TINY)
    if block == "none":
        return (lambda: None), 0
    if block == "linear":
        first, second, bias = _array(TINY, TINY, 2), _array(TINY, TINY, 3), _array(1, TINY, 4)
        return (lambda: (x @ first.T + bias) @ second.T + bias), 2
    if block == "vector":
        return (lambda: _softmax(_gelu(_layer_norm(x)) + x)), 4
    cache_key, cache_value = _array(TINY_CACHE, TINY, 2), _array(TINY_CACHE, TINY, 3)
    length = TINY_CACHE + rows
    width = TINY // TINY_HEADS

    def attention() -> object:
        # As in streaming code: right context and chunk in one array, and the cache between them in the keys.
        key, value = (np.concatenate([x[:1], cache, x[1:]]) for cache in (cache_key, cache_value))
        q, k, v = (each.reshape(-1, TINY_HEADS, width).transpose(1, 0, 2) for each in (x, key, value))
        mask = np.arange(len(key)) >= length
        scores = np.where(mask, np.float32(-1.0e8), (q * np.float32(width**-0.5)) @ k.transpose(0, 2, 1))
        context = (_softmax(scores) @ v).transpose(1, 0, 2).reshape(-1, TINY)
        kept = [np.concatenate([cache, new])[-TINY_CACHE:] for cache, new in ((cache_key, key), (cache_value, value))]
        return context, kept

    return attention, 3
