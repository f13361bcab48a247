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
    function: Literal["average", "max"] = Field(default="average", description="What is taken.")
    width: Width = Field(description="Channels.")
    covered: Width = Field(description="Rows (times bands) that one output covers.")
    rows: Rows = Field(default="chunk_tokens", description=ROWS_HELP + " These are the rows that come out.")

    def lower(self, context: Context) -> Iterator[Op]:
        made = context.rows(self.rows) * self.width
        seen = made * self.covered
        if self.function == "average":
            yield Op(self.function, inputs=seen, outputs=made, multiply_add=seen + made, live=seen + made)
        else:
            yield Op(self.function, inputs=seen, outputs=made, compare=seen, live=seen + made)
