"""PyTorch in eager mode, fp32 and dynamic int8."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch  # noqa: TID253 - imported only if PyTorch is measured
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID253

from foldsim.hardware.measurement.runtime import COPY, TINY, TINY_CACHE, TINY_HEADS, Array, Between
from foldsim.hardware.measurement.timing import Work

_F = torch.nn.functional
_OPERATORS: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y,
    "relu": lambda x, _: _F.relu(x),
    "softmax": lambda x, _: _F.softmax(x, dim=-1),
    "gelu": lambda x, _: _F.gelu(x),
    "sigmoid": lambda x, _: torch.sigmoid(x),
    "layer_norm": lambda x, _: _F.layer_norm(x, x.shape[-1:]),
    COPY: lambda x, _: torch.cat([x[len(x) // 2 :], x[: len(x) // 2]]),
}


class TorchRuntime:
    """Modules as in a model, in inference mode."""

    name = "torch"
    precisions: tuple[str, ...] = ("fp32", "int8")

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self.versions = {"PyTorch": torch.__version__}
        if torch.backends.mkl.is_available():
            self.versions["MKL"] = "as built in"
        if torch.backends.quantized.engine == "none":
            self.precisions = ("fp32",)

    def products(self, weights: Sequence[Array], precision: str) -> Callable[[int], Work]:
        layer_of = {id(w): _layer(w, precision) for w in weights}
        layers = [layer_of[id(w)] for w in weights]

        def of(rows: int) -> Work:
            x = _tensor(rows, weights[0].shape[1])

            def work() -> None:
                with torch.inference_mode():
                    for layer in layers:
                        layer(x)

            return work

        return of

    def elementwise(self, operator: str, rows: int, width: int, count: int) -> Work:
        run = _OPERATORS[operator]
        operands = [(_tensor(rows, width, 2 * i), _tensor(rows, width, 2 * i + 1)) for i in range(count)]

        def work() -> None:
            with torch.inference_mode():
                for x, y in operands:
                    run(x, y)

        return work

    def between(self, weights: Sequence[Array], rows: int, block: str, precision: str) -> Between:
        layers = [_layer(w, precision) for w in weights]
        x = _tensor(rows, weights[0].shape[1])
        blocks = [_block(block, rows, precision) for _ in weights]

        def work() -> None:
            with torch.inference_mode():
                for layer, (run, _) in zip(layers, blocks, strict=True):
                    layer(x)
                    run()

        return Between(work, blocks[0][1], calls_of(blocks[0][0]))


class _Calls(TorchDispatchMode):  # type: ignore[misc, unused-ignore]
    """Counts the operators that reach the dispatcher, views included."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def calls_of(work: Work) -> int:
    """Number of operators that a piece of work calls, including views."""
    with _Calls() as calls, torch.no_grad():
        work()
    return calls.count


def _tensor(rows: int, width: int, seed: int = 0) -> Any:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def _layer(weights: Array, precision: str) -> Any:
    layer = torch.nn.Linear(weights.shape[1], weights.shape[0])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    layer = layer.eval()
    if precision == "int8":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the measured quantisation is deprecated
            return torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(layer), {torch.nn.Linear})[0]
    return layer


def _block(block: str, rows: int, precision: str) -> tuple[Work, int]:
    """Tiny ops, and the number of ops that foldsim counts for them."""
    x = _tensor(rows, TINY).unsqueeze(1)  # (time, batch, width), the layout of models
    if block == "none":
        return (lambda: None), 0
    if block == "linear":
        first, second = (_layer(_tensor(TINY, TINY, seed).numpy(), precision) for seed in (2, 3))
        return (lambda: second(first(x))), 2
    if block == "vector":
        norm, gelu = torch.nn.LayerNorm(TINY), torch.nn.GELU()
        return (lambda: _F.softmax(gelu(norm(x)) + x, dim=-1)), 4
    cache_key, cache_value = (_tensor(TINY_CACHE, TINY, seed).unsqueeze(1) for seed in (2, 3))
    length = torch.tensor([TINY_CACHE + rows])
    width = TINY // TINY_HEADS

    def attention() -> Any:
        # As in streaming code: right context and chunk in one tensor, and the cache between them in the keys.
        key, value = (torch.cat([x[:1], cache, x[1:]]) for cache in (cache_key, cache_value))
        q, k, v = (each.contiguous().view(-1, TINY_HEADS, width).transpose(0, 1) for each in (x, key, value))
        scores = torch.bmm(q * width**-0.5, k.transpose(1, 2))
        mask = torch.arange(len(key)).expand(1, -1) >= length.unsqueeze(1)
        scores = scores.masked_fill(mask.unsqueeze(1), -1.0e8)
        context = torch.bmm(_F.softmax(scores, dim=-1), v).transpose(0, 1).contiguous().view(-1, 1, TINY)
        kept = [torch.cat([cache, new])[-TINY_CACHE:] for cache, new in ((cache_key, key), (cache_value, value))]
        return context, kept

    return attention, 3
