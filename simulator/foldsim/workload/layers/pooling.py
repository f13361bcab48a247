"""Average or maximum over neighbouring rows and bands, without weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.layers.base import Layer, Rows, Width
from foldsim.workload.layers.basic import ROWS_HELP
from foldsim.workload.ops import Context, Op


class Pooling(Layer):
    """Pool the elements that one output covers, channel by channel."""

    kind: Literal["pooling"] = Field(description="Average or maximum of neighbouring rows and bands.")
    function: Literal["average", "max"] = Field(default="average", description="Average or maximum.")
    width: Width = Field(description="Channels.")
    covered: Width = Field(description="Rows (times bands) that one output covers.")
    rows: Rows = Field(default="chunk_tokens", description=ROWS_HELP + " Output rows.")

    def lower(self, context: Context) -> Iterator[Op]:
        pooled = context.rows(self.rows) * self.width
        read = pooled * self.covered
        if self.function == "average":
            yield Op(self.function, inputs=read, outputs=pooled, multiply_add=read + pooled, live=read + pooled)
        else:
            yield Op(self.function, inputs=read, outputs=pooled, compare=read, live=read + pooled)
