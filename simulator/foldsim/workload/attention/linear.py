"""Linear attention: the keys and values of all earlier tokens are summed into a state of fixed size.

FAVOR+ (Performer): Choromanski et al., arXiv 2009.14794; in a Conformer: arXiv 2011.04196. Focused linear attention
(FLatten): Han et al., arXiv 2308.00442. If the layer has a left context, the sums continue from chunk to chunk over
all earlier tokens, whatever the number of left context tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from foldsim.model.records import Number
from foldsim.schema import Problem
from foldsim.workload.attention.base import Attention, Block
from foldsim.workload.attention.projections import key_value, output, query
from foldsim.workload.ops import Context, Matrix, Op

PROJECTION_BYTES = 4.0  # per element of the random projection, a fixed fp32 buffer
Size = Annotated[int, Field(ge=1, le=1_000_000)]
CAUSAL_HELP = "Tokens do not attend to later ones of the same chunk: adds a masked product within the chunk."


class FavorAttention(Attention):
    """FAVOR+: softmax approximated by positive random features."""

    uses_cache: ClassVar[bool] = False

    kind: Literal["favor"] = Field(description="FAVOR+ linear attention (Performer).")
    features: Size = Field(default=266, description="Random features m per head; 266 is dh ln dh of a 64-wide head.")
    causal_in_chunk: bool = Field(default=False, description=CAUSAL_HELP)

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        tokens, inner, heads, m = block.tokens, block.inner, block.heads, float(self.features)
        head = inner / heads
        carries = np.where(np.asarray(block.cached_tokens) > 0, 1.0, 0.0)
        x = tokens * inner
        mapped = tokens * heads * m  # features of all queries, or of all keys
        sums = carries * heads * m * (head + 1.0)  # of key features times values, and of key features
        maximum = carries * heads  # of the keys so far
        yield query(block)
        yield key_value(block)
        held = block.elements + 3.0 * x
        for name, earlier, kept in (("features_query", 0.0, 0.0), ("features_key", mapped, maximum)):
            yield Op(
                name,
                matrix=Matrix(tokens, head, m, heads, second="activations"),
                constant_bytes=m * head * PROJECTION_BYTES if name == "features_query" else 0.0,
                exp=mapped,
                compare=mapped,
                multiply_add=x + 2.0 * mapped,  # squared norms; subtract norm and maximum
                state=kept,
                state_read=kept,
                state_write=kept,
                live=held + mapped + earlier,
            )
        # A new key maximum rescales the sums of earlier tokens.
        yield Op(
            "key_value_sum",
            matrix=Matrix(m, tokens, head, heads, second="activations"),
            state=sums,
            state_read=sums,
            state_write=sums,
            exp=carries * heads,
            multiply_add=mapped + carries * heads * m * (head + 1.0),
            live=held + 2.0 * mapped + heads * m * head,
        )
        yield from _within_chunk(block, m, head, self.causal_in_chunk, held + 2.0 * mapped)
        yield Op(
            "context",
            matrix=Matrix(tokens, m, head, heads, second="activations"),
            live=held + mapped + heads * m * head,
        )
        yield Op(
            "normaliser",
            matrix=Matrix(tokens, m, 1.0, heads, second="activations"),
            divide=tokens * heads,
            multiply_add=x,
            live=held + mapped,
        )
        yield output(block)


class FocusedLinearAttention(Attention):
    """Focused linear attention with a depthwise convolution on the values."""

    uses_cache: ClassVar[bool] = False

    kind: Literal["focused_linear"] = Field(description="Focused linear attention (FLatten).")
    kernel: Size = Field(default=5, description="Taps of the depthwise convolution on the values.")
    focusing_factor: Size = Field(default=3, description="Power p of the focusing function.")
    dimensions: Literal[1, 2] = Field(default=1, description="1: over time. 2: k x k over a window, as published.")
    position_table_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0, description="Tokens of an absolute position table on the keys (windows only, not streaming)."
    )
    causal_in_chunk: bool = Field(default=False, description=CAUSAL_HELP)

    def problems(self, width: int, heads: int) -> Iterable[Problem]:
        if self.dimensions == 2 and self.causal_in_chunk:
            yield Problem(
                ("causal_in_chunk",), "a two-dimensional window has no order in time", allowed="dimensions: 1"
            )

    def lower(self, block: Block, context: Context) -> Iterator[Op]:
        tokens, d, heads = block.tokens, block.inner, block.heads
        head = d / heads
        taps = float(self.kernel**self.dimensions)
        carries = np.where(np.asarray(block.cached_tokens) > 0, 1.0, 0.0)
        x = tokens * d
        sums = carries * (d * head + d)
        tail = carries * (self.kernel - 1.0) * d * (self.dimensions == 1)
        yield query(block)
        yield key_value(block)
        held = block.elements + 3.0 * x
        # ReLU, scale, p-th power and two norms of every query and key, as in the official code.
        yield Op(
            "focusing",
            inputs=2.0 * x,
            outputs=2.0 * x,
            biases=d + self.position_table_tokens * d,
            compare=2.0 * x,
            divide=4.0 * x + 4.0 * tokens,
            multiply_add=(4.0 + 2.0 * (self.focusing_factor - 1.0) + 2.0) * x,
            live=held,
            tensor_class="attention",
        )
        yield Op(
            "normaliser",
            matrix=Matrix(tokens, head, 1.0, heads, second="activations"),
            divide=tokens * heads,
            multiply_add=2.0 * x,
            live=held,
        )
        yield Op(
            "key_value_sum",
            matrix=Matrix(head, tokens, head, heads, second="activations"),
            state=sums,
            state_read=sums,
            state_write=sums,
            live=held + d * head,
        )
        yield from _within_chunk(block, head, head, self.causal_in_chunk, held)
        yield Op("context", matrix=Matrix(tokens, head, head, heads, second="activations"), live=held + d * head)
        # One filter per channel of a head, shared by the heads.
        yield Op(
            "depthwise",
            matrix=Matrix(
                tokens * heads,
                taps,
                1.0,
                batch=head,
                first_unique_ratio=np.minimum(1.0, (x + tail) / (x * taps)),
                first_state_ratio=tail / (x + tail),
                channelwise=True,
            ),
            biases=head,
            multiply_add=2.0 * x,
            state=tail,
            state_write=tail,
            live=held + x,
            tensor_class="convolution",
        )
        yield output(block)


def _within_chunk(block: Block, features: float, head: float, causal: bool, live: Number) -> Iterator[Op]:
    """Ops of strict causality: masked scores of the tokens of a chunk, and their context."""
    if not causal:
        return
    tokens, heads = block.tokens, block.heads
    scores = heads * tokens * tokens
    yield Op("chunk_scores", matrix=Matrix(tokens, features, tokens, heads, second="activations"), live=live + scores)
    yield Op("chunk_context", matrix=Matrix(tokens, tokens, head, heads, second="activations"), live=live + scores)
