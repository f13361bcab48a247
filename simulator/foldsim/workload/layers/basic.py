"""Elementary layers: linear, norm, embedding, add, ReLU, softmax, and a bare matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.layers.base import Activation, Layer, Rows, Width
from foldsim.workload.ops import Context, Matrix, Op, activation_work, norm_work, softmax_work

ROWS_HELP = (
    "Rows per invocation: all_tokens (chunk + right context), chunk_tokens, output_frames, all_frames, chunk_frames,"
    " chunk_samples, utterance_tokens, window_tokens (with the left context, if it is computed again), or one."
    " Components that are not invoked per chunk always process one (or the beam)."
)


class Linear(Layer):
    """A linear layer ``y = x W + b`` with an optional activation."""

    kind: Literal["linear"] = Field(description="Linear layer.")
    inputs: Width = Field(description="Input width.")
    outputs: Width = Field(description="Output width.")
    bias: bool = Field(default=True, description="Has a bias.")
    activation: Activation = Field(default="none", description="Activation function on the output.")
    rows: Rows = Field(default="all_tokens", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.inputs), float(self.outputs)

    def lower(self, context: Context) -> Iterator[Op]:
        rows = context.rows(self.rows)
        work = activation_work(self.activation, rows * self.outputs)
        bias = float(self.outputs) if self.bias else 0.0
        if bias:
            work["multiply_add"] = work.get("multiply_add", 0.0) + rows * bias
        yield Op(
            "linear",
            matrix=Matrix(rows, float(self.inputs), float(self.outputs)),
            biases=bias,
            live=rows * (self.inputs + self.outputs),
            **work,
        )


class LayerNorm(Layer):
    """Layer normalisation with scale and shift."""

    kind: Literal["layer_norm"] = Field(description="Layer normalisation.")
    width: Width = Field(description="Width.")
    shift: bool = Field(default=True, description="Has a shift in addition to the scale.")
    rows: Rows = Field(default="all_tokens", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.width), float(self.width)

    def lower(self, context: Context) -> Iterator[Op]:
        rows = context.rows(self.rows)
        elements = rows * self.width
        yield Op(
            "norm",
            inputs=elements,
            outputs=elements,
            biases=(1.0 + self.shift) * self.width,
            live=2 * elements,
            tensor_class="norm",
            **norm_work(rows, self.width),
        )


class Embedding(Layer):
    """A look-up table of ``entries`` rows; one is read per input row."""

    kind: Literal["embedding"] = Field(description="Look-up table.")
    entries: Width = Field(description="Rows of the table (vocabulary).")
    width: Width = Field(description="Width of a row.")
    tied: bool = Field(
        default=False,
        description="The table is the matrix of another layer of the component (tied output projection): stored there.",
    )
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return None, float(self.width)

    def lower(self, context: Context) -> Iterator[Op]:
        read = context.rows(self.rows) * self.width
        yield Op(
            "lookup",
            outputs=read,
            table=0.0 if self.tied else float(self.entries * self.width),
            table_read=read,
            table_width=float(self.width),
            live=read,
            tensor_class="embedding",
        )


class Add(Layer):
    """Element-wise sum of two inputs."""

    kind: Literal["add"] = Field(description="Element-wise sum of two inputs.")
    width: Width = Field(description="Width.")
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def lower(self, context: Context) -> Iterator[Op]:
        elements = context.rows(self.rows) * self.width
        yield Op("add", inputs=2 * elements, outputs=elements, multiply_add=elements, live=3 * elements)


class Concatenate(Layer):
    """Concatenate inputs: no arithmetic, one read and one write."""

    kind: Literal["concatenate"] = Field(description="Inputs concatenated.")
    width: Width = Field(description="Total width of all inputs.")
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def lower(self, context: Context) -> Iterator[Op]:
        elements = context.rows(self.rows) * self.width
        yield Op("concatenate", inputs=elements, outputs=elements, live=2 * elements)


class ActivationLayer(Layer):
    """A separate activation function."""

    kind: Literal["activation"] = Field(description="Activation function.")
    function: Literal["relu", "gelu", "silu", "tanh", "sigmoid", "swoosh", "double_swish", "leaky_relu"] = Field(
        description="Which one."
    )
    width: Width = Field(description="Width.")
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.width), float(self.width)

    def lower(self, context: Context) -> Iterator[Op]:
        elements = context.rows(self.rows) * self.width
        work = activation_work(self.function, elements)
        yield Op(self.function, inputs=elements, outputs=elements, live=elements, **work)


class Softmax(Layer):
    """Softmax (or log-softmax) over a vector of scores."""

    kind: Literal["softmax"] = Field(description="Softmax or log-softmax.")
    width: Width = Field(description="Width.")
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.width), float(self.width)

    def lower(self, context: Context) -> Iterator[Op]:
        rows = context.rows(self.rows)
        elements = rows * self.width
        yield Op("softmax", inputs=elements, outputs=elements, live=2 * elements, **softmax_work(rows, self.width))


class MatrixProduct(Layer):
    """A bare matrix product of fixed shape, for single kernels and for comparison with other tools."""

    kind: Literal["matrix_product"] = Field(description="Bare matrix product (m x k)(k x n).")
    m: Width = Field(description="Rows.")
    k: Width = Field(description="Reduction length.")
    n: Width = Field(description="Columns.")
    batch: Width = Field(default=1, description="Independent products.")
    second: Literal["weights", "state", "activations"] = Field(
        default="weights", description="Kind of the second operand: weights, state of earlier chunks, or activations."
    )
    input_outside: bool = Field(default=False, description="The first operand arrives from outside the recogniser.")
    output_outside: bool = Field(default=False, description="The result leaves the recogniser.")

    def lower(self, context: Context) -> Iterator[Op]:
        m, k, n, batch = float(self.m), float(self.k), float(self.n), float(self.batch)
        is_state = self.second == "state"
        inside = (0.0 if self.input_outside else batch * m * k) + (0.0 if self.output_outside else batch * m * n)
        yield Op(
            "product",
            matrix=Matrix(
                m,
                k,
                n,
                batch,
                second="weights" if self.second == "weights" else "activations",
                state_ratio=1.0 if is_state else 0.0,
            ),
            state=batch * k * n if is_state else 0.0,
            live=inside + (batch * k * n if self.second == "activations" else 0.0),
            from_outside=self.input_outside,
            to_outside=self.output_outside,
        )
