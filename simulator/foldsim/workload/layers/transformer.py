"""The plain transformer encoder layer, streamed in chunks with a cached (or recomputed) left context.

Vaswani et al., arXiv 1706.03762; chunked attention as in Chen et al., arXiv 2010.11395. With no left context it is the
encoder of a whole window or utterance (Whisper, HuBERT, Moonshine).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from foldsim.workload.layers.encoder import ALL_BIASES, Bias, CachedAttentionLayer
from foldsim.workload.ops import Context, Op
from foldsim.workload.parts import FeedForward, norm, residual


class TransformerLayer(CachedAttentionLayer):
    """Attention and feedforward with a norm and a residual each."""

    kind: Literal["transformer"] = Field(description="Transformer encoder layer.")
    biases: list[Bias] = Field(default=list(ALL_BIASES), description="Attention projections that have a bias.")
    feedforward_bias: bool = Field(default=True, description="The feedforward linears have biases.")
    gated: bool = Field(default=False, description="Gated feedforward (GLU): the first linear is twice as wide.")
    norm_bias: bool = Field(default=True, description="Norms have a shift in addition to the scale.")

    def lower(self, context: Context) -> Iterator[Op]:
        d = float(self.width)
        block = self.block(context, self.biases)
        tokens = block.tokens
        yield norm("norm_attention", tokens, d, self.norm_bias)
        yield from self.attention.lower(block, context)
        yield residual("residual_attention", tokens, d)
        yield norm("norm_feedforward", tokens, d, self.norm_bias)
        yield from FeedForward(d, float(self.feedforward), self.activation, self.feedforward_bias, self.gated).lower(
            tokens, context
        )
        yield residual("residual_feedforward", tokens, d)
