"""Ops of layers, with closed-form counts: each a float or an array over design points."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

import numpy as np

from foldsim.model.records import Number

BITS = {"int4": 4, "int8": 8, "int16": 16, "fp16": 16, "bf16": 16, "fp32": 32}
# Counts of an op that scale with the number of streams.
_OF_EACH_STREAM = (
    "inputs",
    "outputs",
    "table_read",
    "state",
    "state_read",
    "state_write",
    "fixed_input_bytes",
    "fixed_state_bytes",
    "exp",
    "divide",
    "multiply_add",
    "compare",
    "live",
    "moved",
)
TensorClass = Literal["attention", "feedforward", "convolution", "recurrent", "embedding", "linear", "norm"]
PARTIAL_SUM_BYTES = 4.0  # int32 or fp32 accumulators, as all matrix units in the profiles use


@dataclass(frozen=True)
class Packed:
    """A compressed tensor: bytes, and decoding per weight (of the dense tensor) fetched."""

    stored_bytes: Number
    overhead_bytes: Number  # of these, all except the codes: scales, zero points, indices, codebook, padding
    codeword_bytes: Number = 0.0  # read from the innermost level per weight fetched
    multiply_adds: Number = 0.0  # vector work per weight fetched
    compares: Number = 0.0
    result_multiply_adds: float = 0.0  # vector work per result
    mac_energy_ratio: Number = 1.0  # energy of the product's MACs over that of as many full ones
    mac_time_ratio: Number = 1.0  # length of a column that the array sees over its true length


@dataclass(frozen=True)
class Matrix:
    """``batch`` products ``(m x k)(k x n)``, executed ``steps`` times in sequence."""

    m: Number
    k: Number
    n: Number
    batch: Number = 1.0
    steps: Number = 1.0
    second: Literal["weights", "activations"] = "weights"
    state_ratio: Number = 0.0  # share of a second operand of activations that is state from earlier chunks
    first_state_ratio: Number = 0.0  # share of the first operand that is state from earlier chunks
    first_unique_ratio: Number = 1.0  # distinct elements of the first operand over m x k: below 1 in convolutions
    channelwise: bool = False  # batch counts channels, which SIMD units map to their lanes
    taps: Number = 1.0  # positions of a convolution's kernel in the reduction: k is taps x channels
    shares: Number = 0.0  # equal parts assigned to cores; 0: column tiles of all products

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
    biases: Number = 0.0  # weights other than a matrix operand (bias, norm), stored and read
    table: Number = 0.0  # weights of a look-up table, stored
    table_read: Number = 0.0  # and read
    table_width: Number = 0.0  # of these, elements of one row; 0: the table is one row
    constant_bytes: Number = 0.0  # fixed tables (window, filters), stored and read; not parameters
    state: Number = 0.0  # state elements kept between invocations
    state_read: Number = 0.0  # state elements read other than as a matrix operand
    state_write: Number = 0.0
    fixed_input_bytes: Number = 0.0  # input of a fixed format (audio samples)
    fixed_state_bytes: Number = 0.0  # state of a fixed format, read and written whole in every invocation
    exp: Number = 0.0
    divide: Number = 0.0
    multiply_add: Number = 0.0
    compare: Number = 0.0
    live: Number = 0.0  # activation elements alive while the op runs
    calls: Number | None = None  # calls of the runtime, if the layer counts them
    moved: Number = 0.0  # elements that eager code copies to rearrange them: concatenated, split, transposed
    from_outside: bool = False
    to_outside: bool = False
    tensor_class: TensorClass = "linear"  # class of the op's weights, for compression by class
    state_of: str = ""  # component whose state the op reads and writes; empty: its own
    packed: Packed | None = None  # how the weights of the product are stored, if compressed
    packed_table: Packed | None = None  # and the table
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

    def matrix_bytes(self, weight_bytes: float) -> Number:
        """Stored bytes of the product's weights; ``weight_bytes`` is the size of an uncompressed weight."""
        if self.packed is not None:
            return self.packed.stored_bytes
        return self.matrix.weights * weight_bytes if self.matrix else 0.0

    def bytes_per_weight(self, weight_bytes: float) -> Number:
        """Stored bytes per weight of the product."""
        if self.packed is None or self.matrix is None:
            return weight_bytes
        weights = np.asarray(self.matrix.weights, dtype=np.float64)
        return np.where(weights > 0, self.packed.stored_bytes / np.maximum(weights, 1.0), weight_bytes)

    def table_bytes(self, weight_bytes: float) -> Number:
        """Stored bytes of the look-up table."""
        return self.table * weight_bytes if self.packed_table is None else self.packed_table.stored_bytes

    def bytes_per_table_weight(self, weight_bytes: float) -> Number:
        """Bytes read per weight of the look-up table."""
        packed = self.packed_table
        if packed is None:
            return weight_bytes
        return packed.stored_bytes / np.maximum(self.table, 1.0) + packed.codeword_bytes

    def for_streams(self, count: float) -> Op:
        """The same op for several streams in one invocation: weights are read once, all other counts multiply.

        Products with weights have ``count`` times the rows, products of activations ``count`` times the batch.
        """
        if count == 1:
            return self
        matrix = self.matrix
        if matrix is not None and matrix.second == "weights":
            matrix = replace(matrix, m=matrix.m * count)
        elif matrix is not None:
            matrix = replace(matrix, batch=matrix.batch * count, shares=matrix.shares * count)
        return self.changed(matrix=matrix, **{name: getattr(self, name) * count for name in _OF_EACH_STREAM})

    def changed(self, **values: Any) -> Op:
        """The same op with other values of some fields. As ``dataclasses.replace``, without running ``__init__``."""
        op = object.__new__(Op)
        op.__dict__.update(self.__dict__, **values)
        return op


@dataclass(frozen=True)
class Context:
    """Inputs of a layer's lowering; arrays over design points (P,) or numbers."""

    chunk_tokens: Number
    left_context_tokens: Number
    right_context_tokens: Number
    memory_bank_tokens: Number
    subsampling_frames: Number  # feature frames per token
    token_samples: Number = 640.0  # audio samples per token
    output_stride_tokens: Number = 1.0  # tokens per output frame
    utterance_tokens: Number = 0.0  # tokens of a whole utterance, for what runs once per utterance
    edge_tokens: Number = (
        0.0  # audio that the front end processes in addition to the chunk tokens, without a token as result
    )
    symbols_per_chunk: Number = 0.0  # emitted, the end of text included
    rows_per_call: Number = 1.0  # rows of components that are not invoked per chunk: beam hypotheses in one call
    per_chunk: bool = True
    fold_factor: Number = field(default=1.0)
    fold_feedforward: bool = False
    fold_keeps_head_dim: bool = True

    @property
    def all_tokens(self) -> Number:
        """Tokens computed per chunk: chunk + right context."""
        return self.chunk_tokens + self.right_context_tokens

    def at_rate(self, downsampling: float) -> Context:
        """The same chunk at the rate of a layer that runs once per ``downsampling`` tokens."""
        if downsampling == 1:
            return self
        return replace(
            self,
            chunk_tokens=np.ceil(self.chunk_tokens / downsampling),
            left_context_tokens=np.ceil(self.left_context_tokens / downsampling),
            right_context_tokens=np.ceil(self.right_context_tokens / downsampling),
            subsampling_frames=self.subsampling_frames * downsampling,
            token_samples=self.token_samples * downsampling,
            output_stride_tokens=self.output_stride_tokens / downsampling,
            utterance_tokens=np.ceil(self.utterance_tokens / downsampling),
            edge_tokens=self.edge_tokens / downsampling,
        )

    def rows(self, which: str) -> Number:
        """Rows that a layer processes in one invocation."""
        if which == "utterance_tokens":
            return self.utterance_tokens * self.rows_per_call
        if not self.per_chunk or which == "one":
            return self.rows_per_call
        return {
            "all_tokens": self.all_tokens,
            "window_tokens": self.left_context_tokens + self.all_tokens,
            "chunk_tokens": self.chunk_tokens,
            "output_frames": self.chunk_tokens / self.output_stride_tokens,
            "all_frames": (self.all_tokens + self.edge_tokens) * self.subsampling_frames,
            "chunk_frames": (self.chunk_tokens + self.edge_tokens) * self.subsampling_frames,
            "chunk_samples": (self.chunk_tokens + self.edge_tokens) * self.token_samples,
        }[which]


# Element-wise costs, counted from the textbook definitions of the functions.
RMS_NORM_MULTIPLY_ADDS = 2.0  # mean square, normalise
NORM_MULTIPLY_ADDS = 4.0  # mean, variance, normalise, scale and shift: one multiply-add per element each
SOFTMAX_MULTIPLY_ADDS = 3.0  # subtract the maximum, sum, multiply by the reciprocal


class VectorWork(TypedDict, total=False):
    """Elements of vector work by kind, as :class:`Op` takes them."""

    exp: Number
    divide: Number
    multiply_add: Number
    compare: Number


def together(*parts: VectorWork, times: float = 1.0) -> VectorWork:
    """Sum of vector work, multiplied by ``times``."""
    return {
        "exp": times * sum((p.get("exp", 0.0) for p in parts), np.float64(0.0)),
        "divide": times * sum((p.get("divide", 0.0) for p in parts), np.float64(0.0)),
        "multiply_add": times * sum((p.get("multiply_add", 0.0) for p in parts), np.float64(0.0)),
        "compare": times * sum((p.get("compare", 0.0) for p in parts), np.float64(0.0)),
    }


def norm_work(rows: Number, width: Number) -> VectorWork:
    """Vector work of a layer norm over ``rows`` rows of ``width``."""
    return {"multiply_add": NORM_MULTIPLY_ADDS * rows * width, "divide": 1.0 * np.asarray(rows)}


def rms_norm_work(rows: Number, width: Number) -> VectorWork:
    """Vector work of a norm that divides by the root mean square, without mean, scale or shift."""
    return {"multiply_add": RMS_NORM_MULTIPLY_ADDS * rows * width, "divide": 1.0 * np.asarray(rows)}


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
    if kind == "leaky_relu":
        return {"compare": elements, "multiply_add": elements}
    multiply_adds = {"gelu": 4.0, "silu": 2.0, "tanh": 1.0, "sigmoid": 1.0, "swoosh": 3.0, "double_swish": 3.0}[kind]
    return {"exp": elements, "multiply_add": multiply_adds * elements}
