"""The interface of a measured runtime: the library whose kernels run the layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from foldsim.hardware.measurement.timing import Work

RuntimeName = Literal["numpy", "torch", "onnxruntime"]
RUNTIMES: tuple[RuntimeName, ...] = ("numpy", "torch", "onnxruntime")
Array = NDArray[np.float32]

# Element-wise operators that are timed, and the work in each by foldsim's own counts (docs/model.md, section 2):
# exponentials, divisions, multiply-adds and comparisons per element.
ELEMENTWISE: dict[str, tuple[int, int, int, int]] = {
    "add": (0, 0, 1, 0),
    "multiply": (0, 0, 1, 0),
    "layer_norm": (0, 0, 4, 0),
    "divide": (0, 1, 0, 0),
    "relu": (0, 0, 0, 1),
    "softmax": (1, 0, 3, 1),
    "gelu": (1, 0, 4, 0),
    "sigmoid": (1, 0, 1, 0),
}


COPY = "copy"
"""Rearranging: every element is written once."""


@dataclass(frozen=True)
class Between:
    """Work with a block of tiny ops between layers, and the number of ops and calls of a block."""

    work: Work
    ops_count: int  # of foldsim
    calls_count: int  # of the runtime: operators of eager code, views included; nodes of a graph as it is run


class Runtime(Protocol):
    """What the measurement requires of a library. Every method returns work that can be repeated."""

    name: str
    versions: dict[str, str]  # versions of the libraries that determine the speed
    precisions: tuple[str, ...]  # fp32 first

    def products(self, weights: Sequence[Array], precision: str) -> Callable[[int], Work]:
        """Layers with square weights (w, w), one after another: a function of their rows. Arrays may repeat."""
        ...

    def elementwise(self, operator: str, rows: int, width: int, count: int) -> Work:
        """One operator on ``count`` tensors (rows, width), or ``count`` times in a chain.

        Operators are those of ELEMENTWISE, and COPY, which exchanges the halves of the rows.
        """
        ...

    def between(self, weights: Sequence[Array], rows: int, block: str, precision: str) -> Between:
        """Layers as in ``products`` with a block of tiny ops after each.

        Blocks: ``none``; ``vector`` (layer norm, GELU, addition, softmax); ``attention`` (from queries, keys and values
        to the context over right context, cache and chunk, with a mask by length, and the new cache); ``linear``
        (layers of width TINY).
        """
        ...


TINY = 16  # width of the layers that measure call overhead: their work is negligible
TINY_HEADS = 2
TINY_CACHE = 4  # cached keys
