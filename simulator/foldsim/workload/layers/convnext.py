"""A ConvNeXt block over time and bands, with a cache of rows: the end of Zipformer's convolutional front end.

Liu et al., arXiv 2201.03545, as icefall's ``subsampling.ConvNeXt`` streams it: a depthwise convolution over rows and
bands, two pointwise ones with an activation between, and a residual. Half of the kernel covers rows before, kept
from the previous chunk; the other half covers rows after, read again with the next chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from foldsim.schema import Problem
from foldsim.workload.layers.base import Activation, Layer, Width
from foldsim.workload.ops import Context, Matrix, Op, activation_work


class ConvNext(Layer):
    """Depthwise convolution, two pointwise ones, residual; one row per token."""

    kind: Literal["convnext"] = Field(description="ConvNeXt block over tokens and bands.")
    channels: Width = Field(description="Channels.")
    bands: Width = Field(description="Bands.")
    hidden: Width = Field(description="Channels between the two pointwise convolutions.")
    kernel: Annotated[int, Field(ge=1, le=1000)] = Field(description="Tokens and bands of the depthwise kernel.")
    activation: Activation = Field(default="gelu", description="Activation between the pointwise convolutions.")

    def problems(self) -> Iterable[Problem]:
        if self.kernel % 2 == 0:
            yield Problem(
                ("kernel",),
                f"a kernel of {self.kernel} has no centre",
                allowed="an odd number",
                suggestion=str(self.kernel + 1),
            )

    def lower(self, context: Context) -> Iterator[Op]:
        channels, bands, hidden, k = (float(v) for v in (self.channels, self.bands, self.hidden, self.kernel))
        rows, half = context.all_tokens, (k - 1.0) / 2.0
        seen = rows + 2.0 * half  # kept rows, the chunk's, and those read again with the next chunk
        row, cells = channels * bands, rows * bands
        x, inner, kept = rows * row, cells * hidden, half * row
        yield Op(
            "depthwise",
            matrix=Matrix(
                cells,
                k * k,
                1.0,
                batch=channels,
                first_state_ratio=half / seen,
                first_unique_ratio=np.minimum(1.0, seen / (rows * k * k)),
                channelwise=True,
            ),
            biases=channels,
            multiply_add=x,
            state=kept,
            state_write=kept,
            live=seen * row + x,
            tensor_class="convolution",
        )
        yield Op(
            "pointwise_1",
            matrix=Matrix(cells, channels, hidden),
            biases=hidden,
            multiply_add=inner,
            live=2.0 * x + inner,
            tensor_class="convolution",
        )
        yield Op("activation", inputs=inner, outputs=inner, live=x + inner, **activation_work(self.activation, inner))
        yield Op(
            "pointwise_2",
            matrix=Matrix(cells, hidden, channels),
            biases=channels,
            multiply_add=x,
            live=2.0 * x + inner,
            tensor_class="convolution",
        )
        yield Op("residual", inputs=2.0 * x, outputs=x, multiply_add=x, live=3.0 * x)
