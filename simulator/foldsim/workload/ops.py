"""What a layer lowers to: ops with closed-form counts, each number a float or an array over design points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

import numpy as np

from foldsim.model.records import Number

BITS = {"int4": 4, "int8": 8, "int16": 16, "fp16": 16, "bf16": 16, "fp32": 32}
PARTIAL_SUM_BYTES = 4.0  # int32 or fp32 accumulators, as all matrix units in the profiles use


@dataclass(frozen=True)
class Matrix:
    """``batch`` products ``(m x k)(k x n)``, done ``steps`` times one after the other."""

    m: Number
    k: Number
    n: Number
    batch: Number = 1.0
    steps: Number = 1.0
    second: Literal["weights", "activations"] = "weights"
    state_ratio: Number = 0.0  # share of a second operand of activations that is state from earlier chunks

    @property
    def weights(self) -> Number:
        """Weight elements of the product, zero if the second operand is not a weight."""
        return self.batch * self.k * self.n if self.second == "weights" else 0.0


@dataclass(frozen=True)
class Op:
    """One op of one layer, counts for one invocation, in elements: precision is applied when ops are stacked."""

    name: str
    matrix: Matrix | None = None
    inputs: Number = 0.0  # activation elements read by vector work
    outputs: Number = 0.0  # activation elements written by vector work
    biases: Number = 0.0  # weights besides a matrix operand (bias, norm), stored and read
    table: Number = 0.0  # weights of a look-up table, stored
    table_read: Number = 0.0  # and read
    constant_bytes: Number = 0.0  # fixed tables (window, filters), stored and read; not parameters
    state: Number = 0.0  # state elements kept between invocations
    state_read: Number = 0.0  # state elements read besides a matrix operand
    state_write: Number = 0.0
    fixed_input_bytes: Number = 0.0  # input whose width is not the workload's to choose (audio samples)
    fixed_state_bytes: Number = 0.0  # state of such width, read and written whole in every invocation
    exp: Number = 0.0
    divide: Number = 0.0
    multiply_add: Number = 0.0
    compare: Number = 0.0
    live: Number = 0.0  # activation elements alive while the op runs
    from_outside: bool = False
    to_outside: bool = False
    layer: str = ""
    repeat: Number = 1.0

    @property
    def params(self) -> Number:
        """Trained parameters."""
        return (self.matrix.weights if self.matrix else 0.0) + self.biases + self.table

    @property
    def macs(self) -> Number:
        """Multiply-accumulates of the matrix product in one invocation."""
        if self.matrix is None:
            return 0.0
        x = self.matrix
        return x.steps * x.batch * x.m * x.k * x.n

    def within(self, layer: str, repeat: Number) -> Op:
        """The same op as part of a layer that stands for ``repeat`` identical ones."""
        return replace(self, layer=layer, repeat=repeat)


@dataclass(frozen=True)
class Context:
    """What a layer must know to lower itself; arrays over design points (P,) or numbers."""

    chunk_tokens: Number
    left_context_tokens: Number
    right_context_tokens: Number
    memory_bank_tokens: Number
    subsampling_frames: Number  # feature frames per token
    rows_per_call: Number = 1.0  # rows of components that are not invoked per chunk: beam hypotheses in one call
    per_chunk: bool = True
    fold_factor: Number = field(default=1.0)
    fold_feedforward: bool = False
    fold_keeps_head_dim: bool = True

    @property
    def all_tokens(self) -> Number:
        """Tokens computed per chunk: chunk + right context."""
        return self.chunk_tokens + self.right_context_tokens

    def rows(self, which: str) -> Number:
        """Rows that a layer works on in one invocation."""
        if not self.per_chunk or which == "one":
            return self.rows_per_call
        return {
            "all_tokens": self.all_tokens,
            "chunk_tokens": self.chunk_tokens,
            "all_frames": self.all_tokens * self.subsampling_frames,
            "chunk_frames": self.chunk_tokens * self.subsampling_frames,
        }[which]


# Element-wise costs, counted from the textbook definitions of the functions.
NORM_MULTIPLY_ADDS = 4.0  # mean, variance, normalise, scale and shift: one multiply-add per element each
SOFTMAX_MULTIPLY_ADDS = 3.0  # subtract the maximum, sum, multiply by the reciprocal


class VectorWork(TypedDict, total=False):
    """Elements of vector work by kind, as :class:`Op` takes them."""

    exp: Number
    divide: Number
    multiply_add: Number
    compare: Number


def norm_work(rows: Number, width: Number) -> VectorWork:
    """Vector work of a layer norm over ``rows`` rows of ``width``."""
    return {"multiply_add": NORM_MULTIPLY_ADDS * rows * width, "divide": 1.0 * np.asarray(rows)}


def softmax_work(rows: Number, width: Number) -> VectorWork:
    """Vector work of a softmax over ``rows`` rows of ``width``: one exponential and one comparison per element."""
    elements = rows * width
    return {
        "exp": elements,
        "compare": elements,
        "multiply_add": SOFTMAX_MULTIPLY_ADDS * elements,
        "divide": 1.0 * rows,
    }


def activation_work(kind: str, elements: Number) -> VectorWork:
    """Vector work of an activation function. Smooth ones cost one exponential and a few multiply-adds per element."""
    if kind == "none":
        return {}
    if kind == "relu":
        return {"compare": elements}
    multiply_adds = {"gelu": 4.0, "silu": 2.0, "tanh": 1.0, "sigmoid": 1.0}[kind]
    return {"exp": elements, "multiply_add": multiply_adds * elements}
