"""Stateless transducer predictor: an embedding of the last symbols and a convolution over them.

Ghodsi et al., ICASSP 2020 (stateless prediction network); icefall's ``Decoder`` adds the grouped convolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.layers.base import Activation, Layer, Width
from foldsim.workload.ops import Context, Matrix, Op, activation_work


class StatelessPredictor(Layer):
    """Look up the last ``context_symbols`` symbols and convolve over them."""

    kind: Literal["stateless_predictor"] = Field(description="Embedding of the last symbols, and a convolution.")
    entries: Width = Field(description="Rows of the embedding (vocabulary).")
    width: Width = Field(description="Width of the embedding.")
    context_symbols: Annotated[int, Field(ge=1, le=100)] = Field(description="Context in symbols; also the kernel.")
    groups: Width = Field(default=1, description="Groups of the convolution.")
    bias: bool = Field(default=False, description="The convolution has a bias.")
    activation: Activation = Field(default="relu", description="Activation after the convolution.")

    def problems(self) -> Iterable[Problem]:
        if self.width % self.groups:
            yield Problem(
                ("groups",),
                f"{self.groups} groups do not divide the width {self.width}",
                allowed="a divisor of the width",
            )

    def lower(self, context: Context) -> Iterator[Op]:
        rows, d, k = context.rows("one"), float(self.width), float(self.context_symbols)
        read = rows * k * d
        yield Op(
            "lookup",
            outputs=read,
            table=self.entries * d,
            table_read=read,
            live=read,
            tensor_class="embedding",
            table_width=d,
        )
        if k > 1:
            group = d / self.groups
            yield Op(
                "convolution",
                matrix=Matrix(rows, k * group, group, batch=float(self.groups), channelwise=group == 1),
                biases=d * self.bias,
                multiply_add=rows * d * self.bias,
                live=read + rows * d,
                tensor_class="convolution",
            )
        x = rows * d
        if self.activation != "none":
            yield Op("activation", inputs=x, outputs=x, live=x, **activation_work(self.activation, x))
