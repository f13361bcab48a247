"""The base of attention kinds, and the inputs that an encoder layer passes to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.schema.quantity import Record
from foldsim.workload.ops import Context, Op

Cache = Literal["projected", "layer_input"]
Memory = Literal["query", "mean"]  # a memory vector: the result of a summary query, or the mean of the chunk
Positions = Literal["none", "rotary", "relative", "relative_kept"]
PositionSpan = Literal["keys", "both_sides", "past_and_chunk"]


@dataclass(frozen=True)
class Block:
    """The attention of one encoder layer in one invocation; token counts may be arrays over design points.

    The layer has the norm before and the residual after; the attention kind has all ops between.
    """

    width: float  # D
    heads: float  # H
    tokens: Number  # rows of the layer: chunk, right context, and left context if recomputed
    chunk_tokens: Number  # of these, tokens that are not computed again with the next chunk
    cached_tokens: Number = 0.0  # keys of earlier chunks
    memory_tokens: Number = 0.0  # summary vectors of earlier chunks, projected again
    inner_width: float | None = None  # heads x head width; None: D
    query_bias: bool = True
    key_bias: bool = True
    value_bias: bool = True
    output_bias: bool = True
    cache: Cache = "projected"
    positions: Positions = "none"
    position_span: PositionSpan = "both_sides"
    memory: Memory = "query"

    @property
    def inner(self) -> float:
        """Total width of all heads."""
        return self.width if self.inner_width is None else self.inner_width

    @property
    def elements(self) -> Number:
        """Activation elements of all rows."""
        return self.tokens * self.width

    @property
    def position_rows(self) -> Number:
        """Rows of the table of relative positions."""
        keys = self.cached_tokens + self.tokens
        if self.position_span == "keys":
            return keys
        return (2.0 * keys - 1.0) if self.position_span == "both_sides" else keys + self.tokens - 1.0


class Attention(Record):
    """An attention kind. ``lower`` yields the ops between a layer's norm and its residual."""

    kind: str
    uses_positions: ClassVar[bool] = False  # relative and rotary positions of the layer
    uses_cache: ClassVar[bool] = True  # keys of earlier chunks, cached as specified by the layer
    foldable: ClassVar[bool] = False  # folding can be applied

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        """Ops of one invocation, output projection included."""
        raise NotImplementedError

    def problems(self, width: int, heads: int) -> Iterable[Problem]:
        """Problems with the width and heads of the layer; paths relative to the attention."""
        return ()
