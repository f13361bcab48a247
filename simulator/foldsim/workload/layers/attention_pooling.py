"""Self-attention pooling: one weighted mean over the tokens, for an embedding of the whole utterance.

Safari et al., arXiv 2008.01077 (SAEP). Online it needs a running weighted sum, the sum of weights and their maximum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.layers.base import Layer, Rows, Width
from foldsim.workload.layers.basic import ROWS_HELP
from foldsim.workload.ops import Context, Matrix, Op, softmax_work


class AttentionPooling(Layer):
    """Weighted mean of tokens, each scored with one learned vector."""

    kind: Literal["attention_pooling"] = Field(description="Self-attention pooling.")
    width: Width = Field(description="Token width.")
    rows: Rows = Field(default="chunk_tokens", description=ROWS_HELP)

    def lower(self, context: Context) -> Iterator[Op]:
        rows, d = context.rows(self.rows), float(self.width)
        running = d + 2.0
        yield Op("scores", matrix=Matrix(rows, d, 1.0), biases=1.0, multiply_add=rows, live=rows * (d + 1.0))
        yield Op("softmax", inputs=rows, outputs=rows, live=rows * (d + 2.0), **softmax_work(1.0, rows))
        yield Op(
            "pool",
            matrix=Matrix(1.0, rows, d, second="activations"),
            state=running,
            state_read=running,
            state_write=running,
            multiply_add=running,
            live=rows * (d + 1.0) + d,
        )
