"""Unidirectional LSTM: input part as one product over all frames, recurrent part frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.layers.base import Layer, Rows, Width
from foldsim.workload.layers.basic import ROWS_HELP
from foldsim.workload.ops import NORM_MULTIPLY_ADDS, Context, Matrix, Op

GATES = 4.0  # input, forget, cell, output


class Lstm(Layer):
    """One LSTM layer, optionally with layer norm on gates and cell (torchaudio's ``_CustomLSTM``)."""

    kind: Literal["lstm"] = Field(description="LSTM layer.")
    inputs: Width = Field(description="Input width.")
    width: Width = Field(description="Hidden width.")
    layer_norm: bool = Field(default=False, description="Layer norm on gates and on the cell, without biases.")
    rows: Rows = Field(default="one", description=ROWS_HELP)

    def widths(self) -> tuple[float | None, float | None]:
        return float(self.inputs), float(self.width)

    def lower(self, context: Context) -> Iterator[Op]:
        width, inputs = float(self.width), float(self.inputs)
        gates = GATES * width
        # Frames of a chunk run in sequence; hypotheses of a beam are rows of one product.
        serial = context.per_chunk and self.rows != "one"
        steps = context.rows(self.rows) if serial else 1.0
        rows = 1.0 if serial else context.rows(self.rows)
        total = steps * rows
        biases = 0.0 if self.layer_norm else gates
        yield Op(
            "input_gates",
            matrix=Matrix(total, inputs, gates),
            biases=biases,
            multiply_add=total * biases,
            live=total * (inputs + gates),
            tensor_class="recurrent",
        )
        yield Op(
            "recurrent_gates",
            matrix=Matrix(rows, width, gates, steps=steps),
            biases=biases,
            multiply_add=total * (gates + biases),
            live=total * gates + rows * (width + gates),
            tensor_class="recurrent",
        )
        normed = gates + width if self.layer_norm else 0.0
        yield Op(
            "cell",
            inputs=total * gates,
            outputs=total * width,
            biases=2.0 * normed,
            exp=total * (gates + width),
            multiply_add=total * (4.0 * width + NORM_MULTIPLY_ADDS * normed),
            divide=total * (2.0 if self.layer_norm else 0.0),
            state=2.0 * width,
            state_read=2.0 * rows * width,
            state_write=2.0 * rows * width,
            live=total * (gates + width) + 2.0 * rows * width,
            tensor_class="norm",
        )
